// Package tokenreview asks the API server whose a service-account token is, and what its owner may do.
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
	authorization "k8s.io/api/authorization/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	access "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/ledger/server"
)

const (
	// validFor is how long a token that was found valid is not asked about again, and so how long a
	// revoked one still works while the API server answers.
	validFor = time.Minute
	// invalidFor keeps an invalid token, and any while the API server does not answer, from asking it with every try.
	invalidFor = 10 * time.Second
	// outage is how long a token that was found valid stays so while the API server does not answer: an upgrade of a
	// control plane takes minutes, in which complaints come in.
	outage = 15 * time.Minute
	// maxTokens bounds the cache.
	maxTokens = 4096
	// maxTokenBytes is far above what an API server issues.
	maxTokenBytes = 16 << 10
	timeout       = 10 * time.Second
	// shortTimeout is for an answer that can be done without; deliveries wait for it.
	shortTimeout = 2 * time.Second
)

// Reviewer implements server.TokenReviewer by TokenReviews and SubjectAccessReviews. It is safe for
// concurrent use.
type Reviewer struct {
	reviews client.TokenReviewInterface
	access  access.SubjectAccessReviewInterface
	// audience is the ledger's, namespace that of its channels.
	audience, namespace string
	now                 func() time.Time
	flights             singleflight.Group

	mu    sync.Mutex
	cache map[[sha256.Size]byte]result
}

// result is what a token was found to be; the name of owner is "" for an invalid one. Once it has expired the API
// server is asked again, and until it lapses it holds where there is no answer.
type result struct {
	owner           authentication.UserInfo
	expires, lapses time.Time
}

// New is a reviewer of tokens for the audience, and of rights to channels of the namespace.
func New(
	reviews client.TokenReviewInterface, access access.SubjectAccessReviewInterface, audience, namespace string, now func() time.Time,
) *Reviewer {
	return &Reviewer{
		reviews: reviews, access: access, audience: audience, namespace: namespace, now: now, cache: map[[sha256.Size]byte]result{},
	}
}

// Review implements server.TokenReviewer. Only digests of tokens are remembered.
func (r *Reviewer) Review(ctx context.Context, token string) (user string, err error) {
	owner, err := r.owner(ctx, token)
	return owner.Username, err
}

// MayReply implements server.TokenReviewer: it asks whether the token's owner may create
// complaintchannels/reply. Nothing of the answer is remembered, for people reply seldom, and a right that was
// taken away ends at once.
func (r *Reviewer) MayReply(ctx context.Context, token, channel string) (bool, error) {
	owner, err := r.owner(ctx, token)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	extra := make(map[string]authorization.ExtraValue, len(owner.Extra))
	for name, values := range owner.Extra {
		extra[name] = authorization.ExtraValue(values)
	}
	review, err := r.access.Create(ctx, &authorization.SubjectAccessReview{Spec: authorization.SubjectAccessReviewSpec{
		User: owner.Username, UID: owner.UID, Groups: owner.Groups, Extra: extra,
		ResourceAttributes: &authorization.ResourceAttributes{
			Namespace: r.namespace, Verb: "create", Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
			Resource: "complaintchannels", Subresource: "reply", Name: channel,
		},
	}}, meta.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking the API server about a right: %w", err)
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}

// owner is whose the token is.
func (r *Reviewer) owner(ctx context.Context, token string) (authentication.UserInfo, error) {
	if len(token) > maxTokenBytes {
		return authentication.UserInfo{}, server.ErrUnauthenticated
	}
	key := sha256.Sum256([]byte(token))
	known, ok := r.cached(key)
	if ok {
		return known.answer()
	}
	asked, err, _ := r.flights.Do(string(key[:]), func() (any, error) {
		holds, limit := r.now().Before(known.lapses), timeout
		if holds {
			limit = shortTimeout
		}
		// Others wait for this answer: it must not end with who asked first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		found, err := r.ask(ctx, token)
		if err != nil && holds {
			found, err = known, nil
			found.expires = r.now().Add(invalidFor)
		}
		if err == nil {
			r.remember(key, found)
		}
		return found, err
	})
	if err != nil {
		return authentication.UserInfo{}, err
	}
	return asked.(result).answer()
}

func (r result) answer() (authentication.UserInfo, error) {
	if r.owner.Username == "" {
		return authentication.UserInfo{}, server.ErrUnauthenticated
	}
	return r.owner, nil
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
	now := r.now()
	return result{owner: status.User, expires: now.Add(validFor), lapses: now.Add(outage)}, nil
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
