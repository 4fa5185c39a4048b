package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/tlstest"
)

func newClient(t *testing.T, config Config) *Client {
	t.Helper()
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func TestErrorsTellWhatToDo(t *testing.T) {
	for name, test := range map[string]struct {
		status              int
		contentType, body   string
		retryAfter          string
		message             string
		retryable, conflict bool
		wantAfter           time.Duration
	}{
		"the ledger's own sentence":       {400, "application/json", `{"message":"cursor: must be JSON"}`, "", "cursor: must be JSON", false, false, 0},
		"another worker's cursor":         {409, "application/json", `{"message":"moved"}`, "", "moved", false, true, 0},
		"not this worker":                 {403, "application/json", `{"message":"another"}`, "", "another", false, false, 0},
		"no token":                        {401, "application/json", `{"message":"invalid"}`, "", "invalid", false, false, 0},
		"full":                            {503, "application/json", `{"message":"full"}`, "7", "full", true, false, 7 * time.Second},
		"too many":                        {429, "application/json", `{"message":"slow"}`, "1", "slow", true, false, time.Second},
		"an absurd wait":                  {503, "application/json", `{"message":"later"}`, "999999", "later", true, false, 5 * time.Minute},
		"a wait that is no number":        {503, "application/json", `{"message":"later"}`, "Mon, 02 Nov", "later", true, false, 0},
		"a proxy's page is not passed on": {502, "text/html", "<html>RAHASIA</html>", "", "Bad Gateway", true, false, 0},
		"a page that claims to be JSON":   {500, "application/json", "RAHASIA", "", "Internal Server Error", true, false, 0},
		"an endless page":                 {500, "application/json", `{"message":"` + strings.Repeat("x", 1<<20), "", "Internal Server Error", true, false, 0},
		"a redirect is not followed":      {307, "text/html", "", "", "Temporary Redirect", false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.Header().Set("Retry-After", test.retryAfter)
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			}))
			defer server.Close()
			c := newClient(t, Config{BaseURL: server.URL})
			_, err := c.Append(t.Context(), "dsw", ledgerapi.AppendRequest{})
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("The error is %v; want an answer", err)
			}
			if got.Status != test.status || got.Message != test.message {
				t.Errorf("The error is %d %q; want %d %q", got.Status, got.Message, test.status, test.message)
			}
			if Retryable(err) != test.retryable || Conflict(err) != test.conflict || RetryAfter(err) != test.wantAfter {
				t.Errorf("Retryable %v, conflict %v, after %v; want %v, %v, %v",
					Retryable(err), Conflict(err), RetryAfter(err), test.retryable, test.conflict, test.wantAfter)
			}
		})
	}
}

func TestWhatCannotBeReachedMayBeTriedAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, Config{BaseURL: "http://" + address})
	_, err = c.Channel(t.Context(), "dsw")
	if !Retryable(err) {
		t.Errorf("A refused connection gives %v; want one to retry", err)
	}
	if strings.Contains(err.Error(), "/v1/") {
		t.Errorf("The error %q has the path", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = c.Channel(ended, "dsw"); Retryable(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("A request that was given up gives %v; want the context's end and no retry", err)
	}

	hanging := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hanging:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(hanging)
	c = newClient(t, Config{BaseURL: slow.URL, Timeout: 20 * time.Millisecond})
	if _, err = c.Channel(t.Context(), "dsw"); !Retryable(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("A ledger that does not answer gives %v; want its timeout and a retry", err)
	}
	torn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"cursor`) }))
	defer torn.Close()
	c = newClient(t, Config{BaseURL: torn.URL})
	if _, err = c.Channel(t.Context(), "dsw"); !Retryable(err) {
		t.Errorf("Half an answer gives %v; want one to retry", err)
	}
}

func TestRequestsAreWhatTheLedgerReads(t *testing.T) {
	type seen struct{ method, path, query, token, body string }
	var got seen
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&body)
		got = seen{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Authorization"), string(body)}
		fmt.Fprint(w, "{}")
	}))
	defer server.Close()
	dir := t.TempDir()
	c := newClient(t, Config{BaseURL: server.URL + "/base/", TokenFile: tlstest.Write(t, dir, "token", []byte("secret\n"))})
	at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.FixedZone("WIB", 7*3600))
	for name, test := range map[string]struct {
		call func() error
		want seen
	}{
		"append": {func() error {
			_, err := c.Append(t.Context(), "a/b", ledgerapi.AppendRequest{Cursor: []byte("1"), Events: []complaint.Event{{ID: "E", OccurredAt: at}}})
			return err
		}, seen{"POST", "/base/v1/channels/a%2Fb/events", "", "Bearer secret",
			`{"events":[{"channel":"","case":"","id":"E","kind":"","actor":"","at":"2026-11-02T10:00:00+07:00"}],"cursor":1}`}},
		"report": {func() error { return c.Report(t.Context(), "dsw", ledgerapi.Report{Instance: "i"}) },
			seen{"POST", "/base/v1/channels/dsw/report", "", "Bearer secret", `{"instance":"i","state":"","reason":""}`}},
		"cases": {func() error {
			_, err := c.Cases(t.Context(), CasesQuery{State: "open", After: "x y", DueBefore: &at, Limit: 7})
			return err
		}, seen{"GET", "/base/v1/cases", "after=x+y&dueBefore=2026-11-02T03%3A00%3A00Z&limit=7&state=open", "Bearer secret", ""}},
		"summary": {func() error {
			_, err := c.Summary(t.Context(), ledgerapi.Position{Sequence: 5, Epoch: "E"}, 10*time.Second)
			return err
		}, seen{"GET", "/base/v1/summary", "after=5&epoch=E&wait=10s", "Bearer secret", ""}},
		"whole summary": {func() error {
			_, err := c.Summary(t.Context(), ledgerapi.Position{}, 0)
			return err
		}, seen{"GET", "/base/v1/summary", "wait=0s", "Bearer secret", ""}},
	} {
		if err := test.call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(seen{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAConfigurationWithAFaultIsRefused(t *testing.T) {
	dir := t.TempDir()
	cert, key := tlstest.New(t).Issue(t, dir, "client")
	for name, config := range map[string]Config{
		"no address":                    {},
		"no scheme":                     {BaseURL: "ledger:8443"},
		"another scheme":                {BaseURL: "ftp://ledger"},
		"a CA that is not there":        {BaseURL: "https://ledger", TLS: TLS{CAFile: dir + "/none"}},
		"a CA that is no certificate":   {BaseURL: "https://ledger", TLS: TLS{CAFile: key}},
		"a certificate without its key": {BaseURL: "https://ledger", TLS: TLS{CertFile: cert}},
		"a key of another certificate":  {BaseURL: "https://ledger", TLS: TLS{CertFile: cert, KeyFile: cert}},
	} {
		if _, err := New(config); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	c := newClient(t, Config{BaseURL: "https://127.0.0.1:1", TokenFile: dir + "/none"})
	if _, err := c.Channel(t.Context(), "dsw"); !Retryable(err) {
		t.Errorf("A token that is not mounted yet gives %v; want one to retry", err)
	}
}
