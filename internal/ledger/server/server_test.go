package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/tlstest"
)

func TestTheWholeAPIThroughTheClient(t *testing.T) {
	s, _ := newSite(t)
	operator, worker := s.operator(t), s.worker(t, "dsw-token")
	ctx := t.Context()
	status, err := operator.PutPolicy(ctx, sitePolicy())
	if err != nil || status.Revision != sitePolicy().Revision {
		t.Fatalf("Putting the policy gives %+v, error %v", status, err)
	}
	through := time.Now()
	out, err := worker.Append(ctx, "dsw", ledgerapi.AppendRequest{
		Events: []complaint.Event{complaintOf("C1"), complaintOf("C2"), complaintOf("C1")}, Cursor: []byte(`{"page": 2}`), ObservedThrough: &through,
	})
	if diff := cmp.Diff(ledgerapi.AppendResponse{Accepted: 2, Duplicate: 1, CursorGeneration: 1}, out); err != nil || diff != "" {
		t.Fatalf("Appending gives error %v (-want +got):\n%s", err, diff)
	}
	state, err := worker.Channel(ctx, "dsw")
	if err != nil || string(state.Cursor) != `{"page":2}` && string(state.Cursor) != `{"page": 2}` || state.CursorGeneration != 1 || state.ObservedThrough == nil {
		t.Errorf("The channel is %+v, error %v", state, err)
	}
	err = worker.Report(ctx, "dsw", ledgerapi.Report{Instance: "a", State: ledgerapi.SourceConnected, Reason: ledgerapi.ReasonConnected})
	if err != nil {
		t.Errorf("Reporting: %v", err)
	}
	for _, c := range []*client.Client{operator, worker} {
		first, err := c.Cases(ctx, client.CasesQuery{Channel: "dsw", State: "unanswered", Limit: 1})
		if err != nil || len(first.Cases) != 1 || first.Cases[0].CaseID != "C1" || first.Next == "" {
			t.Fatalf("The first page is %+v, error %v", first, err)
		}
		second, err := c.Cases(ctx, client.CasesQuery{Channel: "dsw", State: "unanswered", Limit: 1, After: first.Next})
		if err != nil || len(second.Cases) != 1 || second.Cases[0].CaseID != "C2" || second.Next != "" {
			t.Errorf("The second page is %+v, error %v", second, err)
		}
	}
	before := time.Now().Add(365 * 24 * time.Hour)
	all, err := operator.Cases(ctx, client.CasesQuery{DueBefore: &before, Category: "flood"})
	if err != nil || len(all.Cases) != 2 {
		t.Errorf("All cases are %+v, error %v; want 2", all, err)
	}
	summary, err := operator.Summary(ctx, ledgerapi.Position{}, 0)
	if err != nil || summary.Channels["dsw"].Unanswered != 2 || summary.Channels["dsw"].State != ledgerapi.SourceConnected {
		t.Fatalf("The summary is %+v, error %v", summary, err)
	}
	same, err := operator.Summary(ctx, summary.Position, time.Millisecond)
	if err != nil || same.Position != summary.Position || same.Since != summary.Sequence || len(same.Channels) != 0 {
		t.Errorf("After nothing the summary is %+v, error %v; want no change", same, err)
	}
	waited := make(chan int64, 1)
	go func() {
		s, err := operator.Summary(context.WithoutCancel(ctx), summary.Position, time.Minute)
		if err != nil || s.Since != summary.Sequence {
			waited <- -1
			return
		}
		waited <- s.Sequence
	}()
	if _, err := worker.Append(ctx, "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{complaintOf("C3")}}); err != nil {
		t.Fatal(err)
	}
	if got := <-waited; got <= summary.Sequence {
		t.Errorf("The long poll gave sequence %d after %d", got, summary.Sequence)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	s, _ := newSite(t)
	operator := s.operator(t)
	if _, err := operator.PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	strangerCA := tlstest.New(t)
	strangerCert, strangerKey := strangerCA.Issue(t, t.TempDir(), ledgerapi.OperatorCommonName)
	clerkCert, clerkKey := s.ca.Issue(t, s.dir, "clerk")
	identities := map[string]*client.Client{
		"operator":  operator,
		"writer":    s.worker(t, "dsw-token"),
		"other":     s.worker(t, "other-token"),
		"bad token": s.worker(t, "forged"),
		"no review": s.worker(t, "away"),
		"nobody":    s.client(t, client.Config{TLS: client.TLS{CAFile: s.caFile}}),
		"clerk":     s.client(t, client.Config{TLS: client.TLS{CAFile: s.caFile, CertFile: clerkCert, KeyFile: clerkKey}}),
	}
	const ok = http.StatusOK
	calls := map[string]func(c *client.Client, ctx context.Context) error{
		"append": func(c *client.Client, ctx context.Context) error {
			_, err := c.Append(ctx, "dsw", ledgerapi.AppendRequest{})
			return err
		},
		"append to an unknown channel": func(c *client.Client, ctx context.Context) error {
			_, err := c.Append(ctx, "none", ledgerapi.AppendRequest{})
			return err
		},
		"report": func(c *client.Client, ctx context.Context) error {
			return c.Report(ctx, "dsw", ledgerapi.Report{Instance: "a", State: ledgerapi.SourceUnknown, Reason: ledgerapi.ReasonWaitingForFirst})
		},
		"channel": func(c *client.Client, ctx context.Context) error { _, err := c.Channel(ctx, "dsw"); return err },
		"cases of the channel": func(c *client.Client, ctx context.Context) error {
			_, err := c.Cases(ctx, client.CasesQuery{Channel: "dsw"})
			return err
		},
		"all cases": func(c *client.Client, ctx context.Context) error {
			_, err := c.Cases(ctx, client.CasesQuery{})
			return err
		},
		"policy": func(c *client.Client, ctx context.Context) error {
			_, err := c.PutPolicy(ctx, sitePolicy())
			return err
		},
		"erase": func(c *client.Client, ctx context.Context) error { // by a ledger without a key, which knows nobody
			_, err := c.Erase(ctx, ledgerapi.ErasureRequest{Reporters: []ledgerapi.ErasureReporter{{Phone: "0812345678"}}})
			return err
		},
		"erasure": func(c *client.Client, ctx context.Context) error { _, err := c.Erasure(ctx, "none"); return err },
		"summary": func(c *client.Client, ctx context.Context) error {
			_, err := c.Summary(ctx, ledgerapi.Position{}, 0)
			return err
		},
	}
	want := map[string]map[string]int{
		"erase":                        {"operator": 400, "writer": 403, "other": 403},
		"erasure":                      {"operator": 404, "writer": 403, "other": 403},
		"append":                       {"operator": 403, "writer": ok, "other": 403},
		"append to an unknown channel": {"operator": 404, "writer": 404, "other": 404},
		"report":                       {"operator": 403, "writer": ok, "other": 403},
		"channel":                      {"operator": 403, "writer": ok, "other": 403},
		"cases of the channel":         {"operator": ok, "writer": ok, "other": 403},
		"all cases":                    {"operator": ok, "writer": 403, "other": 403},
		"policy":                       {"operator": ok, "writer": 403, "other": 403},
		"summary":                      {"operator": ok, "writer": 403, "other": 403},
	}
	for name, call := range calls {
		for who, c := range identities {
			status, listed := want[name][who]
			switch {
			case who == "no review":
				status = http.StatusServiceUnavailable
			case !listed:
				status = http.StatusUnauthorized
			}
			err := call(c, t.Context())
			if status == ok {
				if err != nil {
					t.Errorf("%s by %s: %v", name, who, err)
				}
				continue
			}
			wantStatus(t, name+" by "+who, status, err)
			if status == http.StatusServiceUnavailable && (client.RetryAfter(err) == 0 || !client.Retryable(err)) {
				t.Errorf("%s by %s: %v is not to be tried again", name, who, err)
			}
		}
	}
	// A certificate of another authority does not even get a connection, whatever name it bears.
	stranger := s.client(t, client.Config{TLS: client.TLS{CAFile: s.caFile, CertFile: strangerCert, KeyFile: strangerKey}})
	var answered *client.Error
	if _, err := stranger.Summary(t.Context(), ledgerapi.Position{}, 0); err == nil || errors.As(err, &answered) {
		t.Errorf("A stranger's certificate gives %v; want no connection", err)
	}
	// And a client does not talk to a ledger of another authority.
	untrusting := s.client(t, client.Config{TLS: client.TLS{CAFile: tlstest.Write(t, t.TempDir(), "ca", strangerCA.PEM)}})
	if _, err := untrusting.Channel(t.Context(), "dsw"); err == nil || errors.As(err, &answered) {
		t.Errorf("A ledger of another authority gives %v; want no connection", err)
	}
}

func TestAFailingStoreIsSaidAndRecoveredFrom(t *testing.T) {
	s, storage := newSite(t)
	operator, worker := s.operator(t), s.worker(t, "dsw-token")
	if _, err := operator.PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		err     error
		message string
	}{
		"full":     {fmt.Errorf("writing: %w", store.ErrFull), "storage is full"},
		"damaged":  {fmt.Errorf("reading: %w", store.ErrDamaged), "storage is damaged"},
		"accident": {errors.New("RAHASIA"), "could not store this"},
	} {
		storage.fail(test.err)
		_, err := worker.Append(t.Context(), "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{complaintOf(name)}})
		var got *client.Error
		if !errors.As(err, &got) || got.Status != http.StatusServiceUnavailable || got.RetryAfter == 0 || !strings.Contains(got.Message, test.message) ||
			strings.Contains(got.Message, "RAHASIA") {
			t.Errorf("%s: the error is %v; want 503 with %q", name, err, test.message)
		}
		if s.ledger.Healthy() == nil {
			t.Errorf("%s: the ledger says that it is well", name)
		}
		if _, err := operator.Summary(t.Context(), ledgerapi.Position{}, 0); err != nil {
			t.Errorf("%s: the summary is away with the store: %v", name, err)
		}
	}
	storage.fail(nil)
	if _, err := worker.Append(t.Context(), "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{complaintOf("after")}}); err != nil {
		t.Errorf("After the failure: %v", err)
	}
	if err := s.ledger.Healthy(); err != nil {
		t.Errorf("After the failure the ledger says %v", err)
	}
}

func TestAStoppingServerFinishesWhatHasBegun(t *testing.T) {
	s, storage := newSite(t)
	operator, worker := s.operator(t), s.worker(t, "dsw-token")
	if _, err := operator.PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	summary, err := operator.Summary(t.Context(), ledgerapi.Position{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	// A store that is held up keeps an append waiting; a long poll waits beside it.
	storage.mu.Lock()
	before := s.begun.Load()
	appended := make(chan error, 1)
	go func() {
		_, err := worker.Append(context.Background(), "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{complaintOf("C1")}})
		appended <- err
	}()
	polled := make(chan error, 1)
	go func() {
		_, err := operator.Summary(context.Background(), summary.Position, time.Minute)
		polled <- err
	}()
	waitFor(t, "both to have begun", func() bool { return s.begun.Load() == before+2 && s.ledger.Stats().Waiting > 0 })
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	wantStatus(t, "A long poll of a stopping ledger", http.StatusServiceUnavailable, <-polled)
	storage.mu.Unlock()
	if err := <-appended; err != nil {
		t.Errorf("The append that had begun: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stopping: %v", err)
	}
	if _, err := worker.Channel(t.Context(), "dsw"); err == nil || !client.Retryable(err) {
		t.Errorf("After the stop the error is %v; want one to retry", err)
	}
}

func TestRenewedCertificatesAndTokensNeedNoRestart(t *testing.T) {
	s, _ := newSite(t)
	now := time.Now()
	clock := func() time.Time { return now }
	cert, key := s.ca.Issue(t, s.dir, ledgerapi.OperatorCommonName)
	operator := s.client(t, client.Config{TLS: client.TLS{CAFile: s.caFile, CertFile: cert, KeyFile: key}, Now: clock})
	if _, err := operator.PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	tokenFile := tlstest.Write(t, s.dir, "token", []byte("forged"))
	worker := s.client(t, client.Config{TLS: client.TLS{CAFile: s.caFile}, TokenFile: tokenFile, Now: clock})
	_, err := worker.Channel(t.Context(), "dsw")
	wantStatus(t, "The old token", http.StatusUnauthorized, err)
	tlstest.Write(t, s.dir, "token", []byte("dsw-token"))
	now = now.Add(time.Minute)
	if _, err := worker.Channel(t.Context(), "dsw"); err != nil {
		t.Errorf("The new token: %v", err)
	}

	// A new authority for everything: first both are trusted, then the certificates change.
	next := tlstest.New(t)
	tlstest.Write(t, s.dir, "ca.crt", append(append([]byte(nil), s.ca.PEM...), next.PEM...))
	next.Issue(t, s.dir, "ledger")
	next.Issue(t, s.dir, ledgerapi.OperatorCommonName)
	now = now.Add(time.Minute)
	waitFor(t, "the server to present the new certificate", func() bool {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(next.PEM)
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{RootCAs: pool})
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
	if _, err := operator.Summary(t.Context(), ledgerapi.Position{}, 0); err != nil {
		t.Errorf("The operator with the new certificates: %v", err)
	}
	if _, err := worker.Channel(t.Context(), "dsw"); err != nil {
		t.Errorf("The worker with the new authority: %v", err)
	}
}
