package standalone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxRemembered is how many complaints are listed, the newest.
const maxRemembered = 1000

// Server is a simulated system with its faults, its script and what is known of its complaints. It is safe
// for concurrent use.
type Server struct {
	// Faults are what goes wrong on request.
	Faults *Faults

	kind   Kind
	setup  Setup
	system *System
	now    func() time.Time
	log    *slog.Logger
	paused atomic.Bool

	mu         sync.Mutex
	complaints []*Complaint
}

// Complaint is what is known of a complaint.
type Complaint struct {
	ID         string     `json:"id"`
	At         time.Time  `json:"at"`
	AnsweredAt *time.Time `json:"answeredAt,omitempty"`
	ClosedAt   *time.Time `json:"closedAt,omitempty"`
}

// New makes a server of a kind. Deliveries go through the transport.
func New(kind Kind, setup Setup, carries http.RoundTripper, log *slog.Logger) *Server {
	s := &Server{Faults: &Faults{}, kind: kind, now: setup.Now, log: log}
	setup.Client = &http.Client{Transport: transport{carries, s.Faults}, Timeout: 30 * time.Second}
	if setup.Serial == nil {
		var serial atomic.Int64
		setup.Serial = func() int { return int(serial.Add(1)) }
	}
	s.setup, s.system = setup, kind.open(setup)
	return s
}

// Manifest is the manifest of a channel that reads this system, with its Secret.
func (s *Server) Manifest(namespace, channel string) string {
	return strings.NewReplacer(s.system.Filled...).Replace(s.kind.Manifest(namespace, channel, s.setup.URL, s.setup.DeliverTo))
}

// Serve serves what a source asks until the listener is closed.
func (s *Server) Serve(listener net.Listener) error {
	if s.system.Serve != nil {
		return s.system.Serve(listener)
	}
	return (&http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}).Serve(listener)
}

// Handler serves what a source asks the system.
func (s *Server) Handler() http.Handler {
	if s.system.Handler == nil {
		return s.Faults.handler(http.NotFoundHandler(), s.now)
	}
	return s.Faults.handler(s.system.Handler, s.now)
}

// Begin does what somebody does who sets the system up, until it succeeds or the context ends.
func (s *Server) Begin(ctx context.Context) error {
	if s.system.Begin == nil {
		return nil
	}
	for {
		err := s.system.Begin(ctx)
		if err == nil {
			return nil
		}
		s.log.Info("Waits for the endpoint", "error", err.Error())
		if !pause(ctx, time.Second) {
			return ctx.Err()
		}
	}
}

// Complain lets a citizen complain.
func (s *Server) Complain(ctx context.Context, words string, serial int) (string, error) {
	if words == "" {
		words = text(serial)
	}
	at := s.now()
	id, err := s.system.Complain(ctx, words)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complaints = append(s.complaints, &Complaint{ID: id, At: at})
	if len(s.complaints) > maxRemembered {
		s.complaints = s.complaints[1:]
	}
	return id, nil
}

// Answer lets the staff answer.
func (s *Server) Answer(ctx context.Context, id, words string) error {
	if words == "" {
		words = answerText
	}
	return s.step(id, func(c *Complaint) **time.Time { return &c.AnsweredAt }, func() error { return s.system.Answer(ctx, id, words) })
}

// errEndless is the error of a system in which nothing has an end.
var errEndless = errors.New("nothing has an end in this system")

// Close ends a complaint.
func (s *Server) Close(ctx context.Context, id string) error {
	if s.system.Close == nil {
		return errEndless
	}
	return s.step(id, func(c *Complaint) **time.Time { return &c.ClosedAt }, func() error { return s.system.Close(ctx, id) })
}

// step does something with a complaint and notes when.
func (s *Server) step(id string, of func(*Complaint) **time.Time, do func() error) error {
	s.mu.Lock()
	var found *Complaint
	for _, c := range s.complaints {
		if c.ID == id {
			found = c
		}
	}
	s.mu.Unlock()
	if found == nil {
		return errUnknown
	}
	if err := do(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	*of(found) = &now
	return nil
}

// Admin serves the steps:
//
//	POST /complaints               {"text": …}  → 201 {"id": …}
//	GET  /complaints                            → the newest complaints
//	POST /complaints/{id}/answer   {"text": …}  → 204
//	POST /complaints/{id}/close                 → 204
//	POST /faults                   Fault        → 204
//	POST /limit                    {"requestsPerMinute": …} → 204
//	POST /pause, POST /resume                   → 204
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	var serial atomic.Int64
	mux.HandleFunc("POST /complaints", func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Text string }
		if !decode(w, r, &asked) {
			return
		}
		id, err := s.Complain(r.Context(), asked.Text, int(serial.Add(1)))
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]string{"id": id}) // the client went away: nobody is left to tell
	})
	mux.HandleFunc("GET /complaints", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(append([]*Complaint{}, s.complaints...)) // as above
	})
	mux.HandleFunc("POST /complaints/{id}/answer", func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Text string }
		if decode(w, r, &asked) {
			done(w, s.Answer(r.Context(), r.PathValue("id"), asked.Text))
		}
	})
	mux.HandleFunc("POST /complaints/{id}/close", func(w http.ResponseWriter, r *http.Request) {
		done(w, s.Close(r.Context(), r.PathValue("id")))
	})
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		var fault Fault
		if !decode(w, r, &fault) {
			return
		}
		if err := fault.valid(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if s.system.Fault != nil {
			s.system.Fault(fault)
		} else {
			s.Faults.Add(fault)
		}
		done(w, nil)
	})
	mux.HandleFunc("POST /limit", func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ RequestsPerMinute int }
		if decode(w, r, &asked) {
			s.Faults.Limit(asked.RequestsPerMinute)
			done(w, nil)
		}
	})
	for path, paused := range map[string]bool{"POST /pause": true, "POST /resume": false} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			s.paused.Store(paused)
			done(w, nil)
		})
	}
	return mux
}

// decode reads the body of a step; none is an empty one.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		http.Error(w, fmt.Sprintf("the body is no JSON of this step: %v", err), http.StatusBadRequest)
		return false
	}
	return true
}

func done(w http.ResponseWriter, err error) {
	if err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	switch {
	case errors.Is(err, errUnknown):
		status = http.StatusNotFound
	case errors.Is(err, errEndless):
		status = http.StatusConflict
	}
	http.Error(w, err.Error(), status)
}
