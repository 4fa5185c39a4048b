package localnode

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// tokenKind tells apart the tokens of one Pod. An empty audience is the API server's own.
type tokenKind struct {
	audience string
	seconds  int64
}

// podTokens requests the service-account tokens of one Pod, bound to it, and renews each at 80 % of
// its life, as the kubelet does. It is used by one goroutine.
type podTokens struct {
	client kubernetes.Interface
	now    func() time.Time
	held   map[tokenKind]heldToken
}

type heldToken struct {
	token   string
	renewAt time.Time
}

// get returns a token that is good for a while.
func (t *podTokens) get(ctx context.Context, pod *corev1.Pod, kind tokenKind) (string, error) {
	if held, ok := t.held[kind]; ok && t.now().Before(held.renewAt) {
		return held.token, nil
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &kind.seconds}}
	if kind.audience != "" {
		request.Spec.Audiences = []string{kind.audience}
	}
	// The API server binds a token only to a Pod that names the account itself.
	if pod.Spec.ServiceAccountName != "" {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{
			APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID,
		}
	}
	requested := t.now()
	response, err := t.client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, serviceAccountName(pod), request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token of service account %q: %w", serviceAccountName(pod), err)
	}
	life := response.Status.ExpirationTimestamp.Sub(requested)
	if t.held == nil {
		t.held = map[tokenKind]heldToken{}
	}
	t.held[kind] = heldToken{token: response.Status.Token, renewAt: requested.Add(life * 8 / 10)}
	return response.Status.Token, nil
}

// nextRenewal is the earliest instant at which a token has to be renewed; zero when there is none.
func (t *podTokens) nextRenewal() time.Time {
	var next time.Time
	for _, held := range t.held {
		if next.IsZero() || held.renewAt.Before(next) {
			next = held.renewAt
		}
	}
	return next
}
