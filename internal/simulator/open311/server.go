// Package open311 is an Open311 GeoReport v2 server that lives in memory, for tests and the demo. It
// serves the list of service requests in JSON and XML as the specification says, and, on demand, as real
// servers do.
package open311

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options are what a server can do and how it writes. The zero value but for Now follows the
// specification to the letter.
type Options struct {
	// Now is the clock.
	Now func() time.Time
	// MaxRows is the most requests in one answer; 0 is 1000.
	MaxRows int
	// PageSize makes the server know page and page_size: it is the default and the largest; 0 is no pages.
	PageSize int
	// Strict refuses parameters that the server does not know with 400.
	Strict bool
	// APIKey is required for reading; "" is none.
	APIKey string
	// NotFound answers 404 when one of the identifiers asked for is not there, instead of the others.
	NotFound bool
	// IgnoreDates and IgnoreIDs make the server pay no heed to start_date and end_date, or to
	// service_request_id.
	IgnoreDates, IgnoreIDs bool
	// Quirks of its JSON.
	Quirks Quirks
	// Layout and Zone of times; the defaults are RFC 3339 and UTC.
	Layout string
	Zone   *time.Location
	// WithoutUpdated leaves updated_datetime empty.
	WithoutUpdated bool
}

// Quirks are ways in which real servers write JSON.
type Quirks struct {
	// Numbers writes identifiers and positions as numbers, service codes with leading zeros and all, which
	// is not JSON but stands in the specification.
	Numbers bool
	// BareObject writes a single request without a list around it.
	BareObject bool
	// Wrapped puts the list into {"service_requests": …}.
	Wrapped bool
	// RawControls leaves line breaks in texts as they are.
	RawControls bool
}

// Request is a service request.
type Request struct {
	// ID is given by AddRequest where it is "".
	ID                           string
	ServiceCode, ServiceName     string
	Description, Address, Agency string
	Latitude, Longitude          float64
	// RequestedAt is now where it is zero.
	RequestedAt time.Time

	closed      bool
	statusNotes string
	updatedAt   time.Time
	notes       []note
}

type note struct {
	at                time.Time
	kind, description string
}

// Server is the simulated server. It is safe for concurrent use.
type Server struct {
	options Options

	mu       sync.Mutex
	requests []*Request
	asked    []url.Values
	failures int
	failure  failure
}

type failure struct {
	status     int
	retryAfter time.Duration
}

// New makes a server without requests.
func New(options Options) *Server {
	if options.MaxRows == 0 {
		options.MaxRows = 1000
	}
	if options.Layout == "" {
		options.Layout = time.RFC3339
	}
	if options.Zone == nil {
		options.Zone = time.UTC
	}
	return &Server{options: options}
}

// AddRequest adds a request of a citizen and returns its identifier.
func (s *Server) AddRequest(r Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.ID == "" {
		r.ID = strconv.Itoa(638000 + len(s.requests))
	}
	if r.RequestedAt.IsZero() {
		r.RequestedAt = s.options.Now()
	}
	r.updatedAt = r.RequestedAt
	s.requests = append(s.requests, &r)
	return r.ID
}

// Answer writes to the citizen of an open request.
func (s *Server) Answer(id, text string) {
	s.change(id, func(r *Request) { r.statusNotes = text })
}

// Close closes a request with a last word.
func (s *Server) Close(id, text string) {
	s.change(id, func(r *Request) { r.closed, r.statusNotes = true, text })
}

// Reopen opens a closed request again.
func (s *Server) Reopen(id string) {
	s.change(id, func(r *Request) { r.closed, r.statusNotes = false, "" })
}

// Assign gives a request to an agency.
func (s *Server) Assign(id, agency string) {
	s.change(id, func(r *Request) { r.Agency = agency })
}

// Note adds an entry to the extension `notes`.
func (s *Server) Note(id, kind, description string) {
	s.change(id, func(r *Request) { r.notes = append(r.notes, note{r.updatedAt, kind, description}) })
}

// Hide removes a request, as moderators do.
func (s *Server) Hide(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = slices.DeleteFunc(s.requests, func(r *Request) bool { return r.ID == id })
}

func (s *Server) change(id string, change func(*Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r.ID == id {
			r.updatedAt = s.options.Now()
			change(r)
		}
	}
}

// SetMaxRows changes the most requests in one answer.
func (s *Server) SetMaxRows(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.MaxRows = n
}

// Fail answers the next n requests over HTTP with the status, and a Retry-After if it is not 0.
func (s *Server) Fail(n, status int, retryAfter time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures, s.failure = n, failure{status, retryAfter}
}

// Asked are the queries received since the last call.
func (s *Server) Asked() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// ServeHTTP implements http.Handler: GET …/requests.json and …/requests.xml.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	query := req.URL.Query()
	s.asked = append(s.asked, query)
	write := s.writeJSON
	if strings.HasSuffix(req.URL.Path, ".xml") {
		write = s.writeXML
	}
	name := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	switch {
	case s.failures > 0:
		s.failures--
		if s.failure.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(s.failure.retryAfter.Seconds())))
		}
		write(w, s.failure.status, nil)
	case req.Method != http.MethodGet || name != "requests.json" && name != "requests.xml":
		write(w, http.StatusNotFound, nil)
	case s.options.APIKey != "" && query.Get("api_key") != s.options.APIKey:
		write(w, http.StatusForbidden, nil)
	case s.options.Strict && !s.knows(query):
		write(w, http.StatusBadRequest, nil)
	default:
		rows, status := s.list(query)
		write(w, status, rows)
	}
}

func (s *Server) knows(query url.Values) bool {
	for name := range query {
		switch name {
		case "jurisdiction_id", "service_request_id", "service_code", "start_date", "end_date", "status", "api_key":
		default:
			return false
		}
	}
	return true
}

// list is what the query asks for.
func (s *Server) list(query url.Values) (rows []*Request, status int) {
	if ids := query.Get("service_request_id"); ids != "" && !s.options.IgnoreIDs {
		return s.byID(strings.Split(ids, ","))
	}
	from, until := time.Time{}, s.options.Now().Add(24*time.Hour)
	if !s.options.IgnoreDates {
		for name, bound := range map[string]*time.Time{"start_date": &from, "end_date": &until} {
			if value := query.Get(name); value != "" {
				at, err := time.Parse(time.RFC3339, value)
				if err != nil {
					return nil, http.StatusBadRequest
				}
				*bound = at
			}
		}
	}
	for _, r := range s.requests {
		if !r.RequestedAt.Before(from) && !r.RequestedAt.After(until) {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b *Request) int { return b.RequestedAt.Compare(a.RequestedAt) })
	limit, skip := s.options.MaxRows, 0
	if s.options.PageSize > 0 {
		limit = s.options.PageSize
		if wanted, err := strconv.Atoi(query.Get("page_size")); err == nil && wanted > 0 {
			limit = min(limit, wanted)
		}
		if page, err := strconv.Atoi(query.Get("page")); err == nil && page > 0 {
			skip = (page - 1) * limit
		}
	}
	rows = rows[min(skip, len(rows)):]
	return rows[:min(limit, len(rows))], http.StatusOK
}

func (s *Server) byID(ids []string) (rows []*Request, status int) {
	for _, r := range s.requests {
		if slices.Contains(ids, r.ID) {
			rows = append(rows, r)
		}
	}
	if s.options.NotFound && len(rows) < len(ids) {
		return nil, http.StatusNotFound
	}
	return rows, http.StatusOK
}

func (s *Server) time(t time.Time) string { return t.In(s.options.Zone).Format(s.options.Layout) }

func (s *Server) updated(r *Request) string {
	if s.options.WithoutUpdated {
		return ""
	}
	return s.time(r.updatedAt)
}

func status(r *Request) string {
	if r.closed {
		return "closed"
	}
	return "open"
}

func errorText(code int) string {
	return fmt.Sprintf("%d - %s", code, strings.ToLower(http.StatusText(code)))
}
