package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// fate is what happens to a request to the fake ledger.
type fate int

const (
	carriedOut fate = iota
	// unavailable is refused with 503, and nothing is stored.
	unavailable
	// brokenBefore loses the connection before anything is stored, brokenAfter with the answer.
	brokenBefore
	brokenAfter
	// unknownChannel is 404, as long as the operator has not put the policy.
	unknownChannel
)

// fakeLedger keeps the promises of the ledger's API in memory.
type fakeLedger struct {
	// fate decides about the n-th request (from 0); nil carries out all.
	fate func(n int, operation string) fate
	// refuse gives the message with which an event is refused; nil refuses none.
	refuse func(*complaint.Event) string
	// malformed makes appends with such an event fail as a whole with 400; nil is none.
	malformed func(*complaint.Event) bool
	// gate, if not nil, lets an append through per token.
	gate chan struct{}
	// atGate are the appends that wait there.
	atGate atomic.Int32

	mu         sync.Mutex
	requests   int
	appends    [][]string // identifiers of the events of each append that was carried out
	returned   []string   // events of replies that came back
	events     map[string]map[string]complaint.Event
	cursors    map[string]json.RawMessage
	generation map[string]int64
	observed   map[string]time.Time
	reports    map[string][]ledgerapi.Report
	open       map[string][]string
	doubled    int
	// outbox is what waits to be sent, outcomes what became of it.
	outbox   []ledgerapi.OutgoingReply
	outcomes map[string][]ledgerapi.ReplyResult
}

func newFakeLedger() *fakeLedger {
	return &fakeLedger{
		events: map[string]map[string]complaint.Event{}, cursors: map[string]json.RawMessage{}, generation: map[string]int64{},
		observed: map[string]time.Time{}, reports: map[string][]ledgerapi.Report{}, open: map[string][]string{},
	}
}

// setFate changes what happens to requests from now on.
func (l *fakeLedger) setFate(decide func(n int, operation string) fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fate = decide
}

func (l *fakeLedger) decide(operation string) error {
	l.mu.Lock()
	n := l.requests
	l.requests++
	decide := l.fate
	l.mu.Unlock()
	if decide == nil {
		return nil
	}
	switch decide(n, operation) {
	case unavailable:
		return &client.Error{Status: http.StatusServiceUnavailable, Message: "not now", RetryAfter: time.Second}
	case unknownChannel:
		return &client.Error{Status: http.StatusNotFound, Message: "no such channel"}
	case brokenBefore:
		return errBrokenBefore
	case brokenAfter:
		return errBrokenAfter
	default:
		return nil
	}
}

var (
	errBrokenBefore = &client.Error{Status: http.StatusBadGateway, Message: "broken before"}
	errBrokenAfter  = &client.Error{Status: http.StatusBadGateway, Message: "broken after"}
)

// Append implements Ledger.
func (l *fakeLedger) Append(ctx context.Context, channelName string, request ledgerapi.AppendRequest) (ledgerapi.AppendResponse, error) {
	if l.gate != nil {
		l.atGate.Add(1)
		defer l.atGate.Add(-1)
		select {
		case <-l.gate:
		case <-ctx.Done():
			return ledgerapi.AppendResponse{}, &client.Error{Status: http.StatusGatewayTimeout, Message: "timed out"}
		}
	}
	err := l.decide("append")
	if err != nil && !errors.Is(err, errBrokenAfter) {
		return ledgerapi.AppendResponse{}, err
	}
	response, refusal := l.store(channelName, request)
	return response, errors.Join(refusal, err)
}

func (l *fakeLedger) store(channelName string, request ledgerapi.AppendRequest) (ledgerapi.AppendResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var response ledgerapi.AppendResponse
	if request.Cursor != nil && request.PreviousGeneration != l.generation[channelName] {
		return response, &client.Error{Status: http.StatusConflict, Message: "the position has moved"}
	}
	known := l.events[channelName]
	if known == nil {
		known = map[string]complaint.Event{}
		l.events[channelName] = known
	}
	for i := range request.Returned {
		l.returned = append(l.returned, request.Returned[i].Event)
	}
	var ids []string
	for i := range request.Events {
		event := &request.Events[i]
		if l.malformed != nil && l.malformed(event) {
			return ledgerapi.AppendResponse{}, &client.Error{Status: http.StatusBadRequest, Message: "malformed"}
		}
		ids = append(ids, event.ID)
		if err := event.Validate(); err != nil || event.Channel != channelName {
			response.Rejected = append(response.Rejected, ledgerapi.Rejection{Index: i, Message: fmt.Sprint(err)})
			continue
		}
		if l.refuse != nil {
			if message := l.refuse(event); message != "" {
				response.Rejected = append(response.Rejected, ledgerapi.Rejection{Index: i, Message: message})
				continue
			}
		}
		if _, again := known[event.ID]; again {
			response.Duplicate++
			l.doubled++
			continue
		}
		known[event.ID] = *event
		response.Accepted++
	}
	l.appends = append(l.appends, ids)
	if request.Cursor != nil {
		l.cursors[channelName] = slices.Clone(request.Cursor)
		l.generation[channelName]++
	}
	if request.ObservedThrough != nil && request.ObservedThrough.After(l.observed[channelName]) {
		l.observed[channelName] = *request.ObservedThrough
	}
	response.CursorGeneration = l.generation[channelName]
	return response, nil
}

// Report implements Ledger.
func (l *fakeLedger) Report(_ context.Context, channelName string, report ledgerapi.Report) error {
	if err := l.decide("report"); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports[channelName] = append(l.reports[channelName], report)
	return nil
}

// Channel implements Ledger.
func (l *fakeLedger) Channel(_ context.Context, channelName string) (ledgerapi.ChannelState, error) {
	if err := l.decide("channel"); err != nil {
		return ledgerapi.ChannelState{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	state := ledgerapi.ChannelState{Cursor: l.cursors[channelName], CursorGeneration: l.generation[channelName]}
	if at, ok := l.observed[channelName]; ok {
		state.ObservedThrough = &at
	}
	return state, nil
}

// Cases implements Ledger; a page has two cases.
func (l *fakeLedger) Cases(_ context.Context, query client.CasesQuery) (ledgerapi.CaseList, error) {
	if err := l.decide("cases"); err != nil {
		return ledgerapi.CaseList{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var list ledgerapi.CaseList
	for _, id := range l.open[query.Channel] {
		if query.State != "open" || id <= query.After {
			continue
		}
		if len(list.Cases) == 2 {
			list.Next = list.Cases[1].CaseID
			return list, nil
		}
		list.Cases = append(list.Cases, ledgerapi.Case{CaseKey: complaint.CaseKey{Channel: query.Channel, CaseID: id}})
	}
	return list, nil
}

// Outbox implements Ledger. It has nobody wait for long.
func (l *fakeLedger) Outbox(ctx context.Context, _ string, _ time.Duration) (ledgerapi.Outbox, error) {
	if err := l.decide("outbox"); err != nil {
		return ledgerapi.Outbox{}, err
	}
	l.mu.Lock()
	box := ledgerapi.Outbox{Replies: l.outbox}
	l.outbox = nil
	l.mu.Unlock()
	if len(box.Replies) == 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	}
	return box, nil
}

// ReplyDone implements Ledger.
func (l *fakeLedger) ReplyDone(_ context.Context, _, id string, result ledgerapi.ReplyResult) error {
	if err := l.decide("outcome"); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outcomes == nil {
		l.outcomes = map[string][]ledgerapi.ReplyResult{}
	}
	l.outcomes[id] = append(l.outcomes[id], result)
	return nil
}

// outcome is what became of a reply; its State is "" while nobody has said.
func (l *fakeLedger) outcome(id string) ledgerapi.ReplyResult {
	l.mu.Lock()
	defer l.mu.Unlock()
	said := l.outcomes[id]
	if len(said) == 0 {
		return ledgerapi.ReplyResult{}
	}
	return said[len(said)-1]
}

// stored are the identifiers of a channel's events, sorted.
func (l *fakeLedger) stored(channelName string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.events[channelName]))
}

// lastReport is the channel's last report; the zero report if there is none.
func (l *fakeLedger) lastReport(channelName string) ledgerapi.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	reports := l.reports[channelName]
	if len(reports) == 0 {
		return ledgerapi.Report{}
	}
	return reports[len(reports)-1]
}

// ServeHTTP serves the API, so that the real client is part of a test. A connection is broken where
// the fate says so.
func (l *fakeLedger) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	path := strings.Split(strings.Trim(req.URL.Path, "/"), "/") // v1 channels <name> [events|report|cases]
	if len(path) < 3 {
		http.NotFound(w, req)
		return
	}
	var result any
	var err error
	switch name, rest := path[2], path[3:]; {
	case len(rest) == 0:
		result, err = l.Channel(req.Context(), name)
	case rest[0] == "events":
		var request ledgerapi.AppendRequest
		if err = json.NewDecoder(http.MaxBytesReader(w, req.Body, ledgerapi.MaxRequestBytes)).Decode(&request); err == nil {
			result, err = l.Append(req.Context(), name, request)
		} else {
			err = &client.Error{Status: http.StatusBadRequest, Message: "not JSON, or too much of it"}
		}
	case rest[0] == "report":
		var report ledgerapi.Report
		if err = json.NewDecoder(req.Body).Decode(&report); err == nil {
			err = l.Report(req.Context(), name, report)
		}
	case rest[0] == "cases":
		result, err = l.Cases(req.Context(), client.CasesQuery{Channel: name, State: req.FormValue("state"), After: req.FormValue("after")})
	}
	answer(w, result, err)
}

func answer(w http.ResponseWriter, result any, err error) {
	if errors.Is(err, errBrokenBefore) || errors.Is(err, errBrokenAfter) {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	var refused *client.Error
	switch {
	case errors.As(err, &refused):
		if refused.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(refused.RetryAfter.Seconds())))
		}
		w.WriteHeader(refused.Status)
		result = ledgerapi.Error{Message: refused.Message}
	case err != nil:
		w.WriteHeader(http.StatusInternalServerError)
		result = ledgerapi.Error{Message: "internal"}
	}
	_ = json.NewEncoder(w).Encode(result)
}

// serveLedger starts the fake ledger on loopback and returns a client of it.
func serveLedger(t testing.TB, ledger *fakeLedger) *client.Client {
	t.Helper()
	server := httptest.NewServer(ledger)
	t.Cleanup(server.Close)
	return newClient(t, server.URL)
}

func newClient(t testing.TB, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{BaseURL: url, Transport: &http.Transport{MaxIdleConnsPerHost: 64}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// fakeType opens what its function returns.
type fakeType struct {
	name v1alpha1.SourceType
	open func(channel.Settings) (channel.Source, error)
}

func (f fakeType) Name() v1alpha1.SourceType                              { return f.name }
func (f fakeType) Open(settings channel.Settings) (channel.Source, error) { return f.open(settings) }

// fakePoller polls by a function.
type fakePoller struct {
	interval time.Duration
	poll     func(ctx context.Context, cursor json.RawMessage, sink channel.Sink) error
	closed   chan struct{}
}

func (p *fakePoller) Interval() time.Duration { return p.interval }
func (p *fakePoller) Close() error {
	if p.closed != nil {
		close(p.closed)
	}
	return nil
}

func (p *fakePoller) Poll(ctx context.Context, cursor json.RawMessage, sink channel.Sink) error {
	return p.poll(ctx, cursor, sink)
}

// observingPoller also says through when it has observed.
type observingPoller struct {
	*fakePoller
	observed time.Time
}

func (p *observingPoller) ObservedThrough() time.Time { return p.observed }

// logPoller reads a log of numbered events page by page; its cursor is the number of the next one.
type logPoller struct {
	fakePoller
	pageSize int
	length   func() int
	at       time.Time
}

func newLogPoller(pageSize int, length func() int, at time.Time) *logPoller {
	p := &logPoller{pageSize: pageSize, length: length, at: at}
	p.interval = time.Second
	p.poll = p.read
	return p
}

func (p *logPoller) read(ctx context.Context, cursor json.RawMessage, sink channel.Sink) error {
	next := 0
	if cursor != nil {
		if err := json.Unmarshal(cursor, &next); err != nil {
			return err
		}
	}
	for end := p.length(); next < end; {
		var events []complaint.Event
		for range min(p.pageSize, end-next) {
			events = append(events, received(next, p.at))
			next++
		}
		encoded, err := json.Marshal(next)
		if err != nil {
			return err
		}
		if err := sink.Append(ctx, channel.Batch{Events: events, Cursor: encoded}); err != nil {
			return err
		}
	}
	return nil
}

// received is the n-th event of a log.
func received(n int, at time.Time) complaint.Event {
	id := fmt.Sprintf("event-%06d", n)
	return complaint.Event{CaseID: id, ID: id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at}
}

// ids are the identifiers of the first n events of a log.
func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = received(i, time.Time{}).ID
	}
	return list
}

// plainPusher takes POSTs of JSON arrays of events.
type plainPusher struct{ delay time.Duration }

func (p *plainPusher) Close() error              { return nil }
func (p *plainPusher) UsualDelay() time.Duration { return p.delay }

func (p *plainPusher) Handler(sink channel.Sink) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
		var events []complaint.Event
		if err == nil {
			err = json.Unmarshal(body, &events)
		}
		if err != nil {
			sink.Problem(ledgerapi.ReasonInvalidBody, "the body is not a list of events", 1)
			http.Error(w, "not a list of events", http.StatusBadRequest)
			return
		}
		if len(events) == 1 && events[0].ID == "panic" {
			panic(events[0].Text)
		}
		var returned []ledgerapi.ReturnedReply
		events = slices.DeleteFunc(events, func(e complaint.Event) bool {
			if e.Kind == "Returned" {
				returned = append(returned, ledgerapi.ReturnedReply{Event: e.ID})
			}
			return e.Kind == "Returned"
		})
		deliver(w, sink.Append(req.Context(), channel.Batch{Events: events, Returned: returned}))
	})
}

// deliver answers a deliverer.
func deliver(w http.ResponseWriter, err error) {
	var e *channel.Error
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.As(err, &e) && e.Reason == ledgerapi.ReasonInvalidEvent:
		http.Error(w, e.Message, http.StatusBadRequest)
	case errors.As(err, &e) && e.Reason == ledgerapi.ReasonLedgerUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
		http.Error(w, e.Message, http.StatusServiceUnavailable)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// The types of sources of the tests.
const (
	pollType v1alpha1.SourceType = "poll"
	pushType v1alpha1.SourceType = "push"
)

// opens is a type whose source is always this one.
func opens(name v1alpha1.SourceType, source channel.Source) channel.Type {
	return fakeType{name, func(channel.Settings) (channel.Source, error) { return source, nil }}
}

// configOf is a configuration of one channel per name, all of one type named as the channel is, or of
// the type after a colon.
func configOf(names ...string) Config {
	config := Config{LedgerURL: "http://ledger.example"}
	for _, name := range names {
		name, kind, _ := strings.Cut(name, ":")
		config.Channels = append(config.Channels, ChannelConfig{Name: name, Source: v1alpha1.ChannelSource{Type: v1alpha1.SourceType(kind)}})
	}
	return config
}

// optionsOf are the options of a test's worker; half is its randomness, so that jitter is none.
func optionsOf(ledger Ledger, types ...channel.Type) Options {
	return Options{
		Types: types, Ledger: ledger,
		Credential: func(v1alpha1.SecretKeyReference) ([]byte, error) { return nil, errors.New("none") },
		Transport:  &http.Transport{},
		Now:        time.Now, After: time.After, Random: func() float64 { return 0.5 },
		Logger: slog.New(slog.DiscardHandler),
	}
}

// listen adds loopback listeners to options.
func listen(t testing.TB, options Options) Options {
	t.Helper()
	for _, l := range []*net.Listener{&options.Hooks, &options.Health} {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*l = listener
	}
	return options
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come true in time", what)
		}
		<-tick.C
	}
}

// logTo is a logger that writes to a builder; for tests with one goroutine at a time.
func logTo(out *strings.Builder) *slog.Logger { return slog.New(slog.NewJSONHandler(out, nil)) }
