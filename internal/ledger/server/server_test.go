package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/ledger/tlstest"
	"github.com/tanggap/tanggap/internal/policy"
)

// tokens knows the owners of some tokens; a token "away" cannot be reviewed.
type tokens map[string]string

func (k tokens) Review(_ context.Context, token string) (string, error) {
	if token == "away" {
		return "", errors.New("the API server is away")
	}
	user, ok := k[token]
	if !ok {
		return "", ErrUnauthenticated
	}
	return user, nil
}

// site is a ledger that is served over TLS on a loopback address.
type site struct {
	ledger *ledger.Ledger
	url    string
	dir    string
	ca     *tlstest.Authority
	files  Files
	caFile string
	// stop ends the server as a signal does, and returns what Serve returned.
	stop func() error
}

// fragile is a store that can be made to fail.
type fragile struct {
	store.Store
	mu  sync.Mutex
	err error
}

func (f *fragile) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fragile) Update(ctx context.Context, do func(store.Tx) error) error {
	f.mu.Lock()
	err := f.err
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.Store.Update(ctx, do)
}

func newSite(t *testing.T) (*site, *fragile) {
	t.Helper()
	dir := t.TempDir()
	storage, err := sqlite.Open(dir+"/data", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir: dir, ca: tlstest.New(t)}
	f := &fragile{Store: storage}
	if s.ledger, err = ledger.Open(t.Context(), ledger.Options{Store: f}); err != nil {
		t.Fatal(err)
	}
	s.files.Cert, s.files.Key = s.ca.Issue(t, dir, "ledger")
	s.caFile = tlstest.Write(t, dir, "ca.crt", s.ca.PEM)
	s.files.ClientCA = s.caFile
	config, err := TLSConfig(s.files, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "https://" + listener.Addr().String()
	log := slog.New(slog.DiscardHandler)
	serving, stopServing := context.WithCancel(context.Background())
	running, stopRunning := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { s.ledger.Run(running) })
	served := make(chan error, 1)
	go func() {
		served <- Serve(serving, listener, New(s.ledger, tokens{"dsw-token": "dsw-worker", "other-token": "other-worker"}, log), config, log)
	}()
	var once sync.Once
	var result error
	s.stop = func() error {
		once.Do(func() {
			stopServing()
			result = <-served
			stopRunning()
			work.Wait()
			if err := storage.Close(); err != nil {
				t.Errorf("Closing the store: %v", err)
			}
		})
		return result
	}
	t.Cleanup(func() { _ = s.stop() })
	return s, f
}

func sitePolicy() policy.Document {
	d := benchPolicy()
	dsw := d.Channels["dsw"]
	dsw.Writer = "dsw-worker"
	d.Channels["dsw"] = dsw
	sigap := dsw
	sigap.Writer = "sigap-worker"
	d.Channels["sigap"] = sigap
	return d.Seal()
}

func (s *site) operator(t *testing.T) *client.Client {
	t.Helper()
	cert, key := s.ca.Issue(t, s.dir, ledgerapi.OperatorCommonName)
	return s.client(t, client.Config{TLS: client.TLS{CAFile: s.caFile, CertFile: cert, KeyFile: key}})
}

func (s *site) worker(t *testing.T, token string) *client.Client {
	t.Helper()
	file := tlstest.Write(t, s.dir, "token-"+token, []byte(token+"\n"))
	return s.client(t, client.Config{TLS: client.TLS{CAFile: s.caFile}, TokenFile: file})
}

func (s *site) client(t *testing.T, config client.Config) *client.Client {
	t.Helper()
	config.BaseURL = s.url
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func complaintOf(id string) complaint.Event {
	return complaint.Event{
		CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: time.Now().Add(-time.Minute), Text: "banjir",
	}
}

func wantStatus(t *testing.T, what string, want int, err error) {
	t.Helper()
	var got *client.Error
	if !errors.As(err, &got) || got.Status != want || got.Message == "" {
		t.Errorf("%s gives %v; want status %d with a message", what, err, want)
	}
}

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
	summary, changed, err := operator.Summary(ctx, -1, 0)
	if err != nil || !changed || summary.Channels["dsw"].Unanswered != 2 || summary.Channels["dsw"].State != ledgerapi.SourceConnected {
		t.Fatalf("The summary is %+v, changed %v, error %v", summary, changed, err)
	}
	if _, changed, err = operator.Summary(ctx, summary.Sequence, time.Millisecond); changed || err != nil {
		t.Errorf("The summary changed %v, error %v; want neither", changed, err)
	}
	waited := make(chan int64, 1)
	go func() {
		s, changed, err := operator.Summary(context.WithoutCancel(ctx), summary.Sequence, time.Minute)
		if err != nil || !changed {
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
		"summary": func(c *client.Client, ctx context.Context) error { _, _, err := c.Summary(ctx, -1, 0); return err },
	}
	want := map[string]map[string]int{
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
	if _, _, err := stranger.Summary(t.Context(), -1, 0); err == nil || errors.As(err, &answered) {
		t.Errorf("A stranger's certificate gives %v; want no connection", err)
	}
	// And a client does not talk to a ledger of another authority.
	untrusting := s.client(t, client.Config{TLS: client.TLS{CAFile: tlstest.Write(t, t.TempDir(), "ca", strangerCA.PEM)}})
	if _, err := untrusting.Channel(t.Context(), "dsw"); err == nil || errors.As(err, &answered) {
		t.Errorf("A ledger of another authority gives %v; want no connection", err)
	}
}

func TestBadRequestsAreExplained(t *testing.T) {
	s, _ := newSite(t)
	if _, err := s.operator(t).PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.ca.PEM)
	certFile, keyFile := s.ca.Issue(t, s.dir, ledgerapi.OperatorCommonName)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	asOperator := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}}
	asWorker := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer asOperator.CloseIdleConnections()
	defer asWorker.CloseIdleConnections()
	const events, report, put = "POST /v1/channels/dsw/events", "POST /v1/channels/dsw/report", "PUT /v1/policy"
	for name, test := range map[string]struct {
		request, body string
		status        int
		message       string
	}{
		"nothing":                      {events, "", 400, "the body is empty"},
		"no JSON":                      {events, "RAHASIA", 400, "not JSON: at byte 1"},
		"half a document":              {events, `{"events": [`, 400, "not JSON"},
		"two documents":                {events, `{} {}`, 400, "something follows it"},
		"another kind":                 {events, `{"events": "RAHASIA"}`, 400, "events: must be of another kind than string"},
		"another kind within":          {events, `{"events": [{"text": {"RAHASIA": 1}}]}`, 400, "events.text: must be of another kind than object"},
		"a time without an offset":     {events, `{"events": [{"at": "RAHASIA 2026-11-02 10:00"}]}`, 400, "a time is not of the form"},
		"a field that is not known":    {events, `{"later": 1}`, 200, ""},
		"too large":                    {events, `{"events": [{"text": "` + strings.Repeat("x", ledgerapi.MaxRequestBytes) + `"}]}`, 413, "bytes that are allowed"},
		"a report without an instance": {report, `{"state": "Connected", "reason": "Connected"}`, 400, "instance: must have"},
		"a report of an unknown state": {report, `{"instance": "a", "state": "RAHASIA", "reason": "Connected"}`, 400, "state: must be one of"},
		"a report that is too large":   {report, strings.Repeat(" ", 70<<10) + "{}", 413, "bytes that are allowed"},
		"a policy with a typing error": {put, `{"channels": {}, "slaz": {}}`, 400, `unknown field "slaz"`},
		"a policy that is wrong":       {put, `{"revision": "", "channels": {"dsw": {"type": "rest", "official": true, "writer": "w", "sla": "none"}}}`, 400, "channels.dsw.sla"},
		"a bad position":               {"GET /v1/summary?after=x", "", 400, "after: must be"},
		"a bad wait":                   {"GET /v1/summary?wait=10", "", 400, "wait: must be a duration"},
		"a bad limit":                  {"GET /v1/cases?limit=0", "", 400, "limit: must be"},
		"too large a limit":            {"GET /v1/cases?limit=100000", "", 400, "limit: must be 1 to 1000"},
		"a bad state":                  {"GET /v1/cases?state=RAHASIA", "", 400, "state: must be one of"},
		"a bad time":                   {"GET /v1/cases?dueBefore=RAHASIA", "", 400, "dueBefore: must be"},
		"a made up page":               {"GET /v1/cases?after=RAHASIA", "", 400, "after: must be the next"},
		"another path":                 {"GET /v2/RAHASIA", "", 404, "nothing at this path"},
	} {
		t.Run(name, func(t *testing.T) {
			method, path, _ := strings.Cut(test.request, " ")
			req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			c := asOperator
			if method == http.MethodPost {
				c = asWorker
				req.Header.Set("Authorization", "Bearer dsw-token")
			}
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status || !strings.Contains(strings.ReplaceAll(string(body), `\"`, `"`), test.message) {
				t.Errorf("The answer is %d %s; want %d with %q", resp.StatusCode, body, test.status, test.message)
			}
			if strings.Contains(string(body), "RAHASIA") {
				t.Errorf("The answer tells what was sent: %s", body)
			}
			if resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("The answer is %q", resp.Header.Get("Content-Type"))
			}
		})
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
		if _, _, err := operator.Summary(t.Context(), -1, 0); err != nil {
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
	summary, _, err := operator.Summary(t.Context(), -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	// A store that is held up keeps an append waiting; a long poll waits beside it.
	storage.mu.Lock()
	appended := make(chan error, 1)
	go func() {
		_, err := worker.Append(context.Background(), "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{complaintOf("C1")}})
		appended <- err
	}()
	polled := make(chan error, 1)
	go func() {
		_, _, err := operator.Summary(context.Background(), summary.Sequence, time.Minute)
		polled <- err
	}()
	waitFor(t, "the append to wait", func() bool { return s.ledger.Stats().Waiting > 0 })
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
	if _, _, err := operator.Summary(t.Context(), -1, 0); err != nil {
		t.Errorf("The operator with the new certificates: %v", err)
	}
	if _, err := worker.Channel(t.Context(), "dsw"); err != nil {
		t.Errorf("The worker with the new authority: %v", err)
	}
}

func TestHealthTellsReadinessAndTheProcess(t *testing.T) {
	s, _ := newSite(t)
	h := NewHealth(s.ledger)
	get := func(path string) (int, string) {
		t.Helper()
		w := newRecorder()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.ServeHTTP(w, req)
		return w.status, w.body.String()
	}
	if status, _ := get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz is %d", status)
	}
	if status, _ := get("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz before it serves is %d", status)
	}
	h.SetReady(true)
	if status, _ := get("/readyz"); status != http.StatusOK {
		t.Errorf("/readyz is %d", status)
	}
	if _, body := get("/metrics"); !strings.Contains(body, "tanggap_ledger_transactions_total") || !strings.Contains(body, "tanggap_ledger_storage_up 1") {
		t.Errorf("/metrics lacks the ledger's own:\n%s", body)
	}
}

// recorder is a response writer without the parts of httptest's that are not needed.
type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func newRecorder() *recorder { return &recorder{header: http.Header{}, status: http.StatusOK} }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// waitFor waits for a condition that nothing signals.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("Waited in vain for %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
