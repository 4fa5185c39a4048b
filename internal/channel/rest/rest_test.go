package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/portal"
)

// monday is the first working day of the tests, 09:00 in Jakarta.
var monday = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

// credentials are the Secrets of the tests, by name/key.
var credentials = map[string]string{"dsw/username": "tanggap", "dsw/password": "rahasia", "dsw/key": "kunci"}

func newType(t testing.TB) *Type {
	t.Helper()
	made, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func load(t testing.TB, name string) *v1alpha1.RESTSource {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	spec := &v1alpha1.RESTSource{}
	if err := yaml.UnmarshalStrict(raw, spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// rig is a source and everything around it.
type rig struct {
	t         testing.TB
	kind      *Type
	clock     *channeltest.Clock
	ledger    *channeltest.Ledger
	source    channel.Poller
	spec      *v1alpha1.RESTSource
	server    *httptest.Server
	transport http.RoundTripper
}

// newRig opens the source of the specification against the handler, which takes the place of its host.
func newRig(t testing.TB, handler http.Handler, spec *v1alpha1.RESTSource) *rig {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	r := &rig{t: t, kind: newType(t), clock: channeltest.NewClock(monday), ledger: &channeltest.Ledger{}, spec: spec, server: server, transport: server.Client().Transport}
	spec.URL = r.move(spec.URL)
	if spec.Auth != nil && spec.Auth.Login != nil {
		spec.Auth.Login.URL = r.move(spec.Auth.Login.URL)
	}
	if spec.Auth != nil && spec.Auth.OAuth2 != nil {
		spec.Auth.OAuth2.TokenURL = r.move(spec.Auth.OAuth2.TokenURL)
	}
	r.open()
	return r
}

// move puts the server's address into a URL.
func (r *rig) move(address v1alpha1.HTTPURL) v1alpha1.HTTPURL {
	u, err := url.Parse(string(address))
	if err != nil {
		r.t.Fatal(err)
	}
	at, err := url.Parse(r.server.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	u.Host = at.Host
	return v1alpha1.HTTPURL(u.String())
}

// open makes the source anew, as a worker that starts does.
func (r *rig) open() {
	r.t.Helper()
	source, err := r.kind.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceREST, REST: r.spec}, r.clock, r.transport, credentials))
	if err != nil {
		r.t.Fatal(err)
	}
	r.source = source.(channel.Poller)
}

func (r *rig) poll() error {
	return r.source.Poll(r.t.Context(), r.ledger.Cursor(), r.ledger)
}

func (r *rig) mustPoll() {
	r.t.Helper()
	if err := r.poll(); err != nil {
		r.t.Fatal(err)
	}
}

// reasonOf is the reason of an error, "" of none.
func reasonOf(t testing.TB, err error) ledgerapi.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var failure *channel.Error
	if !errors.As(err, &failure) {
		t.Fatalf("%v is no *channel.Error", err)
	}
	return failure.Reason
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPortalFromReportToAnswer(t *testing.T) {
	clock := channeltest.NewClock(monday.Add(-time.Hour))
	city := portal.New(portal.Options{Username: "tanggap", Password: "rahasia", Now: clock.Now})
	tree := city.AddTicket(portal.Report{Title: "Pohon tumbang", Text: "Menutup jalan", Category: "Pohon", Phone: "+62 000 0000 0001"})
	r := newRig(t, city, load(t, "testdata/portal.yaml"))
	r.mustPoll()
	if want := []string{tree + "/Received/2026-11-02T01:00:00Z"}; !cmp.Equal(want, r.ledger.IDs()) {
		t.Fatal(cmp.Diff(want, r.ledger.IDs()))
	}
	if !r.ledger.Through().Equal(monday) {
		t.Errorf("read through %s, want the start of the poll", r.ledger.Through())
	}

	clock.Advance(time.Hour)
	must(t, city.AnswerAutomatically(tree, "Terima kasih atas laporannya"))
	must(t, city.Assign(tree, "DLHK"))
	clock.Advance(30 * time.Minute)
	must(t, city.Answer(tree, "DLHK", "Tim berangkat"))
	must(t, city.Resolve(tree))
	r.clock.Advance(time.Hour)
	r.mustPoll()
	r.clock.Advance(time.Minute)
	r.mustPoll()

	at := func(s string) time.Time {
		parsed, err := time.Parse(time.RFC3339, s)
		must(t, err)
		return parsed
	}
	attributes := map[string]string{"category": "Pohon"}
	want := []complaint.Event{
		{Channel: "dsw", CaseID: tree, ID: tree + "/Received/2026-11-02T01:00:00Z", Kind: "Received", Actor: "citizen", OccurredAt: at("2026-11-02T01:00:00Z"), Text: "Pohon tumbang\nMenutup jalan", Reporter: &complaint.Reporter{Phone: "+62 000 0000 0001"}, Attributes: attributes},
		{Channel: "dsw", CaseID: tree, ID: tree + "/Assigned/2026-11-02T02:00:00Z", Kind: "Assigned", Actor: "official", OccurredAt: at("2026-11-02T02:00:00Z"), Attributes: attributes},
		{Channel: "dsw", CaseID: tree, ID: tree + "/Answered/1", Kind: "Answered", Actor: "bot", OccurredAt: at("2026-11-02T02:00:00Z"), Text: "Terima kasih atas laporannya", Attributes: attributes},
		{Channel: "dsw", CaseID: tree, ID: tree + "/Answered/2", Kind: "Answered", Actor: "official", OccurredAt: at("2026-11-02T02:30:00Z"), Text: "Tim berangkat", Attributes: attributes},
		{Channel: "dsw", CaseID: tree, ID: tree + "/StatusChanged/selesai", Kind: "StatusChanged", Actor: "official", OccurredAt: at("2026-11-02T02:30:00Z"), To: "Resolved", Attributes: attributes},
	}
	if diff := cmp.Diff(want, r.ledger.Events()); diff != "" {
		t.Error(diff)
	}
	if len(r.ledger.Messages()) > 0 {
		t.Errorf("problems: %v", r.ledger.Messages())
	}
}

func TestPagesAreReadToTheEnd(t *testing.T) {
	// Each handler gives the five items A to E, two a page, in its own way.
	items := []string{"A", "B", "C", "D", "E"}
	page := func(from int) []any {
		list := []any{}
		for _, id := range items[min(from, 5):min(from+2, 5)] {
			list = append(list, map[string]any{"id": id})
		}
		return list
	}
	number := func(r *http.Request, name string) int {
		var n int
		must(t, json.Unmarshal([]byte(r.URL.Query().Get(name)), &n))
		return n
	}
	zero, one, size := int32(0), int32(1), int32(2)
	tests := map[string]struct {
		pagination v1alpha1.Pagination
		handler    http.HandlerFunc
		requests   int
	}{
		"by page, until a short one": {
			v1alpha1.Pagination{Type: "Page", Parameter: "page", Size: &size},
			func(w http.ResponseWriter, r *http.Request) { write(w, page(2*(number(r, "page")-1))) }, 3,
		},
		"by page from 0, until an empty one": {
			v1alpha1.Pagination{Type: "Page", Parameter: "page", First: &zero},
			func(w http.ResponseWriter, r *http.Request) { write(w, page(2*number(r, "page"))) }, 4,
		},
		"by offset": {
			v1alpha1.Pagination{Type: "Offset", Parameter: "skip", SizeParameter: "take", Size: &size},
			func(w http.ResponseWriter, r *http.Request) {
				if number(r, "take") != 2 {
					t.Error("the size was not asked for")
				}
				write(w, page(number(r, "skip")))
			}, 3,
		},
		"by cursor": {
			v1alpha1.Pagination{Type: "Cursor", Parameter: "after", Next: `response.next`},
			func(w http.ResponseWriter, r *http.Request) {
				from := map[string]int{"": 0, "a&b=+": 2, "ü": 4}[r.URL.Query().Get("after")]
				write(w, map[string]any{"data": page(from), "next": map[int]any{0: "a&b=+", 2: "ü", 4: nil}[from]})
			}, 3,
		},
		"by the Link header": {
			v1alpha1.Pagination{Type: "Link"},
			func(w http.ResponseWriter, r *http.Request) {
				from := map[string]int{"": 0, "2": 2, "4": 4}[r.URL.Query().Get("from")]
				if from < 4 {
					w.Header().Add("Link", `</items?from=0>; rel="first prev"; title="a, b; rel=next"`)
					w.Header().Add("Link", `<https://other.example/>; rel=last, </items?from=`+map[int]string{0: "2", 2: "4"}[from]+`>; REL="NEXT"`)
				}
				write(w, page(from))
			}, 3,
		},
		"by a link in the answer": {
			v1alpha1.Pagination{Type: "Link"},
			func(w http.ResponseWriter, r *http.Request) {
				from := map[string]int{"": 0, "2": 2, "4": 4}[r.URL.Query().Get("from")]
				write(w, map[string]any{"data": page(from), "links": map[string]any{"next": map[int]any{0: "?from=2", 2: map[string]any{"href": "?from=4"}, 4: nil}[from]}})
			}, 3,
		},
		"by page with a full last one": {
			v1alpha1.Pagination{Type: "Page", Parameter: "page", Size: &one},
			func(w http.ResponseWriter, r *http.Request) {
				n := number(r, "page") - 1
				write(w, page(n)[:min(1, len(page(n)))])
			}, 6,
		},
		"no pages": {
			v1alpha1.Pagination{},
			func(w http.ResponseWriter, r *http.Request) {
				write(w, []any{page(0)[0], page(0)[1], page(2)[0], page(2)[1], page(4)[0]})
			}, 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requests := 0
			spec := plainSpec()
			if tt.pagination.Type != "" {
				spec.Pagination = &tt.pagination
			}
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				tt.handler(w, r)
			}), spec)
			r.mustPoll()
			if diff := cmp.Diff(cases(items...), r.ledger.IDs()); diff != "" || requests != tt.requests {
				t.Errorf("%d requests, %s", requests, diff)
			}
		})
	}
}

// plainSpec maps items of the form {"id": …}, of which all are received at one time.
func plainSpec() *v1alpha1.RESTSource {
	perMinute := int32(6000)
	return &v1alpha1.RESTSource{
		URL:     "http://127.0.0.1/items",
		Polling: &v1alpha1.Polling{RequestsPerMinute: &perMinute},
		Mapping: v1alpha1.EventMapping{
			Items:  `type(response) == list ? response : response.data`,
			CaseID: "item.id",
			Events: []v1alpha1.EventRule{{Kind: "Received", At: `timestamp("2026-11-02T00:00:00Z")`}},
		},
	}
}

// cases are the events' identifiers of plainSpec's items.
func cases(ids ...string) []string {
	var events []string
	for _, id := range ids {
		events = append(events, id+"/Received/2026-11-02T00:00:00Z")
	}
	return events
}

func write(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func TestAnswersThatAreNoSuccess(t *testing.T) {
	status := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"pesan":"nomor 081200000001"}`))
		}
	}
	body := func(kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(text))
		}
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		change  func(*v1alpha1.RESTSource)
		want    channel.Error
	}{
		"401": {handler: status(401), want: channel.Error{Reason: "Unauthorized", Message: "the source refused the credentials (401)"}},
		"403": {handler: status(403), want: channel.Error{Reason: "Unauthorized", Message: "the source refused the credentials (403)"}},
		"404": {handler: status(404), want: channel.Error{Reason: "NotFound", Message: "the source has nothing at this url (404)"}},
		"422": {handler: status(422), want: channel.Error{Reason: "InvalidResponse", Message: "the source refused the request (422); check its method, query, headers and body"}},
		"429 with a number": {handler: status(429, "Retry-After", "42"), want: channel.Error{Reason: "RateLimited", RetryAfter: 42 * time.Second,
			Message: "the source asks for fewer requests (429); lower polling.requestsPerMinute"}},
		"429 with a date": {handler: status(429, "Retry-After", "Mon, 02 Nov 2026 02:01:00 GMT"), want: channel.Error{Reason: "RateLimited", RetryAfter: time.Minute,
			Message: "the source asks for fewer requests (429); lower polling.requestsPerMinute"}},
		"503 with nonsense": {handler: status(503, "Retry-After", "soon"), want: channel.Error{Reason: "ServerError", Message: "the source failed (503)"}},
		"503 with a year":   {handler: status(503, "Retry-After", "31536000"), want: channel.Error{Reason: "ServerError", Message: "the source failed (503)", RetryAfter: time.Hour}},
		"504":               {handler: status(504), want: channel.Error{Reason: "Timeout", Message: "the source did not answer in time (504)"}},
		"304":               {handler: status(304), want: channel.Error{Reason: "InvalidResponse", Message: "the source answered with the status 304"}},
		"a web page": {handler: body("text/html; charset=utf-8", "<html>081200000001"), want: channel.Error{Reason: "InvalidResponse",
			Message: "the answer is not JSON at byte 1: it is a web page, perhaps of a login or an error; check url and auth"}},
		"half of a document": {handler: body("application/json", `{"data":[{"id":"081200000001"`), want: channel.Error{Reason: "InvalidResponse", Message: "the answer is not JSON: it ends too early"}},
		"nothing":            {handler: body("application/json", ""), want: channel.Error{Reason: "InvalidResponse", Message: "the answer is empty"}},
		"a failure with the status 200": {handler: body("application/json", `{"success":false,"pesan":"081200000001"}`), want: channel.Error{Reason: "InvalidResponse",
			Message: "mapping.items: line 1, column 24: the field does not exist in this input"}},
		"a redirect to another host": {handler: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.9.9.9/items", http.StatusFound)
		}, want: channel.Error{Reason: "InvalidResponse", Message: "HOST redirects to another host, which is not followed; set url to where it leads"}},
		"a redirect without end": {handler: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/items", http.StatusFound)
		}, want: channel.Error{Reason: "InvalidResponse", Message: "HOST redirects without end"}},
		"a link to another host": {
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Link", `<http://169.254.169.254/latest>; rel="next"`)
				write(w, []any{map[string]any{"id": "A"}})
			},
			change: func(s *v1alpha1.RESTSource) { s.Pagination = &v1alpha1.Pagination{Type: "Link"} },
			want:   channel.Error{Reason: "InvalidResponse", Message: "the link to the next page leads to another host, which is not followed"},
		},
		"pages in a circle": {
			handler: func(w http.ResponseWriter, r *http.Request) {
				write(w, map[string]any{"data": []any{map[string]any{"id": r.URL.Query().Get("c") + "x"}}, "next": map[string]string{"": "a", "a": "b", "b": "a"}[r.URL.Query().Get("c")]})
			},
			change: func(s *v1alpha1.RESTSource) {
				s.Pagination = &v1alpha1.Pagination{Type: "Cursor", Parameter: "c", Next: "response.next"}
			},
			want: channel.Error{Reason: "InvalidResponse", Message: "the pages go in a circle: the next one was read already; check pagination"},
		},
		"the same page whatever is asked for": {
			handler: func(w http.ResponseWriter, _ *http.Request) { write(w, []any{map[string]any{"id": "A"}}) },
			change:  func(s *v1alpha1.RESTSource) { s.Pagination = &v1alpha1.Pagination{Type: "Page", Parameter: "p"} },
			want:    channel.Error{Reason: "InvalidResponse", Message: "the source gives the same page again and again; check pagination.parameter, or set size so that the last page is known"},
		},
		"a next page that is not there": {
			handler: func(w http.ResponseWriter, _ *http.Request) { write(w, map[string]any{"data": []any{}}) },
			change: func(s *v1alpha1.RESTSource) {
				s.Pagination = &v1alpha1.Pagination{Type: "Cursor", Parameter: "c", Next: "response.meta.next"}
			},
			want: channel.Error{Reason: "InvalidResponse", Message: "pagination.next: line 1, column 14: the field does not exist in this input"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := plainSpec()
			if tt.change != nil {
				tt.change(spec)
			}
			r := newRig(t, tt.handler, spec)
			err := r.poll()
			var got *channel.Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			at, parseErr := url.Parse(r.server.URL)
			must(t, parseErr)
			want := tt.want
			if len(want.Message) > 4 && want.Message[:4] == "HOST" {
				want.Message = at.Host + want.Message[4:]
			}
			if diff := cmp.Diff(want, channel.Error{Reason: got.Reason, Message: got.Message, RetryAfter: got.RetryAfter}); diff != "" {
				t.Error(diff)
			}
			if !r.ledger.Through().IsZero() {
				t.Error("a poll that failed counts as complete")
			}
		})
	}
}

func TestSourceThatCannotBeReached(t *testing.T) {
	spec := plainSpec()
	r := newRig(t, http.NotFoundHandler(), spec)
	r.server.Close()
	if err := r.poll(); reasonOf(t, err) != ledgerapi.ReasonUnreachable {
		t.Errorf("got %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.source.Poll(cancelled, nil, r.ledger); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
