// Package tokenreview asks the API server whose a service-account token is.
package tokenreview

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	authentication "k8s.io/api/authentication/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes/typed/authentication/v1"

	"github.com/tanggap/tanggap/internal/ledger/server"
)

const (
	// validFor is how long a token that was found valid is not asked about again, and so how long a
	// revoked one still works.
	validFor = time.Minute
	// invalidFor keeps an invalid token from asking the API server with every try.
	invalidFor = 10 * time.Second
	// maxTokens bounds the cache.
	maxTokens = 4096
	// maxTokenBytes is far above what an API server issues.
	maxTokenBytes = 16 << 10
	timeout       = 10 * time.Second
)

// Reviewer implements server.TokenReviewer by TokenReviews. It is safe for concurrent use.
type Reviewer struct {
	reviews  client.TokenReviewInterface
	audience string
	now      func() time.Time
	flights  singleflight.Group

	mu    sync.Mutex
	cache map[[sha256.Size]byte]result
}

// result is what a token was found to be; user is "" for an invalid one.
type result struct {
	user    string
	expires time.Time
}

// New is a reviewer of tokens for the audience.
func New(reviews client.TokenReviewInterface, audience string, now func() time.Time) *Reviewer {
	return &Reviewer{reviews: reviews, audience: audience, now: now, cache: map[[sha256.Size]byte]result{}}
}

// Review implements server.TokenReviewer. Only digests of tokens are remembered.
func (r *Reviewer) Review(ctx context.Context, token string) (user string, err error) {
	if len(token) > maxTokenBytes {
		return "", server.ErrUnauthenticated
	}
	key := sha256.Sum256([]byte(token))
	if found, ok := r.cached(key); ok {
		return found.answer()
	}
	asked, err, _ := r.flights.Do(string(key[:]), func() (any, error) {
		// Others wait for this answer: it must not end with who asked first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		found, err := r.ask(ctx, token)
		if err == nil {
			r.remember(key, found)
		}
		return found, err
	})
	if err != nil {
		return "", err
	}
	return asked.(result).answer()
}

func (r result) answer() (string, error) {
	if r.user == "" {
		return "", server.ErrUnauthenticated
	}
	return r.user, nil
}

func (r *Reviewer) ask(ctx context.Context, token string) (result, error) {
	review, err := r.reviews.Create(ctx, &authentication.TokenReview{
		Spec: authentication.TokenReviewSpec{Token: token, Audiences: []string{r.audience}},
	}, meta.CreateOptions{})
	if err != nil {
		return result{}, fmt.Errorf("asking the API server about a token: %w", err)
	}
	status := review.Status
	// A server that does not know audiences leaves them out, and then has not checked this one.
	if !status.Authenticated || !slices.Contains(status.Audiences, r.audience) || status.User.Username == "" {
		return result{expires: r.now().Add(invalidFor)}, nil
	}
	return result{user: status.User.Username, expires: r.now().Add(validFor)}, nil
}

func (r *Reviewer) cached(key [sha256.Size]byte) (result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.cache[key]
	return found, ok && r.now().Before(found.expires)
}

func (r *Reviewer) remember(key [sha256.Size]byte, found result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= maxTokens {
		now := r.now()
		for k, v := range r.cache {
			if !now.Before(v.expires) {
				delete(r.cache, k)
			}
		}
	}
	if len(r.cache) >= maxTokens {
		// Full of what is not expired: somebody tries tokens. Any of them makes room.
		for k := range r.cache {
			delete(r.cache, k)
			break
		}
	}
	r.cache[key] = found
}
