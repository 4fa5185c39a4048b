package tokenreview

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	access "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/tanggap/tanggap/internal/ledger/server"
)

// apiServer speaks the TokenReview and SubjectAccessReview APIs over HTTP.
type apiServer struct {
	// rights are what is asked for and granted.
	rights map[string]bool
	asked  atomic.Int64
	away   atomic.Bool
	// revoked has every token be invalid.
	revoked atomic.Bool
	// hold, if not nil, holds answers up.
	hold chan struct{}
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.asked.Add(1)
	if a.hold != nil {
		<-a.hold
	}
	if a.away.Load() {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if r.URL.Path == "/apis/authorization.k8s.io/v1/subjectaccessreviews" {
		a.access(w, r)
		return
	}
	var review authentication.TokenReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || r.URL.Path != "/apis/authentication.k8s.io/v1/tokenreviews" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	user, audience, known := strings.Cut(review.Spec.Token, "@")
	if known && !a.revoked.Load() {
		review.Status.Authenticated = true
		review.Status.User = authentication.UserInfo{Username: user, UID: "uid-of-" + user, Groups: []string{"desk"}}
		if user == "" {
			review.Status.User = authentication.UserInfo{}
		}
		if audience != "" {
			review.Status.Audiences = []string{audience}
		}
	} else {
		review.Status.Error = "invalid bearer token"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(review)
}

func (a *apiServer) access(w http.ResponseWriter, r *http.Request) {
	var review authorization.SubjectAccessReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Spec.ResourceAttributes == nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	asked := review.Spec.ResourceAttributes
	review.Status.Allowed = a.rights[fmt.Sprintf("%s (%s, %v) %s %s.%s/%s %s/%s", review.Spec.User, review.Spec.UID, review.Spec.Groups,
		asked.Verb, asked.Resource, asked.Group, asked.Subresource, asked.Namespace, asked.Name)]
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(review)
}

func newReviewer(t *testing.T, a *apiServer) (*Reviewer, *time.Time) {
	t.Helper()
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	config := &rest.Config{Host: s.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}, QPS: -1}
	c, err := client.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	rights, err := access.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	return New(c.TokenReviews(), rights.SubjectAccessReviews(), "tanggap-ledger", "depok", clock), &now
}

func TestReview(t *testing.T) {
	for name, test := range map[string]struct {
		token, user string
	}{
		"a valid token":                       {"system:serviceaccount:depok:w@tanggap-ledger", "system:serviceaccount:depok:w"},
		"a token for another audience":        {"w@https://kubernetes.default.svc", ""},
		"a server that checked no audience":   {"w@", ""},
		"a forged token":                      {"forged", ""},
		"a token without a user":              {"@tanggap-ledger", ""},
		"something far longer than any token": {strings.Repeat("x", 1<<20) + "@tanggap-ledger", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := newReviewer(t, &apiServer{})
			user, err := r.Review(t.Context(), test.token)
			if user != test.user || (test.user == "") != errors.Is(err, server.ErrUnauthenticated) {
				t.Errorf("The user is %q, error %v; want %q", user, err, test.user)
			}
		})
	}
}

func TestResultsAreRememberedForAWhile(t *testing.T) {
	for name, test := range map[string]struct {
		token string
		while time.Duration
	}{
		"valid for a minute":         {"w@tanggap-ledger", validFor},
		"invalid for a short moment": {"forged", invalidFor},
	} {
		t.Run(name, func(t *testing.T) {
			a := &apiServer{}
			r, now := newReviewer(t, a)
			review := func() { _, _ = r.Review(t.Context(), test.token) }
			review()
			*now = now.Add(test.while - time.Second)
			review()
			if n := a.asked.Load(); n != 1 {
				t.Errorf("The API server was asked %d times; want once", n)
			}
			*now = now.Add(2 * time.Second)
			review()
			if n := a.asked.Load(); n != 2 {
				t.Errorf("The API server was asked %d times; want twice", n)
			}
		})
	}
}

func TestAnAPIServerThatIsAwayIsNotTheTokensFault(t *testing.T) {
	a := &apiServer{}
	r, now := newReviewer(t, a)
	a.away.Store(true)
	if _, err := r.Review(t.Context(), "w@tanggap-ledger"); err == nil || errors.Is(err, server.ErrUnauthenticated) {
		t.Errorf("The error is %v; want one that says nothing of the token", err)
	}
	a.away.Store(false)
	if user, err := r.Review(t.Context(), "w@tanggap-ledger"); user != "w" {
		t.Errorf("Once it is back the user is %q, error %v", user, err)
	}
	a.away.Store(true)
	*now = now.Add(30 * time.Second)
	if user, err := r.Review(t.Context(), "w@tanggap-ledger"); user != "w" {
		t.Errorf("While a result is remembered the user is %q, error %v", user, err)
	}
}

// TestWorkersGoOnWhileTheAPIServerIsAway has a control plane be upgraded: what is known of a token holds for that long,
// and not any longer.
func TestWorkersGoOnWhileTheAPIServerIsAway(t *testing.T) {
	a := &apiServer{}
	r, now := newReviewer(t, a)
	review := func(token string) (string, error) { return r.Review(t.Context(), token) }
	if user, err := review("w@tanggap-ledger"); user != "w" {
		t.Fatalf("The user is %q, error %v", user, err)
	}
	a.away.Store(true)
	asked := a.asked.Load()
	*now = now.Add(validFor + time.Second)
	for range 3 {
		if user, err := review("w@tanggap-ledger"); user != "w" {
			t.Errorf("A minute later the user is %q, error %v", user, err)
		}
	}
	if n := a.asked.Load() - asked; n != 1 {
		t.Errorf("An API server that is away was asked %d times by three requests; want once", n)
	}
	if _, err := review("other@tanggap-ledger"); err == nil {
		t.Error("A token that was never seen is valid")
	}
	*now = now.Add(outage)
	if _, err := review("w@tanggap-ledger"); err == nil || errors.Is(err, server.ErrUnauthenticated) {
		t.Errorf("After a long outage the error is %v; want one that says nothing of the token", err)
	}
	a.away.Store(false)
	if user, err := review("w@tanggap-ledger"); user != "w" {
		t.Errorf("Once it is back the user is %q, error %v", user, err)
	}
	a.revoked.Store(true)
	*now = now.Add(validFor)
	if _, err := review("w@tanggap-ledger"); !errors.Is(err, server.ErrUnauthenticated) {
		t.Errorf("A revoked token gives %v", err)
	}
}

func TestMayReply(t *testing.T) {
	a := &apiServer{rights: map[string]bool{
		"ani (uid-of-ani, [desk]) create complaintchannels.tanggap.dev/reply depok/dsw": true,
	}}
	r, _ := newReviewer(t, a)
	for name, test := range map[string]struct {
		token, channel string
		want           bool
		unknown        bool
	}{
		"who has the right":           {"ani@tanggap-ledger", "dsw", true, false},
		"on another channel":          {"ani@tanggap-ledger", "sigap", false, false},
		"somebody else":               {"budi@tanggap-ledger", "dsw", false, false},
		"a token of another audience": {"ani@elsewhere", "dsw", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.MayReply(t.Context(), test.token, test.channel)
			if got != test.want || errors.Is(err, server.ErrUnauthenticated) != test.unknown {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	a.away.Store(true)
	if got, err := r.MayReply(t.Context(), "ani@tanggap-ledger", "dsw"); got || err == nil {
		t.Errorf("While the API server is away: %v, %v", got, err)
	}
}

func TestManyAskOnce(t *testing.T) {
	a := &apiServer{hold: make(chan struct{})}
	r, _ := newReviewer(t, a)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if user, err := r.Review(t.Context(), "w@tanggap-ledger"); user != "w" {
				t.Errorf("The user is %q, error %v", user, err)
			}
		})
	}
	close(a.hold)
	wg.Wait()
	if n := a.asked.Load(); n > 20 || n < 1 {
		t.Errorf("The API server was asked %d times", n)
	}
	if n := len(r.cache); n != 1 {
		t.Errorf("%d tokens are remembered; want 1", n)
	}
}

func TestTheMemoryOfTokensIsBounded(t *testing.T) {
	r, _ := newReviewer(t, &apiServer{})
	for i := range maxTokens + 100 {
		r.remember([32]byte{byte(i), byte(i >> 8)}, result{expires: time.Now().Add(time.Hour)})
	}
	if n := len(r.cache); n > maxTokens {
		t.Errorf("%d tokens are remembered; want at most %d", n, maxTokens)
	}
	for key := range r.cache {
		if strings.Contains(fmt.Sprint(key), "@") {
			t.Error("A token is remembered as it is")
		}
	}
}
