// Package sender112 simulates the incident system of a 112 emergency call centre that pushes its
// incidents, signed by Standard Webhooks, and tries again until it is told of success. There is no public
// schema of these systems in Indonesia; this one is invented. It is for tests and the demo.
package sender112

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are how a sender behaves.
type Options struct {
	// URL that is delivered to.
	URL string
	// Secret is the signing secret, whsec_ and base64.
	Secret string
	// Client sends the requests.
	Client *http.Client
	// Prefix of the identifiers of incidents; the default is "112-2026-".
	Prefix string
	// Backoff is the wait after the first failure, which doubles up to MaxBackoff; the defaults are 1s and 1m.
	Backoff, MaxBackoff time.Duration
	// Now is the sender's clock; After waits on it.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Call is what a citizen rings up for.
type Call struct {
	// Type is one of Normal, Prank, Ghost and Information; the default is Normal. Only a normal call is an
	// incident that somebody has to do something about.
	Type                  string
	Category, Description string
	Phone                 string
	Latitude, Longitude   float64
	// At is when the call came in; zero is now.
	At time.Time
}

// The types of call, as Indonesian centres count them.
const (
	Normal      = "normal"
	Prank       = "prank"
	Ghost       = "ghost"
	Information = "informasi"
)

// Sender is the simulated system. Its methods may be used while Run runs.
type Sender struct {
	options Options
	key     []byte
	wake    chan struct{}

	mu        sync.Mutex
	incidents []*incident
	queue     []delivery
	serial    int
	delivered int
	attempts  int
	refusals  []int
	spoil     int
	repeat    int
}

// incident is a call as the centre keeps it, in its JSON.
type incident struct {
	ID          string     `json:"incident_id"`
	CallType    string     `json:"call_type"`
	Category    string     `json:"category"`
	Description string     `json:"description"`
	Caller      caller     `json:"caller"`
	Location    *location  `json:"location"`
	CreatedAt   time.Time  `json:"created_at"`
	Notes       []note     `json:"notes"`
	ClosedAt    *time.Time `json:"closed_at"`
}

type caller struct {
	Phone string `json:"phone"`
}

type location struct {
	Latitude  float64 `json:"lat"`
	Longitude float64 `json:"lon"`
}

// note is an entry of an incident's log: of kind dispatched, callback or remark.
type note struct {
	ID   int       `json:"id"`
	At   time.Time `json:"at"`
	Unit string    `json:"unit"`
	Kind string    `json:"kind"`
	Text string    `json:"text"`
}

// New makes a sender. The error says that the secret is none.
func New(options Options) (*Sender, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(options.Secret, "whsec_"))
	if err != nil || len(key) == 0 {
		return nil, errors.New("the secret must be whsec_ and base64")
	}
	if options.Prefix == "" {
		options.Prefix = "112-2026-"
	}
	if options.Backoff == 0 {
		options.Backoff = time.Second
	}
	if options.MaxBackoff == 0 {
		options.MaxBackoff = time.Minute
	}
	return &Sender{options: options, key: key, wake: make(chan struct{}, 1)}, nil
}

// AddTicket takes a call and returns the identifier of its incident.
func (s *Sender) AddTicket(c Call) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.At.IsZero() {
		c.At = s.options.Now()
	}
	if c.Type == "" {
		c.Type = Normal
	}
	i := &incident{
		ID: fmt.Sprintf("%s%06d", s.options.Prefix, len(s.incidents)+1), CallType: c.Type, Category: c.Category,
		Description: c.Description, Caller: caller{c.Phone}, CreatedAt: c.At, Notes: []note{},
	}
	if c.Latitude != 0 || c.Longitude != 0 {
		i.Location = &location{c.Latitude, c.Longitude}
	}
	s.incidents = append(s.incidents, i)
	s.push("incident.created", i)
	return i.ID
}

// Assign sends a unit.
func (s *Sender) Assign(id, unit string) error { return s.note(id, unit, "dispatched", "") }

// Answer notes what the unit told the caller.
func (s *Sender) Answer(id, unit, text string) error { return s.note(id, unit, "callback", text) }

// Resolve closes an incident.
func (s *Sender) Resolve(id string) error {
	return s.change(id, "incident.closed", func(i *incident, now time.Time) { i.ClosedAt = &now })
}

func (s *Sender) note(id, unit, kind, text string) error {
	return s.change(id, "incident.updated", func(i *incident, now time.Time) {
		i.Notes = append(i.Notes, note{ID: len(i.Notes) + 1, At: now, Unit: unit, Kind: kind, Text: text})
	})
}

func (s *Sender) change(id, event string, apply func(*incident, time.Time)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.incidents, func(i *incident) bool { return i.ID == id })
	if at < 0 {
		return errors.New("there is no incident of this identifier")
	}
	apply(s.incidents[at], s.options.Now())
	s.push(event, s.incidents[at])
	return nil
}

// push queues the incident as it is now; the caller holds mu.
func (s *Sender) push(event string, i *incident) {
	// An incident is plain data.
	body, _ := json.Marshal(map[string]any{"type": event, "timestamp": s.options.Now(), "data": i}) //nolint:errchkjson // see above
	s.serial++
	s.queue = append(s.queue, delivery{id: fmt.Sprintf("msg_%06d", s.serial), body: body})
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Spoil gives the next n attempts a signature that does not verify, as of a sender with an old secret.
func (s *Sender) Spoil(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoil += n
}

// Repeat sends again what was answered with success, n times, as senders do that missed the answer.
func (s *Sender) Repeat(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repeat += n
}

// Pending counts the deliveries that have not arrived.
func (s *Sender) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// Delivered counts the requests that were answered with success, repetitions included.
func (s *Sender) Delivered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered
}

// Attempts counts the requests that were sent.
func (s *Sender) Attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts
}

// Refusals are the statuses of the answers that were no success, in their order; 0 is no answer.
func (s *Sender) Refusals() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refusals)
}
