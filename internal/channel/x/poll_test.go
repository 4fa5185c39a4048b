package x

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	simulator "github.com/tanggap/tanggap/internal/simulator/x"
)

const (
	account = "42"
	bureau  = "43"
	siti    = "5501"
	budi    = "5502"
)

// city is a source that reads a simulated X into a ledger of a few lines.
type city struct {
	*testing.T
	clock  *channeltest.Clock
	server *simulator.Server
	ledger *channeltest.Ledger
	spec   *v1alpha1.XSource
	source channel.Poller
}

func newCity(t *testing.T, options simulator.Options, change func(*v1alpha1.XSource)) *city {
	t.Helper()
	c := &city{T: t, clock: channeltest.NewClock(time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)), ledger: &channeltest.Ledger{}}
	options.Now, options.Token = c.clock.Now, "t0ken"
	c.server = simulator.New(options)
	c.spec = &v1alpha1.XSource{
		UserID: account, AgencyUserIDs: []v1alpha1.XUserID{bureau},
		BearerTokenSecretRef: v1alpha1.SecretKeyReference{Name: "x", Key: "token"},
		Polling:              &v1alpha1.Polling{RequestsPerMinute: new(int32(6000)), Overlap: &metav1.Duration{}},
	}
	if change != nil {
		change(c.spec)
	}
	c.open()
	return c
}

// open opens the source, as a new worker does.
func (c *city) open() {
	c.Helper()
	source, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceX, X: c.spec}, c.clock,
		channeltest.Direct{Handler: c.server}, map[string]string{
			"x/token": "t0ken", "x/wrong": "other",
			"x/consumerKey": writer.ConsumerKey, "x/consumerSecret": writer.ConsumerSecret, "x/accessToken": writer.AccessToken, "x/accessTokenSecret": writer.AccessTokenSecret,
		}))
	if err != nil {
		c.Fatal(err)
	}
	c.source = source.(channel.Poller)
}

func (c *city) poll() error {
	c.clock.Advance(time.Minute)
	return c.source.Poll(c.Context(), c.ledger.Cursor(), c.ledger.Named("deputy-mayor-x"))
}

func (c *city) mustPoll() {
	c.Helper()
	if err := c.poll(); err != nil {
		c.Fatal(err)
	}
}

// pollToTheEnd polls until everything has been read.
func (c *city) pollToTheEnd() {
	c.Helper()
	for err := c.poll(); err != nil; err = c.poll() {
		var e *channel.Error
		if !errors.As(err, &e) || e.Reason != ledgerapi.ReasonConnected {
			c.Fatal(err)
		}
	}
}

// mention is a post of a citizen that begins a conversation.
func (c *city) mention(author, text string) uint64 {
	c.clock.Advance(time.Second)
	return c.server.Add(simulator.Post{Author: author, Text: text, Mentions: []string{account}})
}

func (c *city) reply(author string, to uint64, text string) uint64 {
	c.clock.Advance(time.Second)
	return c.server.Add(simulator.Post{Author: author, Text: text, ReplyTo: to})
}

// said is the account of an event that tests compare: case, kind, actor.
func said(events []complaint.Event) []string {
	lines := make([]string, len(events))
	for i, e := range events {
		lines[i] = fmt.Sprintf("%s %s by %s: %s", e.CaseID, e.Kind, e.Actor, e.Text)
	}
	slices.Sort(lines)
	return lines
}

func (c *city) want(lines ...string) {
	c.Helper()
	slices.Sort(lines)
	if diff := cmp.Diff(lines, said(c.ledger.Events())); diff != "" {
		c.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAConversationIsACase(t *testing.T) {
	c := newCity(t, simulator.Options{}, nil)
	a := c.mention(siti, "banjir")
	b := c.mention(budi, "pohon tumbang")
	c.mustPoll()
	answer := c.reply(account, a, "petugas menuju lokasi")
	c.reply(siti, answer, "belum datang")
	c.reply(bureau, b, "sudah dipotong")
	c.reply(account, answer, "tiba pukul 8")
	c.server.Add(simulator.Post{Author: budi, Text: "RT", Retweet: a, Mentions: []string{account}})
	c.server.Add(simulator.Post{Author: account, Text: "bagus", Quote: a})
	began := c.clock.Now().Add(time.Minute)
	c.mustPoll()
	c.want(
		fmt.Sprintf("%d Received by citizen: banjir", a),
		fmt.Sprintf("%d Received by citizen: pohon tumbang", b),
		fmt.Sprintf("%d Answered by official: petugas menuju lokasi", a),
		fmt.Sprintf("%d Received by citizen: belum datang", a), // of a case that is open: one more message
		fmt.Sprintf("%d Answered by official: tiba pukul 8", a),
		fmt.Sprintf("%d Answered by official: sudah dipotong", b),
	)
	if got := c.ledger.Through(); !got.Equal(began.Truncate(time.Millisecond)) {
		t.Errorf("read through %s", got)
	}
}

func TestBelowAPostOfTheCityEveryCitizenHasACase(t *testing.T) {
	for name, early := range map[string]time.Duration{"a recent post": time.Hour, "a post from before the lookback": 2000 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, simulator.Options{}, nil)
			post := c.server.Add(simulator.Post{Author: account, Text: "pengumuman", At: c.clock.Now().Add(-early)})
			c.reply(account, post, "(2/2)")
			s := c.reply(siti, post, "lampu mati")
			b := c.reply(budi, post, "sampah menumpuk")
			c.mustPoll()
			answer := c.reply(account, s, "kami perbaiki")
			c.reply(bureau, b, "diangkut besok")
			c.reply(siti, answer, "terima kasih")
			c.open() // what is known of conversations outlives the worker
			c.mustPoll()
			c.want(
				fmt.Sprintf("%d/%s Received by citizen: lampu mati", post, siti),
				fmt.Sprintf("%d/%s Answered by official: kami perbaiki", post, siti),
				fmt.Sprintf("%d/%s Received by citizen: terima kasih", post, siti),
				fmt.Sprintf("%d/%s Received by citizen: sampah menumpuk", post, budi),
				fmt.Sprintf("%d/%s Answered by official: diangkut besok", post, budi),
			)
		})
	}
}

func TestEditsAreKeyedOnTheFirstID(t *testing.T) {
	c := newCity(t, simulator.Options{}, nil)
	seen := c.mention(siti, "banjir")
	unseen := c.mention(budi, "phon tumbang")
	c.mustPoll()
	late := c.mention(budi, "smpah")
	c.clock.Advance(time.Minute)
	edits := []uint64{c.server.Edit(seen, "banjir di Margonda"), c.server.Edit(late, "sampah")}
	c.mustPoll()
	var got []string
	for _, e := range c.ledger.Events() {
		got = append(got, fmt.Sprintf("%s %s of %s", e.Kind, e.ID, e.CaseID))
		if e.Kind == complaint.KindReceived && e.ID == fmt.Sprint(late) && !e.OccurredAt.Equal(id(late).time()) {
			t.Errorf("a post that was edited before it was read was made at %s", e.OccurredAt)
		}
	}
	slices.Sort(got)
	want := []string{
		fmt.Sprintf("Received %d of %d", seen, seen), fmt.Sprintf("Received %d of %d", unseen, unseen), fmt.Sprintf("Received %d of %d", late, late),
		fmt.Sprintf("Edited %d/edited/%d of %d", seen, edits[0], seen), fmt.Sprintf("Edited %d/edited/%d of %d", late, edits[1], late),
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestCutOffAnywhereNothingIsLost fails each request and each append in turn; what is read in the end is
// the same as without failures.
func TestCutOffAnywhereNothingIsLost(t *testing.T) {
	fill := func(c *city) []string {
		var want []string
		for i := range 23 {
			n := c.mention(siti, fmt.Sprint("keluhan ", i))
			c.reply(account, n, fmt.Sprint("jawaban ", i))
			want = append(want, fmt.Sprintf("%d Received by citizen: keluhan %d", n, i), fmt.Sprintf("%d Answered by official: jawaban %d", n, i))
		}
		return want
	}
	for moment := range 12 {
		for name, status := range map[string]int{"X fails": 503, "X is not to be asked": 429, "the ledger is away": 0, "the ledger's answer is lost": -1} {
			t.Run(fmt.Sprint(name, " at ", moment), func(t *testing.T) {
				c := newCity(t, simulator.Options{PageSize: 5}, nil)
				want := fill(c)
				if status > 0 {
					c.server.Fail(append(make([]int, moment), status)...)
				}
				c.ledger.Fault = func(n int) (before, after error) {
					switch {
					case n == moment+1 && status == 0:
						return channeltest.Away(), nil
					case n == moment+1 && status < 0:
						return nil, channeltest.Away()
					}
					return nil, nil
				}
				failures := 0
				for err := c.poll(); err != nil; err = c.poll() {
					if failures++; failures > 3 {
						t.Fatal(err)
					}
					n := c.mention(budi, fmt.Sprint("sementara ", failures)) // newer than what is being read
					want = append(want, fmt.Sprintf("%d Received by citizen: sementara %d", n, failures))
					c.clock.Advance(16 * time.Minute)
					c.open()
				}
				c.mustPoll()
				c.want(want...)
				if got := c.ledger.Problems(); len(got) > 0 {
					t.Errorf("problems: %v", got)
				}
			})
		}
	}
}

func TestAPollMayBeBounded(t *testing.T) {
	c := newCity(t, simulator.Options{PageSize: 2}, func(spec *v1alpha1.XSource) { spec.Polling.MaxPages = new(int32(2)) })
	var want []string
	for i := range 9 {
		n := c.mention(siti, fmt.Sprint(i))
		want = append(want, fmt.Sprintf("%d Received by citizen: %d", n, i))
	}
	through := time.Time{}
	polls := 1
	for ; ; polls++ {
		err := c.poll()
		if err == nil {
			break
		}
		var e *channel.Error
		if !errors.As(err, &e) || e.Reason != ledgerapi.ReasonConnected || polls > 20 {
			t.Fatal(err)
		}
		if through.IsZero() {
			through = c.clock.Now().Truncate(time.Millisecond)
		}
	}
	c.want(want...)
	if got := c.ledger.Through(); polls < 3 || got.After(through) {
		t.Errorf("read through %s after %d polls, the first of which began at %s", got, polls, through)
	}
}

func TestTheHorizonIsVisible(t *testing.T) {
	for name, test := range map[string]struct {
		overlap time.Duration
		missed  int
		deleted int
		want    map[ledgerapi.Reason]int
	}{
		"more mentions than X shows":                 {0, 801, 0, map[ledgerapi.Reason]int{ledgerapi.ReasonHistoryLost: 1}},
		"some of which X no longer shows":            {10 * time.Minute, 900, 40, map[ledgerapi.Reason]int{ledgerapi.ReasonHistoryLost: 1}},
		"many, but the last one known is among them": {10 * time.Minute, 790, 0, nil},
		"few, the last one known of which is gone":   {10 * time.Minute, 20, 0, nil},
		"as many as can be, and nothing to tell by":  {0, 800, 0, map[ledgerapi.Reason]int{ledgerapi.ReasonHistoryLost: 1}},
		"a quiet time": {10 * time.Minute, 0, 0, nil},
		"many, of which pages are read in several polls": {10 * time.Minute, 750, 10, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, simulator.Options{}, func(spec *v1alpha1.XSource) {
				spec.Polling.Overlap.Duration, spec.Polling.MaxPages = test.overlap, new(int32(3))
			})
			last := c.mention(siti, "sebelum")
			c.mustPoll()
			if name == "few, the last one known of which is gone" {
				c.server.Delete(last)
			}
			var missed []uint64
			for range test.missed {
				missed = append(missed, c.mention(siti, "x"))
			}
			for i := range test.deleted {
				c.server.Delete(missed[len(missed)-1-i])
			}
			c.pollToTheEnd()
			if diff := cmp.Diff(test.want, c.ledger.Problems()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			c.pollToTheEnd() // it is told once
			if diff := cmp.Diff(test.want, c.ledger.Problems()); diff != "" {
				t.Errorf("problems of the next poll (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQuotasAreObeyed(t *testing.T) {
	c := newCity(t, simulator.Options{Requests: 3}, nil)
	for range 3 {
		c.mustPoll()
	}
	asked := len(c.server.Asked())
	err := c.poll()
	var e *channel.Error
	if !errors.As(err, &e) || e.Reason != ledgerapi.ReasonRateLimited || e.RetryAfter < 10*time.Minute || e.RetryAfter > 15*time.Minute {
		t.Fatalf("got %v", err)
	}
	if got := len(c.server.Asked()); got != asked {
		t.Errorf("%d requests were sent that X had said it would not take", got-asked)
	}
	c.clock.Advance(e.RetryAfter)
	c.mention(siti, "banjir")
	c.mustPoll()
	if got := len(c.ledger.Events()); got != 1 {
		t.Errorf("%d events after the wait, want 1", got)
	}
}

func TestAnswersOf429SayWhenToComeBack(t *testing.T) {
	now := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		header http.Header
		want   time.Duration
	}{
		"a reset in five minutes": {http.Header{"X-Rate-Limit-Reset": {fmt.Sprint(now.Add(5 * time.Minute).Unix())}}, 5 * time.Minute},
		"a reset in a year":       {http.Header{"X-Rate-Limit-Reset": {fmt.Sprint(now.AddDate(1, 0, 0).Unix())}}, time.Hour},
		"a reset in the past":     {http.Header{"X-Rate-Limit-Reset": {"1"}}, 0},
		"nonsense":                {http.Header{"X-Rate-Limit-Reset": {"soon"}}, 0},
		"Retry-After":             {http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		"nothing":                 {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCity(t, simulator.Options{}, nil)
			limited := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), test.header)
				w.WriteHeader(http.StatusTooManyRequests)
			})
			clock := channeltest.NewClock(now)
			source, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{X: c.spec}, clock, channeltest.Direct{Handler: limited}, map[string]string{"x/token": "t"}))
			if err != nil {
				t.Fatal(err)
			}
			err = source.(channel.Poller).Poll(t.Context(), nil, c.ledger)
			var e *channel.Error
			if !errors.As(err, &e) || e.Reason != ledgerapi.ReasonRateLimited || e.RetryAfter != test.want {
				t.Errorf("got %v after %s, want %s", err, e.RetryAfter, test.want)
			}
		})
	}
}

func TestFailuresAreSentencesWithoutContent(t *testing.T) {
	for status, want := range map[int]struct {
		reason ledgerapi.Reason
		says   string
	}{
		401: {ledgerapi.ReasonUnauthorized, "bearer token"},
		402: {ledgerapi.ReasonUnauthorized, "no credits left"},
		403: {ledgerapi.ReasonUnauthorized, "project"},
		404: {ledgerapi.ReasonNotFound, "nothing at this url"},
		400: {ledgerapi.ReasonInvalidResponse, "refused the request"},
		503: {ledgerapi.ReasonServerError, "503"},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			c := newCity(t, simulator.Options{}, nil)
			c.server.Fail(status)
			err := c.poll()
			var e *channel.Error
			if !errors.As(err, &e) || e.Reason != want.reason || !strings.Contains(e.Message, want.says) {
				t.Fatalf("got %v, want %s and %q", err, want.reason, want.says)
			}
			for _, secret := range []string{"banjir", "t0ken"} {
				if strings.Contains(fmt.Sprintf("%+v %v", e, e.Err), secret) {
					t.Errorf("%q is in the error %v", secret, e)
				}
			}
		})
	}
	c := newCity(t, simulator.Options{}, func(spec *v1alpha1.XSource) { spec.BearerTokenSecretRef.Key = "wrong" })
	if err := c.poll(); err == nil || !strings.HasPrefix(err.Error(), "Unauthorized") {
		t.Errorf("with a wrong token: %v", err)
	}
}

func TestTheFirstPollReadsTheLookback(t *testing.T) {
	c := newCity(t, simulator.Options{}, func(spec *v1alpha1.XSource) { spec.Polling.Lookback = &metav1.Duration{Duration: 48 * time.Hour} })
	c.server.Add(simulator.Post{Author: siti, Text: "lama", Mentions: []string{account}, At: c.clock.Now().Add(-72 * time.Hour)})
	recent := c.server.Add(simulator.Post{Author: siti, Text: "baru", Mentions: []string{account}, At: c.clock.Now().Add(-24 * time.Hour)})
	c.mustPoll()
	c.want(fmt.Sprintf("%d Received by citizen: baru", recent))
}

func TestTheOverlapReadsWhatBecameVisibleLate(t *testing.T) {
	c := newCity(t, simulator.Options{}, func(spec *v1alpha1.XSource) { spec.Polling.Overlap.Duration = 10 * time.Minute })
	first := c.mention(siti, "satu")
	c.mustPoll()
	late := c.server.Add(simulator.Post{Author: budi, Text: "terlambat", Mentions: []string{account}, At: id(first).time().Add(-time.Minute)})
	c.mustPoll()
	c.want(fmt.Sprintf("%d Received by citizen: satu", first), fmt.Sprintf("%d Received by citizen: terlambat", late))
}

func TestACursorThatIsOfNoUseBeginsAgain(t *testing.T) {
	c := newCity(t, simulator.Options{}, nil)
	c.mention(siti, "banjir")
	c.mustPoll()
	for name, saved := range map[string]string{
		"nonsense": `"x"`, "another account": `{"account":"7","posts":{"since":9000000000000000000},"mentions":{"since":9000000000000000000}}`, "an empty one": `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			ledger := &channeltest.Ledger{}
			if err := c.source.Poll(t.Context(), json.RawMessage(saved), ledger.Named("deputy-mayor-x")); err != nil || len(ledger.Events()) != 1 {
				t.Errorf("%v, %d events", err, len(ledger.Events()))
			}
		})
	}
}

func TestTheCursorStaysWithinItsBounds(t *testing.T) {
	c := newCity(t, simulator.Options{}, nil)
	for i := range maxThreads + 300 {
		c.server.Add(simulator.Post{Author: account, Text: "pengumuman", At: c.clock.Now().Add(-time.Duration(i) * time.Minute)})
	}
	c.mustPoll()
	if got := len(c.ledger.Cursor()); got > ledgerapi.MaxCursorBytes {
		t.Errorf("the cursor has %d bytes", got)
	}
}

func TestPagesInACircleEnd(t *testing.T) {
	c := newCity(t, simulator.Options{}, nil)
	circle := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"meta":{"result_count":0,"next_token":"again"}}`)
	})
	source, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{X: c.spec}, c.clock, channeltest.Direct{Handler: circle}, map[string]string{"x/token": "t"}))
	if err != nil {
		t.Fatal(err)
	}
	err = source.(channel.Poller).Poll(context.Background(), nil, c.ledger)
	if err == nil || !strings.Contains(err.Error(), "in a circle") {
		t.Errorf("got %v", err)
	}
}

func TestASpecificationThatCannotBeOpened(t *testing.T) {
	for name, test := range map[string]struct {
		spec *v1alpha1.XSource
		want string
	}{
		"none":               {nil, "x: must be set"},
		"a name for an id":   {&v1alpha1.XSource{UserID: "pemkotdepok"}, "x.userID: must be the account's numeric id"},
		"a relative url":     {&v1alpha1.XSource{UserID: "42", URL: "/2"}, "x.url: must be an absolute URL"},
		"no such credential": {&v1alpha1.XSource{UserID: "42", BearerTokenSecretRef: v1alpha1.SecretKeyReference{Name: "x", Key: "no"}}, "CredentialMissing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{X: test.spec}, channeltest.NewClock(time.Now()), nil, nil))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
