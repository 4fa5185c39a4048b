package open311

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// maxWindow stays below the 90 days that a server need answer for, clockSkew included.
	maxWindow = 88 * 24 * time.Hour
	// minWindow is not halved: its halves, which overlap by a second, would be no smaller.
	minWindow = 2 * time.Second
	// clockSkew is read beyond now: for servers whose clock is ahead, and for those that take end_date
	// for the beginning of that day.
	clockSkew = 24 * time.Hour
	// shortSweep is how far back the list is read again with each round of open requests, and longSweep
	// once in sweepInterval: for requests that became visible late, and for closed ones opened again.
	shortSweep    = 24 * time.Hour
	longSweep     = 90 * 24 * time.Hour
	sweepInterval = 24 * time.Hour
	// rowsPerBatch keeps a batch within one request to the ledger, as a request makes few events.
	rowsPerBatch = 200
	// idsPerRequest and bytesPerRequest keep the URL short enough for any server.
	idsPerRequest   = 50
	bytesPerRequest = 1500
	// maxSeen bounds the memory of what was read: about 10 MiB.
	maxSeen = 100_000
)

// poll is one poll under way.
type poll struct {
	*source
	sink    channel.Sink
	cursor  cursor
	known   *transitions
	started time.Time
	// sent is the server's count of requests when the poll began; progress says that something was read
	// since, so that the position has moved.
	sent     int
	progress bool
	// read has the requests that this poll has come upon.
	read map[string]bool
	// missing counts open requests that the server does not have.
	missing int
}

// spent reports whether the poll has done what one poll may. It always gets on by something, however
// little it may.
func (p *poll) spent() bool {
	return p.progress && p.server.sent-p.sent >= p.maxPages
}

// errMore ends a poll that may not read more.
func errMore() error {
	return &channel.Error{Reason: ledgerapi.ReasonConnected, Message: "there is more to read than one poll may; the next one goes on"}
}

// readList reads the list from where the last poll stopped, window by window.
func (p *poll) readList(ctx context.Context) error {
	from := p.from()
	for first := true; from.Before(p.started) || first; first = false {
		until := from.Add(maxWindow)
		if !until.Before(p.started) {
			until = p.started
		}
		if err := p.readWindow(ctx, from, until); err != nil {
			return err
		}
		from = until
	}
	p.cursor.Through, p.cursor.Next = p.started, time.Time{}
	return nil
}

// from is where this poll's reading of the list begins.
func (p *poll) from() time.Time {
	c := &p.cursor
	if !c.Next.IsZero() {
		return c.Next
	}
	if c.Through.IsZero() {
		c.Swept = p.started
		return p.started.Add(-p.lookback)
	}
	from := c.Through.Add(-p.overlap)
	back := time.Duration(0)
	if c.Round.IsZero() && p.roundDue() {
		back = shortSweep
	}
	if p.started.Sub(c.Swept) >= sweepInterval {
		c.Swept = p.started
		back = longSweep
	}
	// Not further back than the very first poll went.
	if again := p.started.Add(-min(back, max(p.lookback, p.overlap))); back > 0 && again.Before(from) {
		from = again
	}
	return from
}

// readWindow reads the requests made between two instants, in halves where they are too many for one
// answer.
func (p *poll) readWindow(ctx context.Context, from, until time.Time) error {
	if p.spent() {
		return p.leave(ctx, from)
	}
	end := until
	if until.Equal(p.started) {
		end = until.Add(clockSkew)
	}
	smallest := until.Sub(from) <= minWindow
	rows, full, err := p.server.window(ctx, from, end, smallest)
	if err != nil {
		return err
	}
	if full && !smallest && !p.unfiltered(rows, from, end) {
		middle := from.Add(until.Sub(from) / 2).Truncate(time.Second)
		if !middle.After(from) {
			middle = from.Add(time.Second)
		}
		// The halves overlap by a second: whether a server counts the ends in is its own affair.
		if err := p.readWindow(ctx, from, middle.Add(time.Second)); err != nil {
			return err
		}
		return p.readWindow(ctx, middle, until)
	}
	if full && smallest {
		p.sink.Problem(ledgerapi.ReasonInvalidResponse, "the server has more requests of one moment than it lists; the rest cannot be read", 0)
	}
	return p.store(ctx, rows, func() { p.cursor.Next = until })
}

// unfiltered reports whether the server does not heed start_date and end_date: halving the window would
// go on for ever.
func (p *poll) unfiltered(rows answer, from, until time.Time) bool {
	outside := 0
	for i := range rows.requests {
		at, err := parseTime(rows.requests[i].Requested, p.translator.zone)
		if err == nil && (at.Before(from.Add(-clockSkew)) || at.After(until.Add(clockSkew))) {
			outside++
		}
	}
	p.undated = outside > len(rows.requests)/2
	return p.undated
}

// leave ends the poll with the reading of the list to be gone on with from there.
func (p *poll) leave(ctx context.Context, from time.Time) error {
	p.cursor.Next = from
	if err := p.save(ctx, nil, nil); err != nil {
		return err
	}
	return errMore()
}

// store hands the events of what was read to the sink; advance moves the cursor past it with the last.
func (p *poll) store(ctx context.Context, rows answer, advance func()) error {
	if rows.odd > 0 {
		p.sink.Problem(ledgerapi.ReasonInvalidResponse, "an entry of the list is no service request", rows.odd)
	}
	for rest := rows.requests; ; {
		part := rest[:min(rowsPerBatch, len(rest))]
		rest = rest[len(part):]
		var events []complaint.Event
		fresh := map[requestHash][32]byte{}
		for i := range part {
			events = append(events, p.events(&part[i], fresh)...)
		}
		if len(rest) == 0 {
			advance()
			p.progress = true
		}
		if len(events) > 0 {
			if err := p.save(ctx, events, nil); err != nil {
				return err
			}
		}
		p.remember(fresh)
		if len(rest) == 0 {
			return nil
		}
	}
}

// events are those of one request, none if the ledger has them.
func (p *poll) events(r *request, fresh map[requestHash][32]byte) []complaint.Event {
	p.read[string(r.ID)] = true
	key, said := hashOf(r), r.fingerprint()
	if p.seen[key] == said {
		return nil
	}
	fresh[key] = said
	requested, err := parseTime(r.Requested, p.translator.zone)
	first := err == nil && requested.After(p.cursor.Through)
	events, err := p.translator.events(r, sight{at: p.started, first: first}, p.known)
	if err != nil {
		if problem, ok := errors.AsType[*channel.Error](err); ok {
			p.sink.Problem(problem.Reason, "a service request's "+problem.Message, 1)
		}
	}
	return events
}

func (p *poll) remember(fresh map[requestHash][32]byte) {
	if len(p.seen)+len(fresh) > maxSeen {
		clear(p.seen)
	}
	maps.Copy(p.seen, fresh)
}

// save hands events and the cursor to the sink.
func (p *poll) save(ctx context.Context, events []complaint.Event, observed *time.Time) error {
	p.cursor.Transitions = p.known.encode()
	encoded, err := json.Marshal(p.cursor)
	if err != nil {
		return &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the position cannot be written", Err: err}
	}
	if err := p.sink.Append(ctx, channel.Batch{Events: events, Cursor: encoded, ObservedThrough: observed}); err != nil {
		return err
	}
	p.left = encoded
	return nil
}

// roundDue reports whether open requests are to be asked for.
func (p *poll) roundDue() bool {
	return !p.cursor.Round.IsZero() || p.started.Sub(p.cursor.Rechecked) >= p.recheck
}

// readOpen asks for the requests that the ledger has open, when it is time to, and ends the poll.
func (p *poll) readOpen(ctx context.Context) error {
	if !p.roundDue() {
		return p.save(ctx, nil, nil)
	}
	if p.cursor.Round.IsZero() {
		p.cursor.Round, p.cursor.RoundAfter = p.started, ""
	}
	ids, err := p.sink.OpenCases(ctx)
	if err != nil {
		return err
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(ids, func(id string) bool {
		// The list of identifiers is separated by commas, so none with a comma can be asked for.
		return id <= p.cursor.RoundAfter || p.read[id] || strings.Contains(id, ",")
	})
	for first := true; len(ids) > 0; first = false {
		if !first && (p.spent() || p.now().Sub(p.started) >= p.interval) {
			// New requests must not wait for the round's end.
			if err := p.save(ctx, nil, nil); err != nil {
				return err
			}
			return errMore()
		}
		n := fitting(ids)
		if err := p.readByID(ctx, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return p.finishRound(ctx)
}

// fitting is how many of the identifiers go into one request.
func fitting(ids []string) int {
	n, size := 0, 0
	for n < min(len(ids), idsPerRequest) && (n == 0 || size+len(ids[n]) < bytesPerRequest) {
		size += len(ids[n]) + 3
		n++
	}
	return n
}

// readByID asks for some requests and stores what they say.
func (p *poll) readByID(ctx context.Context, ids []string) error {
	rows, err := p.server.byID(ctx, ids)
	if err != nil {
		return err
	}
	answered := len(rows.requests)
	rows.requests = slices.DeleteFunc(rows.requests, func(r request) bool {
		_, asked := slices.BinarySearch(ids, string(r.ID))
		return !asked
	})
	if answered > 0 {
		p.blind = len(rows.requests) < answered // it lists what it was not asked for
	}
	p.missing += max(len(ids)-len(rows.requests), 0)
	return p.store(ctx, rows, func() { p.cursor.RoundAfter = ids[len(ids)-1] })
}

// finishRound notes that everything has been read, changes included, as of the round's beginning.
func (p *poll) finishRound(ctx context.Context) error {
	if p.missing > 0 {
		p.logger.Info("Did not find requests that are open in the ledger", "requests", p.missing)
	}
	observed := p.cursor.Round
	p.cursor.Rechecked, p.cursor.Round, p.cursor.RoundAfter = observed, time.Time{}, ""
	if p.blind {
		return p.save(ctx, nil, nil)
	}
	if err := p.save(ctx, nil, &observed); err != nil {
		return err
	}
	p.observed = observed
	return nil
}
