package localnode

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func TestTokensAreRenewedAtFourFifthsOfTheirLife(t *testing.T) {
	clock := noon
	issued := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request authenticationv1.TokenRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/api/v1/namespaces/city/serviceaccounts/writer/token" {
			t.Errorf("request to %s (%v)", r.URL.Path, err)
		}
		if bound := request.Spec.BoundObjectRef; bound == nil || bound.Name != "worker" || bound.UID != "1234" {
			t.Errorf("the token is bound to %+v", bound)
		}
		issued++
		request.Kind, request.APIVersion = "TokenRequest", "authentication.k8s.io/v1"
		request.Status.Token = fmt.Sprintf("%v/%d", request.Spec.Audiences, issued)
		request.Status.ExpirationTimestamp = metav1.Time{Time: clock.Add(time.Duration(*request.Spec.ExpirationSeconds) * time.Second)}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		if err := json.NewEncoder(w).Encode(request); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	tokens := &podTokens{client: client, now: func() time.Time { return clock }}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "city", Name: "worker", UID: "1234"}, Spec: corev1.PodSpec{ServiceAccountName: "writer"}}
	ledger, other := tokenKind{audience: "tanggap-ledger", seconds: 1000}, tokenKind{audience: "other", seconds: 5000}
	steps := []struct {
		after time.Duration
		kind  tokenKind
		want  string
		next  time.Duration // since noon
	}{
		{0, ledger, "[tanggap-ledger]/1", 800 * time.Second},
		{time.Second, other, "[other]/2", 800 * time.Second},
		{799 * time.Second, ledger, "[tanggap-ledger]/1", 800 * time.Second},
		{800 * time.Second, ledger, "[tanggap-ledger]/3", 1600 * time.Second},
		{801 * time.Second, other, "[other]/2", 1600 * time.Second},
	}
	for _, step := range steps {
		clock = noon.Add(step.after)
		got, err := tokens.get(t.Context(), pod, step.kind)
		if err != nil || got != step.want {
			t.Errorf("after %v: token %q (%v), want %q", step.after, got, err, step.want)
		}
		if next := tokens.nextRenewal(); !next.Equal(noon.Add(step.next)) {
			t.Errorf("after %v: the next renewal is after %v, want %v", step.after, next.Sub(noon), step.next)
		}
	}
}
