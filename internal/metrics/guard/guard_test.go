package guard_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/tanggap/tanggap/internal/metrics/guard"
	"github.com/tanggap/tanggap/test/controlplane"
)

// scrape is one request with a token; "" sends none.
func scrape(t *testing.T, handler http.Handler, authorization string) int {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	return response.Code
}

func protected(t *testing.T, config *rest.Config, now func() time.Time) http.Handler {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	g := guard.New(client.AuthenticationV1().TokenReviews(), client.AuthorizationV1().SubjectAccessReviews(), now)
	handler, err := g.Protect(logr.Discard(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func TestWhoMayRead(t *testing.T) {
	plane, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	admin, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{}
	for _, name := range []string{"prometheus", "stranger"} {
		tokens[name] = "Bearer " + token(t, admin, name)
	}
	binding := allow(t, admin, "prometheus")
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	handler := protected(t, plane.Config(), func() time.Time { return at })

	for sentence, c := range map[string]struct {
		authorization string
		want          int
	}{
		"without a token nobody is let in":             {"", http.StatusUnauthorized},
		"a password is no token":                       {"Basic dXNlcjpwYXNz", http.StatusUnauthorized},
		"an empty token is none":                       {"Bearer ", http.StatusUnauthorized},
		"a token of nobody is refused":                 {"Bearer eyJhbGciOiJub25lIn0.e30.", http.StatusUnauthorized},
		"a token without the right is refused":         {tokens["stranger"], http.StatusForbidden},
		"a token with the right is let in":             {tokens["prometheus"], http.StatusOK},
		"the name of the scheme may be in small print": {"bearer" + tokens["prometheus"][len("Bearer"):], http.StatusOK},
	} {
		if got := scrape(t, handler, c.authorization); got != c.want {
			t.Errorf("%s: got %d, want %d", sentence, got, c.want)
		}
	}

	// A right that was taken away ends within a minute; one that was given begins within ten seconds.
	if err := admin.RbacV1().ClusterRoleBindings().Delete(t.Context(), binding, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	allow(t, admin, "stranger")
	if got := scrape(t, handler, tokens["prometheus"]); got != http.StatusOK {
		t.Errorf("an answer is asked for again with every scrape: %d", got)
	}
	at = at.Add(11 * time.Second)
	deadline := time.Now().Add(30 * time.Second) // the API server's own view of its roles lags a little
	for scrape(t, handler, tokens["stranger"]) != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatal("who was given the right is refused still")
		}
		at = at.Add(11 * time.Second)
	}
	at = at.Add(61 * time.Second)
	if got := scrape(t, handler, tokens["prometheus"]); got != http.StatusForbidden {
		t.Errorf("who lost the right is let in still: %d", got)
	}

	away := plane.Config()
	away.Host = "https://127.0.0.1:1"
	if got := scrape(t, protected(t, away, func() time.Time { return at }), tokens["prometheus"]); got != http.StatusServiceUnavailable {
		t.Errorf("while the API server is away: %d", got)
	}
}

func token(t *testing.T, admin *kubernetes.Clientset, name string) string {
	t.Helper()
	accounts := admin.CoreV1().ServiceAccounts("default")
	if _, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	issued, err := accounts.CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return issued.Status.Token
}

// allow lets a service account read /metrics, and returns the name of the binding.
func allow(t *testing.T, admin *kubernetes.Clientset, name string) string {
	t.Helper()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
	}
	if _, err := admin.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: name}},
	}
	if _, err := admin.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}
