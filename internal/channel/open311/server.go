package open311

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// defaultMaxRows is how many requests the specification lets a server list at most.
	defaultMaxRows = 1000
	// wantedPage is the size of a page asked for; servers that know pages give fewer if they like.
	wantedPage = 1000
	// maxWindowPages is how many pages of one window are read before it is halved, so that the position
	// moves on between them.
	maxWindowPages = 10
	// decisivePage is the fewest requests in an answer that make a second page worth asking for.
	decisivePage = 10
	// likelyLimit is what limits of servers are multiples of.
	likelyLimit = 50
)

// server asks one GeoReport v2 server and learns in doing so what it can do.
type server struct {
	client       *fetch.Client
	base         *url.URL
	xml          bool
	jurisdiction string
	key          string
	maxRows      int
	// sent counts the requests.
	sent int

	// plain says that the server refuses parameters that the specification does not have.
	plain bool
	// paging is whether the server knows the parameter page: a widespread extension.
	paging paging
	// pageSize is the largest answer that another page followed; 0 is not known.
	pageSize int
	// largest is the largest answer of a server without pages.
	largest int
}

type paging int

const (
	pagingUnknown paging = iota
	pagingYes
	pagingNo
)

// window lists the requests made between two instants. full says that there may be more than it has.
func (s *server) window(ctx context.Context, from, until time.Time, patient bool) (rows answer, full bool, err error) {
	query := url.Values{
		"start_date": {from.UTC().Format(time.RFC3339)},
		"end_date":   {until.UTC().Format(time.RFC3339)},
	}
	rows, err = s.list(ctx, query, 1)
	if err != nil {
		return answer{}, false, err
	}
	first := len(rows.requests)
	if s.paging == pagingNo || first < decisivePage || first < s.pageSize {
		return rows, s.suspect(first), nil
	}
	known := identifiers(rows)
	for page := 2; ; page++ {
		if page > maxWindowPages && !patient {
			return rows, true, nil
		}
		more, err := s.list(ctx, query, page)
		if err != nil {
			return answer{}, false, err
		}
		news := rows.addNew(more, known)
		switch {
		case len(more.requests) == 0:
			s.paging = pagingYes
			return rows, false, nil
		case news == 0 && s.paging == pagingUnknown:
			s.paging = pagingNo // the same requests again: it does not know what a page is
			return rows, s.suspect(first), nil
		case news == 0:
			return rows, false, nil
		}
		s.paging, s.pageSize = pagingYes, max(s.pageSize, first)
		if len(more.requests) < first {
			return rows, false, nil
		}
	}
}

// suspect reports whether an answer of n requests may have been cut short by a server without pages:
// at the limit of the specification, or at a round number that no answer was ever larger than.
func (s *server) suspect(n int) bool {
	if s.paging != pagingNo {
		return false
	}
	s.largest = max(s.largest, n)
	return n >= s.maxRows || n > 0 && n%likelyLimit == 0 && n == s.largest
}

func identifiers(a answer) map[text]bool {
	known := make(map[text]bool, len(a.requests))
	for i := range a.requests {
		known[a.requests[i].ID] = true
	}
	return known
}

// addNew adds the requests that are not known and returns how many there were.
func (a *answer) addNew(more answer, known map[text]bool) (news int) {
	for i := range more.requests {
		if id := more.requests[i].ID; !known[id] {
			known[id] = true
			news++
			a.requests = append(a.requests, more.requests[i])
		}
	}
	a.odd += more.odd
	return news
}

// byID lists the requests of these identifiers; those that the server does not have are missing.
func (s *server) byID(ctx context.Context, ids []string) (answer, error) {
	rows, err := s.list(ctx, url.Values{"service_request_id": {strings.Join(ids, ",")}}, 1)
	switch {
	case err == nil || !absent(err):
		return rows, err
	case len(ids) == 1:
		return answer{}, nil
	}
	// Some servers refuse the whole list for one request that they do not have.
	half := len(ids) / 2
	rows, err = s.byID(ctx, ids[:half])
	if err != nil {
		return answer{}, err
	}
	rest, err := s.byID(ctx, ids[half:])
	rows.requests, rows.odd = append(rows.requests, rest.requests...), rows.odd+rest.odd
	return rows, err
}

// absent reports whether the server says that it does not have what was asked for.
func absent(err error) bool {
	var status *fetch.StatusError
	return errors.As(err, &status) && (status.Status == http.StatusNotFound || status.Status == http.StatusBadRequest)
}

// list asks for a page of requests.
func (s *server) list(ctx context.Context, query url.Values, page int) (answer, error) {
	rows, err := s.get(ctx, query, page)
	var status *fetch.StatusError
	if s.plain || s.paging != pagingUnknown || !errors.As(err, &status) || status.Status != http.StatusBadRequest {
		return rows, err
	}
	// The server may be one that refuses what it does not know.
	s.plain = true
	again, errAgain := s.get(ctx, query, page)
	if errAgain != nil {
		s.plain = false
		return rows, err
	}
	s.paging = pagingNo
	return again, nil
}

// get sends one request.
func (s *server) get(ctx context.Context, query url.Values, page int) (answer, error) {
	parse, file, accept := parseJSON, "requests.json", "application/json"
	if s.xml {
		parse, file, accept = parseXML, "requests.xml", "application/xml, text/xml"
	}
	target := s.base.JoinPath(file)
	values := target.Query()
	maps.Copy(values, query)
	if s.jurisdiction != "" {
		values.Set("jurisdiction_id", s.jurisdiction)
	}
	if s.key != "" {
		values.Set("api_key", s.key)
	}
	if !s.plain {
		values.Set("extensions", "true")
		values.Set("page_size", strconv.Itoa(wantedPage))
		if page > 1 {
			values.Set("page", strconv.Itoa(page))
		}
	}
	target.RawQuery = values.Encode()
	s.sent++
	response, err := s.client.Get(ctx, target, http.Header{"Accept": {accept}})
	if err != nil {
		return answer{}, err
	}
	a, err := parse(response.Body)
	if err != nil {
		return answer{}, &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: err.Error()}
	}
	if len(a.codes) > 0 && len(a.requests) == 0 {
		return answer{}, errorOf(a.codes[0])
	}
	return a, nil
}

// errorOf is the error for a code that a server put into an answer with a status of success.
func errorOf(code string) *channel.Error {
	status, err := strconv.Atoi(code)
	if err != nil || status < 100 || status > 999 {
		return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "the server answered with an error instead of service requests"}
	}
	e := &channel.Error{Message: fmt.Sprintf("the server answered with the error code %d", status), Err: &fetch.StatusError{Status: status}}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Reason = ledgerapi.ReasonUnauthorized
	case status == http.StatusNotFound || status == http.StatusGone:
		e.Reason = ledgerapi.ReasonNotFound
	case status == http.StatusTooManyRequests:
		e.Reason = ledgerapi.ReasonRateLimited
	case status >= 500 && status < 600:
		e.Reason = ledgerapi.ReasonServerError
	default:
		e.Reason = ledgerapi.ReasonInvalidResponse
	}
	return e
}
