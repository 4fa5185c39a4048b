// Package server is the ledger's API over HTTPS: who may do what, and how requests become calls of the
// ledger.
package server

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
)

const (
	// maxBodies bounds the bytes of all bodies that are being read, but for those of smallBody at most: what is delivered
	// to one channel is not refused because others send large batches.
	maxBodies = 128 << 20
	smallBody = 64 << 10
	// maxGrow bounds the memory that is set aside for a body before it arrives.
	maxGrow = 1 << 20
	// maxPolicyBytes bounds a policy: some thousand channels with their SLAs.
	maxPolicyBytes = 32 << 20
	// maxReportBytes bounds a report.
	maxReportBytes = 64 << 10
	// maxWait bounds a long poll.
	maxWait = time.Minute
)

// Server answers requests of workers and of the operator.
type Server struct {
	ledger   *ledger.Ledger
	reviewer TokenReviewer
	log      *slog.Logger
	bodies   *semaphore.Weighted
	mux      *http.ServeMux
	// stopping is closed when the server begins to stop: a long poll ends then, and not after its wait.
	stopping chan struct{}
	stop     func()
}

// New is a server of the ledger.
func New(l *ledger.Ledger, reviewer TokenReviewer, log *slog.Logger) *Server {
	s := &Server{ledger: l, reviewer: reviewer, log: log, bodies: semaphore.NewWeighted(maxBodies), mux: http.NewServeMux()}
	s.stopping = make(chan struct{})
	s.stop = sync.OnceFunc(func() { close(s.stopping) })
	s.mux.HandleFunc("POST /v1/channels/{channel}/events", s.writer(s.appendEvents))
	s.mux.HandleFunc("POST /v1/channels/{channel}/report", s.writer(s.report))
	s.mux.HandleFunc("GET /v1/channels/{channel}", s.writer(s.channelState))
	s.mux.HandleFunc("GET /v1/channels/{channel}/cases", s.reader(s.cases))
	s.mux.HandleFunc("POST /v1/channels/{channel}/replies", s.desk(s.reply))
	s.mux.HandleFunc("GET /v1/channels/{channel}/replies/{reply}", s.desk(s.replyStatus))
	s.mux.HandleFunc("GET /v1/channels/{channel}/outbox", s.writer(s.outbox))
	s.mux.HandleFunc("POST /v1/channels/{channel}/outbox/{reply}", s.writer(s.replyDone))
	s.mux.HandleFunc("PUT /v1/policy", s.operator(s.putPolicy))
	s.mux.HandleFunc("GET /v1/summary", s.operator(s.summary))
	s.mux.HandleFunc("GET /v1/cases", s.operator(s.cases))
	s.mux.HandleFunc("POST /v1/erasures", s.operator(s.erase))
	s.mux.HandleFunc("GET /v1/erasures/{id}", s.operator(s.erasure))
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "there is nothing at this path")
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if s.ledger.Current() != nil {
		// Another replica may have the storage: who asks again makes a connection anew.
		w.Header().Set("Connection", "close")
	}
	if err := s.ledger.Superseded(); err != nil {
		s.refused(w, r, err)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) appendEvents(w http.ResponseWriter, r *http.Request) {
	var in ledgerapi.AppendRequest
	if !s.body(w, r, ledgerapi.MaxRequestBytes, false, &in) {
		return
	}
	out, err := s.ledger.Append(r.Context(), r.PathValue("channel"), in)
	if err != nil {
		s.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, out)
}

func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	var in ledgerapi.Report
	if !s.body(w, r, maxReportBytes, false, &in) {
		return
	}
	if err := s.ledger.Report(r.Context(), r.PathValue("channel"), in); err != nil {
		s.refused(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) channelState(w http.ResponseWriter, r *http.Request) {
	state, err := s.ledger.State(r.Context(), r.PathValue("channel"))
	if err != nil {
		s.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, state)
}

func (s *Server) putPolicy(w http.ResponseWriter, r *http.Request) {
	var document policy.Document
	if !s.body(w, r, maxPolicyBytes, true, &document) {
		return
	}
	status, err := s.ledger.PutPolicy(r.Context(), document)
	if err != nil {
		s.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, status)
}

func (s *Server) summary(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	after := ledgerapi.Position{Epoch: query.Get("epoch")}
	var err error
	if text := query.Get("after"); text != "" {
		if after.Sequence, err = strconv.ParseInt(text, 10, 64); err != nil {
			fail(w, http.StatusBadRequest, "after: must be the sequence of a summary")
			return
		}
	}
	wait, ok := waitOf(w, r)
	if !ok {
		return
	}
	ctx, cancel := s.untilStopped(r.Context())
	defer cancel()
	summary, err := s.ledger.Summary(ctx, after, wait)
	switch {
	case err == nil:
		answer(w, http.StatusOK, summary)
	case r.Context().Err() == nil && ctx.Err() != nil:
		unavailable(w, 1, "the ledger is stopping, try again")
	default:
		s.refused(w, r, err)
	}
}

// waitOf is how long a long poll may wait, or the request is answered.
func waitOf(w http.ResponseWriter, r *http.Request) (wait time.Duration, ok bool) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, true
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		fail(w, http.StatusBadRequest, "wait: must be a duration such as 10s")
		return 0, false
	}
	return min(wait, maxWait), true
}

// untilStopped is a context that ends when the server begins to stop.
func (s *Server) untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// caseParameters are what cases are asked for by.
var caseParameters = [...]string{"channel", "category", "department", "priority", "state", "dueBefore", "after", "limit"}

func (s *Server) cases(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(caseParameters[:], name) || len(query[name]) > 1 {
			// A filter that is passed over would answer another question.
			fail(w, http.StatusBadRequest, "the parameters are "+strings.Join(caseParameters[:], ", ")+", each at most once")
			return
		}
	}
	q := ledger.CaseQuery{
		Channel: query.Get("channel"), State: query.Get("state"), After: query.Get("after"),
		Dimensions: complaint.Dimensions{
			Category: query.Get("category"), Department: query.Get("department"), Priority: query.Get("priority"),
		},
	}
	if channel := r.PathValue("channel"); channel != "" {
		if q.Channel != "" && q.Channel != channel {
			fail(w, http.StatusBadRequest, "channel: must be the one of the path")
			return
		}
		q.Channel = channel
	}
	if text := query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 {
			fail(w, http.StatusBadRequest, "limit: must be a whole number above 0")
			return
		}
		q.Limit = limit
	}
	if text := query.Get("dueBefore"); text != "" {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			fail(w, http.StatusBadRequest, "dueBefore: must be a time of the form 2006-01-02T15:04:05+07:00")
			return
		}
		q.DueBefore = at
	}
	list, err := s.ledger.Cases(r.Context(), q)
	if err != nil {
		s.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, list)
}
