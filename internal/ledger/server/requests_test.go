package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

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
		"nothing":                       {events, "", 400, "the body is empty"},
		"no JSON":                       {events, "RAHASIA", 400, "not JSON: at byte 1"},
		"half a document":               {events, `{"events": [`, 400, "not JSON"},
		"two documents":                 {events, `{} {}`, 400, "something follows it"},
		"another kind":                  {events, `{"events": "RAHASIA"}`, 400, "events: must be of another kind than string"},
		"another kind within":           {events, `{"events": [{"text": {"RAHASIA": 1}}]}`, 400, "events.text: must be of another kind than object"},
		"a time without an offset":      {events, `{"events": [{"at": "RAHASIA 2026-11-02 10:00"}]}`, 400, "a time is not of the form"},
		"a field that is not known":     {events, `{"later": 1}`, 200, ""},
		"too large":                     {events, `{"events": [{"text": "` + strings.Repeat("x", ledgerapi.MaxRequestBytes) + `"}]}`, 413, "bytes that are allowed"},
		"a report without an instance":  {report, `{"state": "Connected", "reason": "Connected"}`, 400, "instance: must have"},
		"a report of an unknown state":  {report, `{"instance": "a", "state": "RAHASIA", "reason": "Connected"}`, 400, "state: must be one of"},
		"a report that is too large":    {report, strings.Repeat(" ", 70<<10) + "{}", 413, "bytes that are allowed"},
		"a policy with a typing error":  {put, `{"channels": {}, "slaz": {}}`, 400, `unknown field "slaz"`},
		"a policy that is wrong":        {put, `{"revision": "", "channels": {"dsw": {"type": "rest", "official": true, "writer": "w", "sla": "none"}}}`, 400, "channels.dsw.sla"},
		"a bad position":                {"GET /v1/summary?after=x", "", 400, "after: must be"},
		"a bad wait":                    {"GET /v1/summary?wait=10", "", 400, "wait: must be a duration"},
		"a bad limit":                   {"GET /v1/cases?limit=0", "", 400, "limit: must be"},
		"too large a limit":             {"GET /v1/cases?limit=100000", "", 400, "limit: must be 1 to 1000"},
		"a bad state":                   {"GET /v1/cases?state=RAHASIA", "", 400, "state: must be one of"},
		"a bad time":                    {"GET /v1/cases?dueBefore=RAHASIA", "", 400, "dueBefore: must be"},
		"a made up page":                {"GET /v1/cases?after=RAHASIA", "", 400, "after: must be the next"},
		"a filter that is not known":    {"GET /v1/cases?RAHASIA=1", "", 400, "the parameters are channel, category"},
		"a filter that is there twice":  {"GET /v1/cases?state=open&state=closed", "", 400, "each at most once"},
		"another channel than the path": {"GET /v1/channels/dsw/cases?channel=wa", "", 400, "channel: must be the one of the path"},
		"another path":                  {"GET /v2/RAHASIA", "", 404, "nothing at this path"},
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

// TestLargeBodiesAreBoundedTogether has as many large batches begin as may be read at once, and none end.
func TestLargeBodiesAreBoundedTogether(t *testing.T) {
	s, _ := newSite(t)
	if _, err := s.operator(t).PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	handler := New(s.ledger, tokens{"t": "dsw-worker"}, slog.New(slog.DiscardHandler))
	send := func(body io.Reader, length int64) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodPost, "/v1/channels/dsw/events", body)
		request.ContentLength = length
		request.Header.Set("Authorization", "Bearer t")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder
	}
	padded := func(length int) io.Reader { return strings.NewReader("{}" + strings.Repeat(" ", length-2)) }
	var begun sync.WaitGroup
	var pipes []*io.PipeWriter
	for range maxBodies / ledgerapi.MaxRequestBytes {
		from, to := io.Pipe()
		pipes = append(pipes, to)
		begun.Go(func() {
			if got := send(from, ledgerapi.MaxRequestBytes).Code; got != http.StatusOK {
				t.Errorf("One that was begun before is answered %d", got)
			}
		})
		if _, err := to.Write([]byte("{}")); err != nil { // returns once it was read
			t.Fatal(err)
		}
	}
	if got := send(padded(1<<20), 1<<20); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") != "1" {
		t.Errorf("A large one too many is answered %d, Retry-After %q", got.Code, got.Header().Get("Retry-After"))
	}
	if got := send(padded(smallBody), smallBody); got.Code != http.StatusOK {
		t.Errorf("A small one is answered %d: %s", got.Code, got.Body)
	}
	for _, pipe := range pipes {
		_ = pipe.Close()
	}
	begun.Wait()
	if got := send(padded(1<<20), 1<<20); got.Code != http.StatusOK {
		t.Errorf("Afterwards a large one is answered %d", got.Code)
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
	if _, body := get("/metrics"); !strings.Contains(body, "tanggap_ledger_transactions_total") || !strings.Contains(body, "tanggap_ledger_storage_up 1") ||
		!strings.Contains(body, "tanggap_ledger_watches 1") || !strings.Contains(body, "tanggap_ledger_revision") {
		t.Errorf("/metrics lacks the ledger's own:\n%s", body)
	}
}

func TestAReplicaThatHasLostTheStorageSendsClientsToAnother(t *testing.T) {
	s, storage := newSiteOn(t, true)
	operator := s.operator(t)
	if _, err := operator.PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	h := NewHealth(s.ledger)
	h.SetReady(true)
	ready := func() bool {
		w := newRecorder()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		h.ServeHTTP(w, req)
		return w.status == http.StatusOK
	}
	reused := false
	read := func() error {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
		_, err := operator.Summary(ctx, ledgerapi.Position{}, 0)
		return err
	}
	if err := read(); err != nil || !reused || !ready() {
		t.Errorf("With the storage: error %v, connection reused %v, ready %v", err, reused, ready())
	}
	worker := s.worker(t, "dsw-token")
	send := func() error {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
		_, err := worker.Append(ctx, "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{complaintOf("sent")}})
		return err
	}
	if err := send(); err != nil {
		t.Errorf("Appending with the storage: %v", err)
	}
	storage.fail(errors.New("no route to host"))
	for _, again := range []bool{true, false} {
		wantStatus(t, "An append without the storage", http.StatusServiceUnavailable, send())
		if reused != again {
			t.Errorf("The connection is reused is %v; want %v", reused, again)
		}
	}
	waitFor(t, "the replica to be unready", func() bool { return !ready() })
	wantStatus(t, "The summary of a replica that has lost the storage", http.StatusServiceUnavailable, read())
	waitFor(t, "a connection of its own for each request", func() bool {
		wantStatus(t, "The summary still", http.StatusServiceUnavailable, read())
		return !reused
	})
	storage.fail(nil)
	waitFor(t, "the replica to be ready", ready)
	if err := read(); err != nil {
		t.Errorf("With the storage again: %v", err)
	}
}

// recorder is a response writer without the parts of httptest's that are not needed.
type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func newRecorder() *recorder { return &recorder{header: http.Header{}, status: http.StatusOK} }

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
