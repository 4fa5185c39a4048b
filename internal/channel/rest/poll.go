package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxTokenBytes bounds what a source may call a page, so that the cursor stays small.
const maxTokenBytes = 8 << 10

// poll is one poll under way.
type poll struct {
	*source
	sink   channel.Sink
	cursor cursor
	// seen are the tokens of pages that this poll has asked for.
	seen map[string]bool
	// previous are the identifiers of the last page's events.
	previous []string
	// resumed says that the next page is the first of this poll and not the first of its window.
	resumed bool
}

// Poll implements channel.Poller. The events of each page are with the ledger, and the cursor with
// them, before the next page is asked for; a poll that is cut off goes on where it was.
func (s *source) Poll(ctx context.Context, saved json.RawMessage, sink channel.Sink) error {
	now := s.now()
	p := &poll{source: s, sink: sink, cursor: s.open(saved, now), seen: map[string]bool{}}
	if p.cursor.Window == nil {
		p.begin(false)
	} else {
		p.resumed = true
	}
	for range s.timing.maxPages {
		done, err := p.step(ctx)
		if done || err != nil {
			return err
		}
	}
	return &channel.Error{Reason: ledgerapi.ReasonConnected,
		Message: fmt.Sprintf("read %d pages, as many as polling.maxPages allows; the next poll goes on", s.timing.maxPages)}
}

// begin starts a window at its first page.
func (p *poll) begin(second bool) {
	w := &window{Until: p.now(), Position: p.first(), Second: second}
	if p.cursor.Window != nil {
		w.Newest = p.cursor.Window.Newest
	}
	p.cursor.Window = w
	p.resumed = false
	p.previous = nil
	clear(p.seen)
}

// step reads one page and hands it to the sink, and reports whether it was the last.
func (p *poll) step(ctx context.Context) (done bool, err error) {
	w := p.cursor.Window
	read, err := p.read(ctx)
	if err != nil {
		if p.resumed && w.Position.stale(err) {
			// What a page was called before the interruption need not be known to the source any more.
			p.begin(w.Second)
			return false, nil
		}
		return false, err
	}
	p.resumed = false
	if read.UpdatedAt.After(w.Newest) {
		w.Newest = read.UpdatedAt
	}
	batch := channel.Batch{Events: read.Events}
	switch {
	case !read.last:
		if err := p.advance(read); err != nil {
			return false, err
		}
		w.Position = read.next
		batch.Cursor = channel.EncodeCursor(p.cursor)
	case p.moved():
		p.begin(true)
		batch.Cursor = channel.EncodeCursor(p.cursor)
	default:
		done = true
		batch.Cursor, batch.ObservedThrough = channel.EncodeCursor(p.after(p.cursor)), &w.Until
	}
	if err := p.sink.Append(ctx, batch); err != nil {
		return false, err
	}
	if done {
		p.observed = w.Until
	}
	for _, problem := range read.Problems {
		p.sink.Problem(problem.Reason, problem.Message, problem.Items)
	}
	return done, nil
}

// read asks for the page at the cursor's position.
func (p *poll) read(ctx context.Context) (page, error) {
	w := p.cursor.Window
	request, err := p.request(p.cursor.Since, w.Until, w.Position)
	if err != nil {
		return page{}, err
	}
	answer, err := p.client.Do(ctx, request)
	if err != nil {
		return page{}, err
	}
	return p.understand(answer, w.Position)
}

// stale reports whether the error may come of a position that the source no longer knows. Some say that what
// they called a page is forbidden by then, as a signed link is, or fail over it; where that is not why, the first page
// is refused like it, and nothing has changed.
func (p position) stale(err error) bool {
	failure, ok := errors.AsType[*channel.Error](err)
	switch {
	case !ok:
		return false
	case failure.Reason == ledgerapi.ReasonInvalidResponse || failure.Reason == ledgerapi.ReasonNotFound:
		return true
	}
	status, answered := errors.AsType[*fetch.StatusError](err)
	return answered && p.Token != "" && failure.RetryAfter == 0 &&
		(status.Status == http.StatusForbidden || status.Status == http.StatusInternalServerError)
}

// advance checks that the next page is another one: a source that ignores how it is asked for pages
// would be read for ever.
func (p *poll) advance(read page) error {
	if token := read.next.Token; token != "" {
		if len(token) > maxTokenBytes {
			return invalid("the next page is called by a text that is too long")
		}
		if token == p.cursor.Window.Position.Token || p.seen[token] {
			return invalid("the pages go in a circle: the next one was read already; check pagination")
		}
		p.seen[token] = true
	}
	ids := make([]string, len(read.Events))
	for i := range read.Events {
		ids[i] = read.Events[i].ID
	}
	if len(ids) > 0 && slices.Equal(ids, p.previous) {
		return invalid("the source gives the same page again and again; check pagination.parameter, or set size so that the last page is known")
	}
	p.previous = ids
	return nil
}

// moved reports whether items changed their places while the window was read by their numbers: one
// that is updated leaves its place, and the first of the next page takes the last of this one, which
// is not asked for again. Then the window is read once more.
func (p *poll) moved() bool {
	w := p.cursor.Window
	counted := p.pagination.Type == v1alpha1.PaginationPage || p.pagination.Type == v1alpha1.PaginationOffset
	return counted && !w.Second && w.Position != p.first() && w.Newest.After(w.Until)
}
