package site

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	authentication "k8s.io/api/authentication/v1"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// newReviews is an API server that knows one token and reviews tokens only.
func newReviews() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		review := authentication.TokenReview{}
		review.APIVersion, review.Kind = "authentication.k8s.io/v1", "TokenReview"
		// The client may send protobuf, in which the token stands as it is.
		review.Status.Authenticated = bytes.Contains(body, []byte(token))
		review.Status.User.Username = Writer
		review.Status.Audiences = []string{ledgerapi.Audience}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(review)
	}))
}

// kubeconfig leads to an API server that needs no credentials.
func kubeconfig(server string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: site
clusters: [{name: site, cluster: {server: %q}}]
contexts: [{name: site, context: {cluster: site, user: site}}]
users: [{name: site, user: {}}]
`, server)
}
