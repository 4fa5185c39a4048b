// Package portal simulates the API of a city's complaint portal in the style of Depok Single Window and
// Sigap!: complaints as JSON with Indonesian field names, in pages, filtered by when they changed, behind
// a bearer token that is either fixed or given for a login. Neither system has a public API; this one
// speaks what config/samples/depok expects.
package portal

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Statuses of a ticket, as the portal calls them.
const (
	StatusWaiting    = "menunggu"
	StatusInProgress = "diproses"
	StatusAsked      = "menunggu_pelapor"
	StatusDone       = "selesai"
	StatusRefused    = "ditolak"
)

// Roles of who wrote a reply.
const (
	RoleOfficer  = "petugas"
	RoleSystem   = "sistem"
	RoleReporter = "pelapor"
)

// Ticket is one complaint as the portal lists it.
type Ticket struct {
	Number      string       `json:"nomor"`
	Title       string       `json:"judul"`
	Text        string       `json:"isi"`
	Category    string       `json:"kategori,omitempty"`
	Status      string       `json:"status"`
	StatusAt    time.Time    `json:"status_pada"`
	CreatedAt   time.Time    `json:"dibuat_pada"`
	UpdatedAt   time.Time    `json:"diperbarui_pada"`
	Disposition *Disposition `json:"disposisi"`
	Replies     []Reply      `json:"tanggapan"`
	Reporter    *Reporter    `json:"pelapor,omitempty"`
	Location    *Location    `json:"lokasi,omitempty"`
}

// Disposition is the department the ticket was given to.
type Disposition struct {
	Department string    `json:"opd"`
	At         time.Time `json:"waktu"`
}

// Reply is what somebody wrote under a ticket.
type Reply struct {
	ID   int       `json:"id"`
	By   string    `json:"oleh"`
	Role string    `json:"peran"`
	Text string    `json:"isi"`
	At   time.Time `json:"waktu"`
}

// Reporter is who complained.
type Reporter struct {
	Phone string `json:"telepon"`
}

// Location is where; a string each, as some portals have it.
type Location struct {
	Latitude  string `json:"lintang"`
	Longitude string `json:"bujur"`
}

// Options says how the portal behaves.
type Options struct {
	// Token is the bearer token asked for; "" asks for none.
	Token string
	// Username and Password are what /api/v1/login wants before it gives the token out.
	Username, Password string
	// PageSize is the largest page; 0 is 100.
	PageSize int
}

// Portal is an http.Handler of GET /api/v1/laporan and POST /api/v1/login.
type Portal struct {
	options Options

	mu       sync.Mutex
	tickets  map[string]*Ticket
	failures []failure
	requests int
}

type failure struct {
	status     int
	retryAfter string
}

// New makes a portal without tickets.
func New(options Options) *Portal {
	if options.PageSize == 0 {
		options.PageSize = 100
	}
	return &Portal{options: options, tickets: map[string]*Ticket{}}
}

// Put adds a ticket or replaces the one of its number.
func (p *Portal) Put(ticket Ticket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ticket.Replies = slices.Clone(ticket.Replies)
	p.tickets[ticket.Number] = &ticket
}

// Update changes a ticket at an instant, which becomes its UpdatedAt.
func (p *Portal) Update(number string, at time.Time, change func(*Ticket)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ticket := p.tickets[number]; ticket != nil {
		ticket.UpdatedAt = at
		change(ticket)
	}
}

// Fail makes the next n requests fail with the status; retryAfter is sent as Retry-After unless "".
func (p *Portal) Fail(n, status int, retryAfter string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		p.failures = append(p.failures, failure{status, retryAfter})
	}
}

// SetToken changes the token that is asked for, as a vendor's rotation does.
func (p *Portal) SetToken(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.options.Token = token
}

// Requests is how many requests the portal has had, failed ones included.
func (p *Portal) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// ServeHTTP implements http.Handler.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	if len(p.failures) > 0 {
		fail := p.failures[0]
		p.failures = p.failures[1:]
		if fail.retryAfter != "" {
			w.Header().Set("Retry-After", fail.retryAfter)
		}
		answer(w, fail.status, map[string]any{"success": false, "pesan": "gangguan"})
		return
	}
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/api/v1/login":
		p.login(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/api/v1/laporan":
		p.list(w, r)
	default:
		answer(w, http.StatusNotFound, map[string]any{"success": false, "pesan": "tidak ditemukan"})
	}
}

func (p *Portal) login(w http.ResponseWriter, r *http.Request) {
	var body struct{ Username, Password string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&body); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"success": false})
		return
	}
	if body.Username != p.options.Username || body.Password != p.options.Password {
		answer(w, http.StatusUnauthorized, map[string]any{"success": false, "pesan": "masuk ditolak"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"success": true, "token": p.options.Token})
}

func (p *Portal) list(w http.ResponseWriter, r *http.Request) {
	given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(given), []byte(p.options.Token)) != 1 {
		answer(w, http.StatusUnauthorized, map[string]any{"success": false, "pesan": "token ditolak"})
		return
	}
	query := r.URL.Query()
	since, err := time.Parse(time.RFC3339Nano, query.Get("diperbarui_sejak"))
	if err != nil && query.Get("diperbarui_sejak") != "" {
		answer(w, http.StatusBadRequest, map[string]any{"success": false, "pesan": "diperbarui_sejak"})
		return
	}
	page, size := max(number(query.Get("halaman"), 1), 1), min(max(number(query.Get("per_halaman"), p.options.PageSize), 1), p.options.PageSize)
	matching := p.changedSince(since)
	pages := (len(matching) + size - 1) / size
	from := min((page-1)*size, len(matching))
	answer(w, http.StatusOK, map[string]any{
		"success": true, "data": matching[from:min(from+size, len(matching))], "halaman": page, "total_halaman": pages,
	})
}

// changedSince lists the tickets that changed at or after an instant, oldest change first.
func (p *Portal) changedSince(since time.Time) []*Ticket {
	matching := []*Ticket{}
	for _, ticket := range p.tickets {
		if !ticket.UpdatedAt.Before(since) {
			matching = append(matching, ticket)
		}
	}
	slices.SortFunc(matching, func(a, b *Ticket) int {
		if order := a.UpdatedAt.Compare(b.UpdatedAt); order != 0 {
			return order
		}
		return strings.Compare(a.Number, b.Number)
	})
	return matching
}

func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client went away: nobody is left to tell
}
