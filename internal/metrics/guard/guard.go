// Package guard lets those read the metrics whom the API server lets: the bearer token is reviewed, and
// its user must be allowed to get the path as a non-resource URL. controller-runtime's own filter does
// the same by means of k8s.io/apiserver, which doubles the size of the program that every worker is.
package guard

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

const (
	// allowedFor is how long an answer that let somebody in is not asked for again, and so how long a
	// token or a right that was revoked still works.
	allowedFor = time.Minute
	// refusedFor keeps a refused token from asking the API server with every try.
	refusedFor = 10 * time.Second
	// maxAnswers bounds what is remembered, maxToken what is taken for a token, in bytes.
	maxAnswers = 1024
	maxToken   = 16 << 10
	timeout    = 10 * time.Second
)

// Guard asks the API server who may read. It is safe for concurrent use.
type Guard struct {
	tokens authenticationclient.TokenReviewInterface
	access authorizationclient.SubjectAccessReviewInterface
	now    func() time.Time

	mu      sync.Mutex
	answers map[question]answer
}

// question is who wants what; of the token only a digest is remembered.
type question struct {
	token      [sha256.Size]byte
	verb, path string
}

// answer is the HTTP status of a decision: 200, 401 or 403.
type answer struct {
	status  int
	expires time.Time
}

// New makes a Guard.
func New(tokens authenticationclient.TokenReviewInterface, access authorizationclient.SubjectAccessReviewInterface, now func() time.Time) *Guard {
	return &Guard{tokens: tokens, access: access, now: now, answers: map[question]answer{}}
}

// Protect puts the Guard before a handler; it has the form of controller-runtime's metrics filter.
func (g *Guard) Protect(log logr.Logger, next http.Handler) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := g.decide(r)
		switch {
		case err != nil:
			log.Error(err, "Failed to ask who may read the metrics")
			http.Error(w, "the API server could not be asked who may read this", http.StatusServiceUnavailable)
		case status == http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a bearer token of the cluster is needed", status)
		case status != http.StatusOK:
			http.Error(w, "the user of this token may not read this", status)
		default:
			next.ServeHTTP(w, r)
		}
	}), nil
}

func (g *Guard) decide(r *http.Request) (int, error) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !found || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return http.StatusUnauthorized, nil
	}
	q := question{token: sha256.Sum256([]byte(token)), verb: strings.ToLower(r.Method), path: r.URL.Path}
	if status, ok := g.known(q); ok {
		return status, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	status, err := g.ask(ctx, token, q)
	if err != nil {
		return 0, err
	}
	g.remember(q, status)
	return status, nil
}

func (g *Guard) ask(ctx context.Context, token string, q question) (int, error) {
	review, err := g.tokens.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("reviewing a token: %w", err)
	}
	if !review.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user := review.Status.User
	if user.Username == "" {
		return 0, errors.New("reviewing a token: the API server names no user")
	}
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for name, values := range user.Extra {
		extra[name] = authorizationv1.ExtraValue(values)
	}
	decision, err := g.access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: q.path, Verb: q.verb},
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("reviewing access: %w", err)
	}
	if !decision.Status.Allowed || decision.Status.Denied {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}

func (g *Guard) known(q question) (int, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	known, ok := g.answers[q]
	return known.status, ok && g.now().Before(known.expires)
}

func (g *Guard) remember(q question, status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.answers) >= maxAnswers {
		// Scrapers are few: so many are somebody who tries tokens, and beginning anew costs little.
		clear(g.answers)
	}
	life := refusedFor
	if status == http.StatusOK {
		life = allowedFor
	}
	g.answers[q] = answer{status: status, expires: g.now().Add(life)}
}
