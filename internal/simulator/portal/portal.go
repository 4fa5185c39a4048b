// Package portal simulates the JSON API of a municipal complaint portal in the style of Depok Single
// Window or Sigap!: a login that gives a token, a list in pages that can be filtered by the time of the
// last change, Indonesian field names. Neither has a public API; this one is invented after comparable
// ones and claims no likeness. It is for tests and the demo.
package portal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options are how a portal behaves.
type Options struct {
	// Prefix of the numbers of tickets; the default is "DSW-2026-".
	Prefix string
	// Username and Password of the login at /api/login; the default is none, so that no login succeeds.
	Username, Password string
	// APIKey is taken in the header X-API-Key instead of a token; "" takes none.
	APIKey string
	// TokenLifetime is how long a token of the login is good; 0 is for ever.
	TokenLifetime time.Duration
	// PageSize of a request that does not say; the default is 50. MaxPageSize is 200.
	PageSize int
	// NewestFirst lists what changed last first; the default is the order of arrival.
	NewestFirst bool
	// ByUpdate lists in the order of the last change.
	ByUpdate bool
	// LocalTimes writes times without an offset, as many portals do.
	LocalTimes bool
	// Zone of the times; the default is UTC+7.
	Zone *time.Location
	// Now is the portal's clock.
	Now func() time.Time
}

// Report is what a citizen sends in.
type Report struct {
	Title, Text, Category, Phone string
	Latitude, Longitude          float64
	// At is when it was sent in; zero is now.
	At time.Time
}

// The states of a ticket, in the portal's own words.
const (
	Waiting    = "menunggu"
	InProgress = "diproses"
	Done       = "selesai"
	Rejected   = "ditolak"
)

// Who writes in a conversation, in the portal's own words.
const (
	Officer = "petugas"
	Citizen = "pelapor"
	Machine = "sistem"
)

// Portal is the simulated system. Its methods and its handler may be used at the same time.
type Portal struct {
	options Options

	mu       sync.Mutex
	tickets  []*ticket
	entries  int
	tokens   map[string]time.Time
	failures []failure
	requests int
	logins   int
}

// ticket is a complaint as the portal keeps it.
type ticket struct {
	number     string
	report     Report
	status     string
	createdAt  time.Time
	updatedAt  time.Time
	department string
	assignedAt time.Time
	entries    []entry
}

type entry struct {
	id             int
	by, role, text string
	at             time.Time
}

// failure is an answer that takes the place of the right one.
type failure struct {
	status     int
	retryAfter time.Duration
}

// New makes a portal without tickets.
func New(options Options) *Portal {
	if options.Prefix == "" {
		options.Prefix = "DSW-2026-"
	}
	if options.PageSize == 0 {
		options.PageSize = 50
	}
	if options.Zone == nil {
		options.Zone = time.FixedZone("WIB", 7*60*60)
	}
	return &Portal{options: options, tokens: map[string]time.Time{}}
}

// AddTicket sends a report in and returns the number of its ticket.
func (p *Portal) AddTicket(r Report) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.At.IsZero() {
		r.At = p.options.Now()
	}
	t := &ticket{number: fmt.Sprintf("%s%06d", p.options.Prefix, len(p.tickets)+1), report: r, status: Waiting, createdAt: r.At, updatedAt: r.At}
	p.tickets = append(p.tickets, t)
	return t.number
}

// Assign sends a ticket to a department (disposisi).
func (p *Portal) Assign(number, department string) error {
	return p.change(number, func(t *ticket, now time.Time) {
		t.department, t.assignedAt, t.status = department, now, InProgress
	})
}

// Answer writes to the citizen as an officer of the department.
func (p *Portal) Answer(number, by, text string) error { return p.write(number, by, Officer, text) }

// AnswerAutomatically writes to the citizen as the portal does by itself.
func (p *Portal) AnswerAutomatically(number, text string) error {
	return p.write(number, "portal", Machine, text)
}

// Reply writes as the citizen.
func (p *Portal) Reply(number, text string) error { return p.write(number, Citizen, Citizen, text) }

// Resolve closes a ticket as done.
func (p *Portal) Resolve(number string) error { return p.set(number, Done) }

// Reject closes a ticket as none of the city's affair.
func (p *Portal) Reject(number string) error { return p.set(number, Rejected) }

// Reopen opens a closed ticket again.
func (p *Portal) Reopen(number string) error { return p.set(number, InProgress) }

func (p *Portal) set(number, status string) error {
	return p.change(number, func(t *ticket, _ time.Time) { t.status = status })
}

func (p *Portal) write(number, by, role, text string) error {
	return p.change(number, func(t *ticket, now time.Time) {
		p.entries++
		t.entries = append(t.entries, entry{id: p.entries, by: by, role: role, text: text, at: now})
	})
}

// errNoTicket is the error of a number that was never given.
var errNoTicket = errors.New("there is no ticket of this number")

func (p *Portal) change(number string, apply func(*ticket, time.Time)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.tickets, func(t *ticket) bool { return t.number == number })
	if i < 0 {
		return errNoTicket
	}
	now := p.options.Now()
	apply(p.tickets[i], now)
	p.tickets[i].updatedAt = now
	return nil
}

// Fail answers the next n requests of the list with the status, and with Retry-After if it is not 0.
func (p *Portal) Fail(n, status int, retryAfter time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		p.failures = append(p.failures, failure{status: status, retryAfter: retryAfter})
	}
}

// Revoke makes every token that was given worthless.
func (p *Portal) Revoke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.tokens)
}

// Requests counts the requests of the list so far, failed ones included; Logins those of the login.
func (p *Portal) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// Logins counts the logins that succeeded.
func (p *Portal) Logins() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logins
}

// Numbers lists the tickets' numbers in the order of arrival.
func (p *Portal) Numbers() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	numbers := make([]string, len(p.tickets))
	for i, t := range p.tickets {
		numbers[i] = t.number
	}
	return numbers
}

// list is the tickets that changed since the instant, in the portal's order.
func (p *Portal) list(since time.Time) []*ticket {
	var found []*ticket
	for _, t := range p.tickets {
		if !t.updatedAt.Before(since) {
			found = append(found, t)
		}
	}
	if p.options.ByUpdate || p.options.NewestFirst {
		slices.SortStableFunc(found, func(a, b *ticket) int {
			if c := a.updatedAt.Compare(b.updatedAt); c != 0 {
				return c
			}
			return strings.Compare(a.number, b.number)
		})
	}
	if p.options.NewestFirst {
		slices.Reverse(found)
	}
	return found
}
