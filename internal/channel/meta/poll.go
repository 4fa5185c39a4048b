package meta

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// poll is one poll under way.
type poll struct {
	*source
	sink   channel.Sink
	cursor cursor
	// What is older than since has been read of the list that is being read; entries of lists that are older than
	// bound are not looked into.
	since, bound time.Time
	// pages that this poll has read, pending the events that the ledger does not have yet, odd the items that
	// made no sense.
	pages   int
	pending []complaint.Event
	odd     int
}

// list is one of the lists that are read, newest entries first.
type list struct {
	name, path string
	query      url.Values
	// messages says that it is one of conversations, in the order of their last messages.
	messages bool
	// entry reads one of its entries.
	entry func(raw json.RawMessage) (entryOf, error)
}

// entryOf is an entry of a list.
type entryOf struct {
	id string
	// at is by what the list is sorted; changed is when its items last changed, zero for not known.
	at, changed moment
	// event is its own, nil for none.
	event *complaint.Event
	// items are what is said below it.
	items items
}

// items is a list whose items are events, newest first unless unsorted says so.
type items struct {
	path     string
	query    url.Values
	unsorted bool
	// read says what an item is: its events, its instant, and more to read of it.
	read func(raw json.RawMessage) (events []*complaint.Event, at moment, more *items, err error)
}

// Poll implements channel.Poller. It first asks whether Meta delivers; what it should have delivered is read
// all the same.
func (s *source) Poll(ctx context.Context, saved json.RawMessage, sink channel.Sink) error {
	of, err := s.subscribed(ctx)
	if err != nil {
		return err
	}
	if of.lost != nil {
		sink.Problem(of.lost.Reason, of.lost.Message, 0)
	}
	now := s.now().UTC().Truncate(time.Second)
	p := &poll{source: s, sink: sink, cursor: s.open(saved)}
	if p.cursor.Window == nil {
		p.cursor.Window = &window{Started: now}
	}
	p.bound = p.cursor.Window.Started.Add(-s.lookback)
	// Messages may be read where they are delivered, as the access token has the permission then, and so where
	// they were until lately.
	lists := s.lists(p.bound, of.messages || of.lost != nil && !p.cursor.Messages.IsZero())
	if err := p.read(ctx, lists); err != nil {
		return err
	}
	if of.lost != nil {
		return of.lost
	}
	return nil
}

// read reads the lists from where the last poll was cut off, or from their beginning.
func (p *poll) read(ctx context.Context, lists []list) error {
	w := p.cursor.Window
	if !slices.ContainsFunc(lists, func(l list) bool { return l.name == w.List }) {
		w.List, w.After, w.Done = "", "", "" // it is not read any more
	}
	messages := false
	for i := range lists {
		messages = messages || lists[i].messages
		if w.List != "" && w.List != lists[i].name {
			continue
		}
		w.List, p.since = lists[i].name, p.from(p.cursor.Through)
		if lists[i].messages {
			p.since = p.from(p.cursor.Messages)
		}
		if err := p.list(ctx, &lists[i]); err != nil {
			return err
		}
		w.List, w.After, w.Done = "", "", ""
		if i+1 < len(lists) {
			w.List = lists[i+1].name
		}
	}
	late := !p.cursor.Through.IsZero() && p.cursor.Through.Before(p.bound)
	p.cursor.Through, p.cursor.Window = w.Started, nil
	if messages {
		p.cursor.Messages = w.Started
	}
	if err := p.flush(ctx, &p.cursor.Through); err != nil {
		return err
	}
	if late {
		p.sink.Problem(ledgerapi.ReasonHistoryLost, "nothing was read for longer than reconcile.lookback, and comments below older posts are not looked for", 1)
	}
	return nil
}

// from is where a reading begins after one that was complete through an instant; zero is none.
func (p *poll) from(through time.Time) time.Time {
	if through.IsZero() {
		return p.bound
	}
	return through.Add(-p.overlap)
}

// list reads a list and what is below its entries.
func (p *poll) list(ctx context.Context, l *list) error {
	w := p.cursor.Window
	seen := map[string]bool{}
	for {
		got, err := p.get(ctx, l.path, l.query, w.After)
		if err != nil {
			return err
		}
		end, err := p.entries(ctx, l, got.Data)
		if err != nil {
			return err
		}
		next := got.next()
		if end || next == "" {
			return nil
		}
		if seen[next] {
			return invalid("the pages go in a circle: the next one was read already")
		}
		seen[next] = true
		w.After, w.Done = next, ""
	}
}

// entries reads a page of a list; end says that what follows is of no interest.
func (p *poll) entries(ctx context.Context, l *list, data []json.RawMessage) (end bool, err error) {
	w := p.cursor.Window
	var all []entryOf
	for _, raw := range data {
		e, err := l.entry(raw)
		if err != nil || !plain(e.id) {
			p.odd++
			continue
		}
		all = append(all, e)
		if e.id == w.Done {
			all = nil // these have been read
		}
	}
	for i := range all {
		e := &all[i]
		if e.at.Before(p.bound) || l.messages && e.at.Before(p.since) {
			return true, nil
		}
		if p.pages >= p.maxPages {
			if err := p.flush(ctx, nil); err != nil {
				return false, err
			}
			return false, &channel.Error{Reason: ledgerapi.ReasonConnected,
				Message: fmt.Sprintf("read %d pages, as many as reconcile.maxPages allows; the next reading goes on", p.pages)}
		}
		if e.event != nil && !e.event.OccurredAt.Before(p.since) {
			p.pending = append(p.pending, *e.event)
		}
		if e.items.path != "" && (e.changed.IsZero() || !e.changed.Before(p.since)) {
			if err := p.items(ctx, &e.items); err != nil {
				return false, err
			}
		}
		w.Done = e.id
	}
	return false, nil
}

// items reads what is below an entry.
func (p *poll) items(ctx context.Context, of *items) error {
	after := ""
	seen := map[string]bool{}
	for {
		got, err := p.get(ctx, of.path, of.query, after)
		if err != nil {
			return err
		}
		old := false
		for _, raw := range got.Data {
			events, at, more, err := of.read(raw)
			if err != nil {
				p.odd++
				continue
			}
			old = old || !of.unsorted && at.Before(p.since)
			for _, e := range events {
				if e != nil && !e.OccurredAt.Before(p.since) {
					p.pending = append(p.pending, *e)
				}
			}
			if more == nil {
				continue
			}
			if err := p.items(ctx, more); err != nil {
				return err
			}
		}
		if err := p.flush(ctx, nil); err != nil {
			return err
		}
		after = got.next()
		if old || after == "" {
			return nil
		}
		if seen[after] {
			return invalid("the pages go in a circle: the next one was read already")
		}
		seen[after] = true
	}
}

// flush hands to the ledger what it does not have. The cursor is at the last entry that was read to its end.
func (p *poll) flush(ctx context.Context, through *time.Time) error {
	if len(p.pending) > 0 || through != nil || p.pages >= p.maxPages {
		err := p.sink.Append(ctx, channel.Batch{Events: p.pending, Cursor: channel.EncodeCursor(p.cursor), ObservedThrough: through})
		if err != nil {
			return err
		}
	}
	p.pending = nil
	if p.odd > 0 {
		p.sink.Problem(ledgerapi.ReasonInvalidResponse, "an entry of the Graph API has no id, no time or not the documented shape", p.odd)
		p.odd = 0
	}
	return nil
}

// get asks for a page.
func (p *poll) get(ctx context.Context, path string, query url.Values, after string) (page, error) {
	if after != "" {
		query = maps.Clone(query)
		query.Set("after", after)
	}
	p.pages++
	var got page
	return got, p.graph.get(ctx, p.graph.client, path, query, &got)
}

// plain reports whether an id can be a part of an address.
func plain(id string) bool {
	return id != "" && strings.Trim(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-=:") == ""
}

func ask(fields string, limit int) url.Values {
	return url.Values{"fields": {fields}, "limit": {strconv.Itoa(limit)}}
}
