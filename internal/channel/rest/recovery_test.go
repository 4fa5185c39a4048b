package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/portal"
)

// city is a portal with as many tickets, one a minute before monday, and its own clock.
func city(t testing.TB, tickets int, options portal.Options) (*portal.Portal, *channeltest.Clock) {
	t.Helper()
	clock := channeltest.NewClock(monday.Add(-time.Duration(tickets) * time.Minute))
	options.Username, options.Password, options.Now = "tanggap", "rahasia", clock.Now
	p := portal.New(options)
	for range tickets {
		p.AddTicket(portal.Report{Title: "Sampah", Text: "Belum diangkut", Category: "Sampah", Phone: "+62 000 0000 0001"})
		clock.Advance(time.Minute)
	}
	return p, clock
}

func TestLedgerThatIsAwayKeepsTheCursor(t *testing.T) {
	p, _ := city(t, 8, portal.Options{})
	r := newRig(t, p, load(t, "testdata/portal.yaml"))
	r.ledger.Fault = func(n int) (before, after error) {
		if n >= 2 {
			return channeltest.Away(), nil
		}
		return nil, nil
	}
	for range 2 {
		if err := r.poll(); reasonOf(t, err) != ledgerapi.ReasonLedgerUnavailable {
			t.Fatalf("got %v", err)
		}
		if got := len(r.ledger.IDs()); got != 3 || !r.ledger.Through().IsZero() {
			t.Fatalf("%d events, read through %s", got, r.ledger.Through())
		}
		r.open()
	}
	r.ledger.Fault = nil
	r.clock.Advance(time.Hour)
	requests := p.Requests()
	r.mustPoll()
	if got := len(r.ledger.IDs()); got != 8 {
		t.Errorf("%d events of 8", got)
	}
	if got := p.Requests() - requests; got != 2 {
		t.Errorf("%d requests to read the two pages that were left", got)
	}
	// What happened while the ledger was away has not been looked for yet.
	if !r.ledger.Through().Equal(monday) {
		t.Errorf("read through %s, want the start of the poll that began", r.ledger.Through())
	}
}

func TestSourceThatFailsInTheMiddleIsReadOn(t *testing.T) {
	p, _ := city(t, 9, portal.Options{})
	r := newRig(t, p, load(t, "testdata/portal.yaml"))
	for _, status := range []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway} {
		for range 2 {
			p.Fail(1, status, 30*time.Second)
			err := r.poll()
			var failure *channel.Error
			if !errors.As(err, &failure) || failure.RetryAfter != 30*time.Second {
				t.Fatalf("got %v", err)
			}
		}
	}
	r.mustPoll()
	if got := len(r.ledger.IDs()); got != 9 {
		t.Errorf("%d events of 9", got)
	}
}

func TestMaxPagesLeavesTheRestToTheNextPoll(t *testing.T) {
	p, _ := city(t, 8, portal.Options{})
	spec := load(t, "testdata/portal.yaml")
	one := int32(1)
	spec.Polling.MaxPages = &one
	r := newRig(t, p, spec)
	for _, want := range []int{3, 6} {
		if err := r.poll(); reasonOf(t, err) != ledgerapi.ReasonConnected {
			t.Fatalf("got %v", err)
		}
		if got := len(r.ledger.IDs()); got != want || !r.ledger.Through().IsZero() {
			t.Fatalf("%d events, read through %s", got, r.ledger.Through())
		}
		r.clock.Advance(time.Minute)
	}
	r.mustPoll()
	if got := len(r.ledger.IDs()); got != 8 || !r.ledger.Through().Equal(monday) {
		t.Errorf("%d events, read through %s", got, r.ledger.Through())
	}
	// The worker asks the source, which must not claim what the last poll alone would.
	if got := r.source.(channel.Observer).ObservedThrough(); !got.Equal(monday) {
		t.Errorf("claims to have read through %s", got)
	}
}

func TestCursorOfAnotherSpecificationReadsTheLookbackAgain(t *testing.T) {
	p, _ := city(t, 3, portal.Options{})
	spec := load(t, "testdata/portal.yaml")
	spec.Mapping.Events = spec.Mapping.Events[1:] // somebody forgot the first rule
	r := newRig(t, p, spec)
	r.mustPoll()
	r.clock.Advance(24 * time.Hour)
	r.mustPoll()
	if got := r.ledger.IDs(); len(got) != 0 {
		t.Fatalf("got %v", got)
	}
	whole := load(t, "testdata/portal.yaml")
	r.spec.Mapping = whole.Mapping
	r.open()
	r.mustPoll()
	if got := len(r.ledger.IDs()); got != 3 {
		t.Errorf("%d events of 3", got)
	}
}

func TestCursorThatCannotBeReadBeginsAgain(t *testing.T) {
	p, _ := city(t, 3, portal.Options{})
	r := newRig(t, p, load(t, "testdata/portal.yaml"))
	must(t, r.source.Poll(t.Context(), json.RawMessage(`"?"`), r.ledger))
	if got := len(r.ledger.IDs()); got != 3 {
		t.Errorf("%d events of 3", got)
	}
}

// TestPositionThatTheSourceForgot: cursors expire, and then the window is read from its beginning, whatever the
// source says to them.
func TestPositionThatTheSourceForgot(t *testing.T) {
	for _, forgotten := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusGone, http.StatusInternalServerError} {
		t.Run(http.StatusText(forgotten), func(t *testing.T) {
			spec := plainSpec()
			spec.Pagination = &v1alpha1.Pagination{Type: "Cursor", Parameter: "c", Next: "response.next"}
			life, fail := "x", false
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch c := r.URL.Query().Get("c"); {
				case c == "":
					write(w, map[string]any{"data": []any{map[string]any{"id": "A"}}, "next": life})
				case fail:
					w.WriteHeader(http.StatusBadGateway)
				case c != life:
					w.WriteHeader(forgotten)
				default:
					write(w, map[string]any{"data": []any{map[string]any{"id": "B"}}, "next": ""})
				}
			}), spec)
			fail = true
			if err := r.poll(); reasonOf(t, err) != ledgerapi.ReasonServerError {
				t.Fatalf("got %v", err)
			}
			life, fail = "y", false
			r.mustPoll()
			if diff := cmp.Diff(cases("A", "B"), r.ledger.IDs()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAnOutageKeepsThePosition: a source that refuses the first page as well has not forgotten the other one.
func TestAnOutageKeepsThePosition(t *testing.T) {
	spec := plainSpec()
	spec.Pagination = &v1alpha1.Pagination{Type: "Cursor", Parameter: "c", Next: "response.next"}
	first, last := true, false
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch c := r.URL.Query().Get("c"); {
		case c == "" && first:
			write(w, map[string]any{"data": []any{map[string]any{"id": "A"}}, "next": "x"})
		case c == "x" && last:
			write(w, map[string]any{"data": []any{map[string]any{"id": "B"}}, "next": ""})
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}), spec)
	for range 3 {
		if err := r.poll(); reasonOf(t, err) != ledgerapi.ReasonServerError {
			t.Fatalf("got %v", err)
		}
		first = false
	}
	last = true
	r.mustPoll()
	if diff := cmp.Diff(cases("A", "B"), r.ledger.IDs()); diff != "" {
		t.Error(diff)
	}
}

func TestTimesFromTheFutureDoNotHideWhatComesNext(t *testing.T) {
	p, clock := city(t, 1, portal.Options{})
	clock.Advance(1000 * time.Hour)
	number := p.AddTicket(portal.Report{Title: "a", Text: "b"})
	clock.Advance(-1000 * time.Hour)
	r := newRig(t, p, load(t, "testdata/portal.yaml"))
	r.mustPoll()
	clock.Advance(5 * time.Minute)
	r.clock.Advance(5 * time.Minute)
	must(t, p.Answer(p.Numbers()[0], "DLHK", "Sudah"))
	r.mustPoll()
	want := []string{p.Numbers()[0] + "/Answered/1", p.Numbers()[0] + "/Received/2026-11-02T01:59:00Z", number + "/Received/2026-12-13T18:00:00Z"}
	if diff := cmp.Diff(want, r.ledger.IDs()); diff != "" {
		t.Error(diff)
	}
}

// TestCursorNeverSkips: whatever the order and the size of pages, wherever the worker, the source or
// the ledger fail, and whatever happens in the city meanwhile, in the end the ledger has just what a
// clean read gives.
func TestCursorNeverSkips(t *testing.T) {
	kind := newType(t)
	rapid.Check(t, func(rt *rapid.T) {
		stable := rapid.Bool().Draw(rt, "in the order of arrival")
		newest := !stable && rapid.Bool().Draw(rt, "newest first")
		p, clock := city(t, rapid.IntRange(0, 12).Draw(rt, "tickets"), portal.Options{NewestFirst: newest, ByUpdate: !stable && !newest})
		spec := load(t, "testdata/portal.yaml")
		size := int32(rapid.IntRange(1, 5).Draw(rt, "size"))
		spec.Pagination.Size = &size
		spec.Polling.Overlap = &metav1.Duration{Duration: time.Duration(rapid.IntRange(0, 10).Draw(rt, "overlap")) * time.Minute}
		if rapid.Bool().Draw(rt, "limited") {
			pages := int32(rapid.IntRange(1, 3).Draw(rt, "maxPages"))
			spec.Polling.MaxPages = &pages
		}
		r := &rig{t: t, kind: kind, clock: channeltest.NewClock(monday), ledger: &channeltest.Ledger{}, spec: spec, transport: channeltest.Direct{Handler: p}}
		r.open()

		faults := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 20).Draw(rt, "faults")
		r.ledger.Fault = func(n int) (before, after error) {
			if n > len(faults) {
				return nil, nil
			}
			switch faults[n-1] {
			case 0, 1: // killed before the ledger had it
				return channeltest.Away(), nil
			case 2, 3: // killed before the ledger's answer came
				return nil, channeltest.Away()
			case 4:
				p.Fail(1, http.StatusServiceUnavailable, 0)
			}
			return nil, nil
		}
		// By numbers of pages in the order of the last change, one reshuffle is noticed and made good; more
		// in one and the same window are not, which the documentation says.
		changes := rapid.IntRange(0, 6).Draw(rt, "changes")
		if !stable && !newest {
			changes = min(changes, 1)
		}
		// The poll that is complete first may have begun before the last change; the second has not.
		for i, complete := 0, 0; complete < 2; i++ {
			if i > 1000 {
				rt.Fatal("no poll is ever complete")
			}
			if err := r.poll(); err == nil && r.ledger.Appends() >= len(faults) && changes == 0 {
				complete++
			}
			clock.Advance(time.Minute)
			r.clock.Advance(time.Minute)
			if changes > 0 {
				changes--
				happen(rt, p, i)
			}
			r.open()
		}
		clean := &channeltest.Ledger{}
		r.spec.Polling.MaxPages = nil
		r.open()
		must(t, r.source.Poll(t.Context(), nil, clean))
		if diff := cmp.Diff(clean.IDs(), r.ledger.IDs()); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// happen makes something happen in the city.
func happen(t *rapid.T, p *portal.Portal, i int) {
	numbers := p.Numbers()
	if len(numbers) == 0 || rapid.Bool().Draw(t, "a new report") {
		p.AddTicket(portal.Report{Title: "Macet", Text: fmt.Sprint(i)})
		return
	}
	if err := p.Answer(rapid.SampledFrom(numbers).Draw(t, "ticket"), "Dishub", fmt.Sprint(i)); err != nil {
		t.Fatal(err)
	}
}
