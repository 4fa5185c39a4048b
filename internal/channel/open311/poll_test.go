package open311

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	simulator "github.com/tanggap/tanggap/internal/simulator/open311"
)

// city is a source that reads a simulated server into a ledger of a few lines, on a simulated clock.
type city struct {
	t      *testing.T
	server *simulator.Server
	source channel.Poller

	cursor   json.RawMessage
	events   map[string]complaint.Event
	order    []string
	appends  int
	observed time.Time
	problems map[string]int
	// fail makes the next appends fail.
	fail int
}

// newCity makes a city whose specification change may change.
func newCity(t *testing.T, options simulator.Options, change func(*v1alpha1.Open311Source)) *city {
	t.Helper()
	if present := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC); time.Now().Year() == 2000 {
		wait(time.Until(present)) // a simulated clock begins long before anybody complained
	}
	options.Now = time.Now
	c := &city{t: t, server: simulator.New(options), events: map[string]complaint.Event{}, problems: map[string]int{}}
	spec := &v1alpha1.Open311Source{
		URL: "https://open311.example/v2",
		Polling: &v1alpha1.Polling{
			Interval: &metav1.Duration{Duration: time.Minute}, RequestsPerMinute: new(int32(6000)),
		},
	}
	if change != nil {
		change(spec)
	}
	c.reopen(spec, handlerTransport{c.server})
	return c
}

// reopen opens the source anew, as a new worker does.
func (c *city) reopen(spec *v1alpha1.Open311Source, transport http.RoundTripper) {
	c.t.Helper()
	source, err := Type{}.Open(channel.Settings{
		Channel: "open311",
		Spec:    v1alpha1.ChannelSource{Type: v1alpha1.SourceOpen311, Open311: spec},
		Credential: func(ref v1alpha1.SecretKeyReference) ([]byte, error) {
			if ref.Key == "missing" {
				return nil, &channel.Error{Reason: ledgerapi.ReasonCredentialMissing, Message: "missing"}
			}
			return []byte("key-" + ref.Key), nil
		},
		Transport: transport,
		Now:       time.Now, After: time.After, Random: func() float64 { return 0.5 },
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.source = source.(channel.Poller)
}

// handlerTransport answers requests by a handler, without a network.
type handlerTransport struct{ handler http.Handler }

func (h handlerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	h.handler.ServeHTTP(recorder, req)
	answer := recorder.Result()
	answer.Request = req
	return answer, nil
}

// Append implements channel.Sink.
func (c *city) Append(_ context.Context, batch channel.Batch) error {
	if c.fail > 0 {
		c.fail--
		return &channel.Error{Reason: ledgerapi.ReasonLedgerUnavailable, Message: "away"}
	}
	if len(batch.Cursor) > ledgerapi.MaxCursorBytes || len(batch.Events) > ledgerapi.MaxBatchEvents {
		c.t.Errorf("a batch of %d events and a cursor of %d bytes is too large", len(batch.Events), len(batch.Cursor))
	}
	c.appends += len(batch.Events)
	for _, e := range batch.Events {
		if _, again := c.events[e.ID]; again {
			continue
		}
		e.Channel = "open311"
		if err := e.Validate(); err != nil {
			c.t.Errorf("the event %s is not valid: %v", e.ID, err)
		}
		c.events[e.ID] = e
		c.order = append(c.order, e.ID)
	}
	if batch.Cursor != nil {
		c.cursor = batch.Cursor
	}
	if batch.ObservedThrough != nil {
		c.observed = *batch.ObservedThrough
	}
	return nil
}

// Problem implements channel.Sink.
func (c *city) Problem(_ ledgerapi.Reason, message string, items int) {
	c.problems[message] += items
}

// OpenCases implements channel.Sink.
func (c *city) OpenCases(context.Context) ([]string, error) {
	open := map[string]bool{}
	for _, id := range c.order {
		switch e := c.events[id]; {
		case e.Kind == complaint.KindReceived:
			open[e.CaseID] = true
		case e.To == complaint.StatusResolved:
			delete(open, e.CaseID)
		case e.To == complaint.StatusReopened:
			open[e.CaseID] = true
		}
	}
	ids := slices.Collect(maps.Keys(open))
	slices.SortFunc(ids, func(a, b string) int { return -compare(a, b) })
	return ids, nil
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// poll polls once and fails the test on an error.
func (c *city) poll() {
	c.t.Helper()
	if err := c.source.Poll(c.t.Context(), c.cursor, c); err != nil {
		c.t.Fatalf("Poll: %v", err)
	}
}

// settling is what the simulated requests of one poll take at most, by the limit of their rate.
const settling = time.Second

// wait lets time go by.
func wait(d time.Duration) { <-time.After(d) }

// kinds counts the events by what they are.
func (c *city) kinds() map[string]int {
	kinds := map[string]int{}
	for _, e := range c.events {
		if e.To != "" {
			kinds[string(e.To)]++
		} else {
			kinds[string(e.Kind)]++
		}
	}
	return kinds
}

func (c *city) wantKinds(want map[string]int) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.kinds()); diff != "" {
		c.t.Errorf("events (-want +got):\n%s", diff)
	}
}

// add adds n requests, one each apart.
func (c *city) add(n int, apart time.Duration) []string {
	ids := make([]string, n)
	start := time.Now().Add(-time.Duration(n) * apart)
	for i := range ids {
		ids[i] = c.server.AddRequest(simulator.Request{
			ServiceName: "Sampah", ServiceCode: "006", Description: "Sampah\nmenumpuk", RequestedAt: start.Add(time.Duration(i) * apart),
		})
	}
	return ids
}

func TestTheLifeOfARequest(t *testing.T) {
	for name, test := range map[string]struct {
		options simulator.Options
		format  string
	}{
		"in JSON":                          {},
		"in XML":                           {format: "XML"},
		"in the JSON of real servers":      {options: simulator.Options{Quirks: simulator.Quirks{Numbers: true, BareObject: true, Wrapped: true, RawControls: true}}},
		"with pages":                       {options: simulator.Options{PageSize: 20}},
		"on a server that is strict":       {options: simulator.Options{Strict: true, NotFound: true}},
		"on a server without update times": {options: simulator.Options{WithoutUpdated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCity(t, test.options, func(spec *v1alpha1.Open311Source) { spec.Format = test.format })
				c.poll()
				wait(time.Minute)
				id := c.add(1, time.Second)[0]
				c.add(30, time.Second)
				c.poll()
				c.wantKinds(map[string]int{"Received": 31})

				wait(time.Hour)
				c.server.Assign(id, "DLHK")
				c.server.Answer(id, "Petugas menuju lokasi")
				c.poll()
				c.wantKinds(map[string]int{"Received": 31, "Assigned": 1, "Answered": 1})

				wait(time.Hour)
				closed := time.Now()
				c.server.Close(id, "Selesai")
				wait(time.Minute)
				c.poll()
				c.wantKinds(map[string]int{"Received": 31, "Assigned": 1, "Answered": 1, "Resolved": 1})
				for _, e := range c.events {
					if want := closed.Truncate(time.Second); e.To == complaint.StatusResolved && !test.options.WithoutUpdated && !e.OccurredAt.Equal(want) {
						t.Errorf("resolved at %s, want %s", e.OccurredAt, want)
					}
				}

				wait(25 * time.Hour) // a closed request is looked at again once a day
				c.server.Reopen(id)
				wait(time.Minute)
				c.poll()
				c.wantKinds(map[string]int{"Received": 31, "Assigned": 1, "Answered": 1, "Resolved": 1, "Reopened": 1})

				wait(time.Hour)
				c.server.Close(id, "Selesai")
				c.poll()
				c.wantKinds(map[string]int{"Received": 31, "Assigned": 1, "Answered": 1, "Resolved": 2, "Reopened": 1})
				if lag := time.Since(c.observed); lag >= time.Second+settling {
					t.Errorf("observed through %s ago", lag)
				}
			})
		})
	}
}

func TestEveryRequestIsReadHoweverTheServerLimitsItsLists(t *testing.T) {
	for name, options := range map[string]simulator.Options{
		"the specification's limit":              {},
		"a lower limit nobody announced":         {MaxRows: 100},
		"pages of fifty":                         {PageSize: 50},
		"pages of an odd size":                   {PageSize: 37},
		"a limit and no unknown parameters":      {MaxRows: 100, Strict: true},
		"an error for a request that is missing": {NotFound: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCity(t, options, nil)
				want := c.add(2500, 15*time.Minute) // 26 days
				c.add(150, 0)                       // all at once
				if options.MaxRows == 100 {
					c.server.SetMaxRows(200) // a server that cannot list what was made in one second loses it
				}
				c.poll()
				if got := c.kinds()["Received"]; got != len(want)+150 {
					t.Errorf("received %d requests, want %d", got, len(want)+150)
				}
				if len(c.problems) > 0 {
					t.Errorf("problems: %v", c.problems)
				}
			})
		})
	}
}

func TestReadingAgainCostsTheLedgerNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, simulator.Options{}, nil)
		c.add(100, time.Second)
		c.poll()
		appended := c.appends
		wait(time.Minute)
		c.poll()
		if c.appends != appended {
			t.Errorf("%d events were given again", c.appends-appended)
		}
	})
}

// TestALedgerThatWasRestoredIsToldAgain what it has forgotten, by the worker that told it before.
func TestALedgerThatWasRestoredIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, simulator.Options{}, nil)
		c.add(2, time.Minute)
		c.poll()
		backup, kept := c.cursor, maps.Clone(c.events)
		wait(time.Hour)
		c.add(3, time.Minute)
		c.poll()
		c.wantKinds(map[string]int{"Received": 5})
		c.cursor, c.events = backup, kept
		wait(time.Minute)
		c.poll()
		c.wantKinds(map[string]int{"Received": 5})
	})
}

func TestMoreThanOnePollMayRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, simulator.Options{MaxRows: 100}, func(spec *v1alpha1.Open311Source) { spec.Polling.MaxPages = new(int32(5)) })
		c.add(2000, 15*time.Minute)
		polls, before := 0, ""
		for {
			polls++
			err := c.source.Poll(t.Context(), c.cursor, c)
			if err == nil {
				break
			}
			var e *channel.Error
			if !errors.As(err, &e) || e.Reason != ledgerapi.ReasonConnected {
				t.Fatalf("poll %d: %v, want that there is more", polls, err)
			}
			if string(c.cursor) == before || polls > 100 {
				t.Fatalf("poll %d did not get on", polls)
			}
			before = string(c.cursor)
			if !c.observed.IsZero() {
				t.Fatal("an unfinished reading moved the watermark")
			}
			wait(time.Minute)
		}
		if polls < 5 {
			t.Errorf("took %d polls, want several", polls)
		}
		c.wantKinds(map[string]int{"Received": 2000})
	})
}

func TestARoundOfOpenRequestsGoesOnInTheNextPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, simulator.Options{}, func(spec *v1alpha1.Open311Source) {
			spec.Polling.MaxPages = new(int32(3))
			spec.RecheckInterval = &metav1.Duration{Duration: time.Hour}
		})
		old := c.add(303, time.Hour) // 12 days: out of the window that is read again with a round
		c.poll()
		begun := c.observed
		wait(2 * time.Hour)
		for _, id := range old[:200] {
			c.server.Close(id, "Selesai")
		}
		started := time.Now()
		polls := 0
		for c.observed.Equal(begun) {
			if polls++; polls > 10 {
				t.Fatal("the round does not end")
			}
			if err := c.source.Poll(t.Context(), c.cursor, c); err != nil && asChannelError(t, err).Reason != ledgerapi.ReasonConnected {
				t.Fatal(err)
			}
			wait(time.Minute)
		}
		if polls < 2 {
			t.Errorf("the round took %d polls, want several", polls)
		}
		c.wantKinds(map[string]int{"Received": 303, "Resolved": 200})
		if !c.observed.Equal(started.Truncate(time.Second)) {
			t.Errorf("observed through %s, want the beginning of the round at %s", c.observed, started)
		}
	})
}

func asChannelError(t *testing.T, err error) *channel.Error {
	t.Helper()
	var e *channel.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *channel.Error", err)
	}
	return e
}

func TestOpenRequestsAreAskedForOnlyEveryRecheckInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, simulator.Options{}, nil)
		c.add(120, time.Hour)
		c.poll()
		c.server.Asked()
		asked := 0
		for range 30 {
			wait(time.Minute)
			c.poll()
			for _, query := range c.server.Asked() {
				if query.Has("service_request_id") {
					asked++
				}
			}
			if lag := time.Since(c.source.(channel.Observer).ObservedThrough()); lag >= 15*time.Minute {
				t.Fatalf("%s behind, want less than the recheck interval", lag)
			}
		}
		if asked != 4 { // two rounds of 120 requests less those of the last day, by fifties
			t.Errorf("asked for open requests %d times, want 4", asked)
		}
	})
}

func TestARequestThatBecomesVisibleLateIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, simulator.Options{}, nil)
		c.poll()
		wait(time.Hour)
		c.poll()
		c.server.AddRequest(simulator.Request{RequestedAt: time.Now().Add(-20 * time.Hour)})
		wait(15 * time.Minute)
		c.poll()
		c.wantKinds(map[string]int{"Received": 1})
		c.server.AddRequest(simulator.Request{RequestedAt: time.Now().Add(-20 * 24 * time.Hour)})
		wait(24 * time.Hour)
		c.poll()
		c.wantKinds(map[string]int{"Received": 2})
	})
}

func TestHiddenRequestsDoNotHoldTheOthersBack(t *testing.T) {
	for name, options := range map[string]simulator.Options{
		"left out":                 {},
		"an error for the request": {NotFound: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCity(t, options, nil)
				requests := c.add(120, 24*time.Hour/5)
				c.poll()
				c.server.Hide(requests[7])
				c.server.Hide(requests[70])
				for _, id := range requests {
					c.server.Close(id, "Selesai")
				}
				wait(16 * time.Minute)
				c.poll()
				c.wantKinds(map[string]int{"Received": 120, "Resolved": 118})
				if time.Since(c.observed) >= time.Second+settling {
					t.Error("a hidden request holds the watermark back")
				}
			})
		})
	}
}

func TestServersThatDoNotHeedTheirParameters(t *testing.T) {
	for name, test := range map[string]struct {
		options  simulator.Options
		problem  string
		observed bool
	}{
		"dates": {
			simulator.Options{IgnoreDates: true, MaxRows: 100},
			"the server does not heed start_date and end_date; only what it lists at once can be read", true},
		"identifiers": {
			simulator.Options{IgnoreIDs: true, MaxRows: 150},
			"the server does not heed service_request_id; what happens to older requests cannot be read", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCity(t, test.options, func(spec *v1alpha1.Open311Source) {
					spec.Polling.Lookback = &metav1.Duration{Duration: 4800 * time.Hour}
				})
				c.add(190, 24*time.Hour)
				c.poll()
				first := c.observed
				wait(20 * time.Minute)
				c.poll()
				if diff := cmp.Diff(test.observed, c.observed.After(first)); diff != "" {
					t.Errorf("watermark moved (-want +got):\n%s", diff)
				}
				if _, ok := c.problems[test.problem]; !ok {
					t.Errorf("problems: %v, want %q", c.problems, test.problem)
				}
				if got := len(c.server.Asked()); got > 60 {
					t.Errorf("%d requests were sent", got)
				}
			})
		})
	}
}

func TestNothingIsLostOrDoubledWhenTheLedgerOrTheServerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, simulator.Options{WithoutUpdated: true}, nil)
		requests := c.add(500, time.Minute)
		for round := range 40 {
			c.fail = round % 3
			if round%4 == 0 {
				c.server.Fail(1, http.StatusBadGateway, 0)
			}
			if err := c.source.Poll(t.Context(), c.cursor, c); err != nil && asChannelError(t, err).Reason == ledgerapi.ReasonInternal {
				t.Fatal(err)
			}
			if round%5 == 0 { // a new worker
				c.reopen(&v1alpha1.Open311Source{URL: "https://open311.example/v2", Polling: &v1alpha1.Polling{RequestsPerMinute: new(int32(6000))}}, handlerTransport{c.server})
			}
			if round >= 10 && round < 20 {
				c.server.Close(requests[round], "Selesai")
			}
			wait(16 * time.Minute)
		}
		c.wantKinds(map[string]int{"Received": 500, "Resolved": 10})
	})
}

func TestFailuresHaveAReason(t *testing.T) {
	for name, test := range map[string]struct {
		options simulator.Options
		status  int
		want    ledgerapi.Reason
		after   time.Duration
	}{
		"a wrong api_key":        {options: simulator.Options{APIKey: "another"}, want: ledgerapi.ReasonUnauthorized},
		"a server in trouble":    {status: http.StatusInternalServerError, want: ledgerapi.ReasonServerError},
		"too many requests":      {status: http.StatusTooManyRequests, want: ledgerapi.ReasonRateLimited, after: 90 * time.Second},
		"a wrong address":        {status: http.StatusNotFound, want: ledgerapi.ReasonNotFound},
		"a parameter it refuses": {status: http.StatusBadRequest, want: ledgerapi.ReasonInvalidResponse},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCity(t, test.options, nil)
				if test.status != 0 {
					c.server.Fail(10, test.status, test.after)
				}
				e := asChannelError(t, c.source.Poll(t.Context(), c.cursor, c))
				if e.Reason != test.want || e.RetryAfter != test.after {
					t.Errorf("got %v after %s, want %s after %s", e, e.RetryAfter, test.want, test.after)
				}
				if c.cursor != nil {
					t.Error("a failed poll moved the position")
				}
			})
		})
	}
}

func TestErrorsWithAStatusOfSuccess(t *testing.T) {
	for code, want := range map[string]ledgerapi.Reason{
		"401": ledgerapi.ReasonUnauthorized, "403": ledgerapi.ReasonUnauthorized, "404": ledgerapi.ReasonNotFound,
		"429": ledgerapi.ReasonRateLimited, "500": ledgerapi.ReasonServerError, "400": ledgerapi.ReasonInvalidResponse, "oops": ledgerapi.ReasonInvalidResponse,
	} {
		if got := errorOf(code).Reason; got != want {
			t.Errorf("the code %s is %s, want %s", code, got, want)
		}
	}
}

func TestTheSpecificationReachesTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ref := func(key string) *v1alpha1.SecretKeyReference {
			return &v1alpha1.SecretKeyReference{Name: "city", Key: key}
		}
		c := newCity(t, simulator.Options{APIKey: "key-api"}, func(spec *v1alpha1.Open311Source) {
			spec.JurisdictionID, spec.APIKeySecretRef = "depok.example", ref("api")
		})
		c.poll()
		now := time.Now().UTC()
		want := map[string][]string{
			"api_key": {"key-api"}, "jurisdiction_id": {"depok.example"}, "extensions": {"true"}, "page_size": {"1000"},
			"start_date": {now.Add(-720 * time.Hour).Format(time.RFC3339)}, "end_date": {now.Add(clockSkew).Format(time.RFC3339)},
		}
		if diff := cmp.Diff(want, map[string][]string(c.server.Asked()[0])); diff != "" {
			t.Errorf("query (-want +got):\n%s", diff)
		}
		for name, spec := range map[string]*v1alpha1.Open311Source{
			"a missing key of the api": {URL: "https://open311.example", APIKeySecretRef: ref("missing")},
			"a missing certificate":    {URL: "https://open311.example", CASecretRef: ref("missing")},
		} {
			_, err := Type{}.Open(channel.Settings{
				Spec: v1alpha1.ChannelSource{Open311: spec},
				Credential: func(v1alpha1.SecretKeyReference) ([]byte, error) {
					return nil, &channel.Error{Reason: ledgerapi.ReasonCredentialMissing}
				},
			})
			if got := asChannelError(t, err).Reason; got != ledgerapi.ReasonCredentialMissing {
				t.Errorf("%s: %s, want %s", name, got, ledgerapi.ReasonCredentialMissing)
			}
		}
	})
}

func TestOverARealConnection(t *testing.T) {
	c := newCity(t, simulator.Options{}, nil)
	server := httptest.NewServer(c.server)
	defer server.Close()
	c.reopen(&v1alpha1.Open311Source{URL: v1alpha1.HTTPURL(server.URL + "/v2/"), Polling: &v1alpha1.Polling{RequestsPerMinute: new(int32(6000))}}, &http.Transport{})
	c.add(5, time.Minute)
	c.poll()
	c.wantKinds(map[string]int{"Received": 5})
	if err := c.source.Close(); err != nil {
		t.Error(err)
	}
}

func TestAPositionThatMakesNoSenseBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, cursor := range []string{`"x"`, `{"through":7}`, `{"transitions":"!!!!!!!!9???"}`, `{}`} {
			c := newCity(t, simulator.Options{}, nil)
			c.add(3, time.Minute)
			c.cursor = json.RawMessage(cursor)
			c.poll()
			c.wantKinds(map[string]int{"Received": 3})
		}
	})
}

func TestRequestsWithoutATimeOffsetAreRefusedOnceAndShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, simulator.Options{Layout: "2006-01-02T15:04:05"}, nil)
		c.add(3, time.Minute)
		c.poll()
		wait(time.Minute)
		c.poll()
		want := map[string]int{"a service request's requested_datetime has no offset from UTC; set assumeTimeZone if the server's zone is known": 3}
		if diff := cmp.Diff(want, c.problems); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
		c.wantKinds(map[string]int{})
	})
}

// BenchmarkPoll reads a list of a thousand requests that are known.
func BenchmarkPoll(b *testing.B) {
	server := simulator.New(simulator.Options{Now: time.Now})
	for i := range 999 {
		server.AddRequest(simulator.Request{ID: fmt.Sprint(i), Description: "Sampah menumpuk", RequestedAt: time.Now().Add(-time.Minute)})
	}
	recorder := httptest.NewRecorder()
	server.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/requests.json", nil))
	body := recorder.Body.Bytes()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		a, err := parseJSON(body)
		if err != nil || len(a.requests) != 999 {
			b.Fatal(err, len(a.requests))
		}
	}
}
