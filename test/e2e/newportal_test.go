package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// helpdesk is a portal of another make: English, offsets instead of pages, unix times, a user name and a
// password, everything nested. Nothing in the product knows it; testdata/helpdesk.yaml is all there is.
type helpdesk struct {
	mu      sync.Mutex
	tickets []*helpdeskTicket
	// deepest is the largest offset that was asked for.
	deepest int
}

type helpdeskTicket struct {
	Ticket struct {
		Ref      string `json:"ref"`
		Opened   int64  `json:"opened"`
		Modified int64  `json:"modified"`
		State    string `json:"state"`
	} `json:"ticket"`
	Body     string            `json:"body"`
	Messages []helpdeskMessage `json:"messages"`
}

type helpdeskMessage struct {
	UID  string `json:"uid"`
	Role string `json:"role"`
	Sent int64  `json:"sent"`
	Text string `json:"text"`
}

func (h *helpdesk) open(ref, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ticket := &helpdeskTicket{Body: text, Messages: []helpdeskMessage{}}
	ticket.Ticket.Ref, ticket.Ticket.State = ref, "NEW"
	ticket.Ticket.Opened = time.Now().Add(-time.Hour).Unix()
	ticket.Ticket.Modified = ticket.Ticket.Opened
	h.tickets = append(h.tickets, ticket)
}

// write adds a message to a ticket.
func (h *helpdesk) write(i int, role, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ticket := h.tickets[i]
	ticket.Ticket.Modified = time.Now().Unix()
	uid := ticket.Ticket.Ref + "-" + strconv.Itoa(len(ticket.Messages)+1)
	ticket.Messages = append(ticket.Messages, helpdeskMessage{UID: uid, Role: role, Sent: ticket.Ticket.Modified, Text: text})
}

// ServeHTTP serves GET /v3/tickets?modified_after=<unix>&offset=<n>&limit=<n>, at most three tickets at once.
func (h *helpdesk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "tanggap" || password != "a password: with a colon" {
		http.Error(w, `{"error":"bad credentials"}`, http.StatusUnauthorized)
		return
	}
	if r.URL.Path != "/v3/tickets" {
		http.NotFound(w, r)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	query := r.URL.Query()
	after, err := strconv.ParseInt(query.Get("modified_after"), 10, 64)
	if err != nil {
		http.Error(w, `{"error":"modified_after is not a number of seconds"}`, http.StatusBadRequest)
		return
	}
	var found []*helpdeskTicket
	for _, ticket := range h.tickets {
		if ticket.Ticket.Modified > after {
			found = append(found, ticket)
		}
	}
	slices.SortStableFunc(found, func(a, b *helpdeskTicket) int { return int(a.Ticket.Modified - b.Ticket.Modified) })
	offset, _ := strconv.Atoi(query.Get("offset")) // none is the first page
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit > 3 {
		http.Error(w, `{"error":"limit must be 3 at most"}`, http.StatusBadRequest)
		return
	}
	h.deepest = max(h.deepest, offset)
	page := append([]*helpdeskTicket{}, found[min(offset, len(found)):min(offset+limit, len(found))]...)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"meta": map[string]int{"count": len(found)}, "results": page}) // the worker may have gone
}

func TestNewPortalIsOneMoreManifest(t *testing.T) {
	t.Parallel()
	c := newTown(t, "new-portal")
	h := &helpdesk{}
	for _, ref := range []string{"A-1", "A-2", "A-3", "A-4", "A-5", "A-6", "A-7"} {
		h.open(ref, "The street light in front of number 12 is broken.")
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)

	started := time.Now()
	c.apply(t, "helpdesk.yaml", "url", server.URL)
	c.awaitReady(t, "helpdesk")
	c.awaitFigures(t, "helpdesk", figures{Received: 7, Answered: 0, Unanswered: 7})
	measured.note("from one more manifest to its complaints in /metrics", time.Since(started))
	if h.deepest < 6 {
		t.Errorf("offsets were asked for up to %d only, so that the pages prove nothing", h.deepest)
	}

	h.write(0, "AGENT", "An electrician will be there on Tuesday morning.")
	h.write(1, "CUSTOMER", "It is still dark.")
	h.write(2, "AUTOMATION", "We have received your report.")
	h.write(3, "AGENT", "Repaired this afternoon.")
	c.awaitFigures(t, "helpdesk", figures{Received: 7, Answered: 2, Unanswered: 5})

	h.open("A-8", "A tree has fallen across the road.")
	h.write(7, "AGENT", "The fire brigade is on its way.")
	c.awaitFigures(t, "helpdesk", figures{Received: 8, Answered: 3, Unanswered: 5})
}
