package email

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// pageSize is how many messages are handed on at once, if they are not larger together than pageBytes.
	pageSize  = 50
	pageBytes = 8 << 20
	// listSize is how many messages are asked for their size and date at once.
	listSize = 500
)

// Poll implements channel.Poller: it reads the messages that arrived or were sent since the last poll, those that
// arrived first before the others, whatever mailbox they are in.
func (s *source) Poll(ctx context.Context, saved json.RawMessage, sink channel.Sink) error {
	c, started := s.open(saved), s.now().UTC()
	if err := s.ready(ctx); err != nil {
		return err
	}
	// The library knows no context: closing the connection ends whatever waits for it.
	session := s.session
	stop := context.AfterFunc(ctx, func() { _ = session.client.Close() })
	err := s.read(ctx, c, started, sink)
	if stop(); err != nil {
		s.drop()
		return err
	}
	return nil
}

// ready has a session that works.
func (s *source) ready(ctx context.Context) error {
	if session := s.session; session != nil {
		stop := context.AfterFunc(ctx, func() { _ = session.client.Close() }) // as in Poll
		session.conn.expect(true)                                             // where the server knows no IDLE
		session.wakeUp()
		if err := session.client.Noop().Wait(); stop() && err == nil {
			return nil
		}
		s.drop() // the server has ended it, as servers do
	}
	session, err := s.connect(ctx, s.arrived)
	s.session = session
	return err
}

// feed is what is new in a mailbox.
type feed struct {
	name     string
	sent     bool
	position *position
	// next is the UID that the mailbox gives next, 0 if it does not say.
	next imap.UID
	// uids are those of new messages, ascending, of which listed have been asked for their size and date.
	uids   []imap.UID
	listed []envelope
}

// envelope is what is known of a message before it is read.
type envelope struct {
	uid  imap.UID
	at   time.Time
	size int64
}

// read reads what is new, page by page.
func (s *source) read(ctx context.Context, c *cursor, started time.Time, sink channel.Sink) error {
	feeds, err := s.feeds(ctx, c, started, sink)
	if err != nil {
		return err
	}
	for range s.maxPages {
		page, err := s.next(ctx, feeds)
		if err != nil {
			return err
		}
		batch := channel.Batch{}
		if len(page) == 0 {
			c.Through = started
			batch.Cursor, batch.ObservedThrough = channel.EncodeCursor(c), &started
			if err := sink.Append(ctx, batch); err != nil {
				return err
			}
			return s.watch(ctx, feeds[0])
		}
		r := &result{}
		if err := s.fetch(ctx, feeds, page, r); err != nil {
			return err
		}
		for _, m := range page {
			m.feed.position.Last = max(m.feed.position.Last, m.uid)
		}
		batch.Events, batch.Returned, batch.Skipped, batch.Cursor = r.events, r.returned, r.skipped, channel.EncodeCursor(c)
		if err := sink.Append(ctx, batch); err != nil {
			return err
		}
		for _, p := range r.problems {
			sink.Problem(p.reason, p.message, p.items)
		}
	}
	return &channel.Error{Reason: ledgerapi.ReasonConnected,
		Message: fmt.Sprintf("read %d pages, as many as polling.maxPages allows; the next poll goes on", s.maxPages)}
}

// feeds finds what is new in every mailbox.
func (s *source) feeds(ctx context.Context, c *cursor, started time.Time, sink channel.Sink) ([]*feed, error) {
	var feeds []*feed
	for _, name := range s.mailboxes {
		feeds = append(feeds, &feed{name: name})
	}
	sent, err := s.sentMailbox(ctx)
	if err != nil {
		return nil, err
	}
	if sent == "" {
		sink.Problem(ledgerapi.ReasonNotFound, `the server marks no mailbox as that of sent messages (\Sent), so that no answers are seen; set sentMailbox`, 0)
	} else {
		feeds = append(feeds, &feed{name: sent, sent: true})
	}
	for _, f := range feeds {
		if err := s.news(ctx, c, f, started); err != nil {
			return nil, err
		}
	}
	return feeds, nil
}

// sentMailbox is the name of the mailbox of sent messages; "" if there is none.
func (s *source) sentMailbox(ctx context.Context) (string, error) {
	if s.sent != "" {
		return s.sent, nil
	}
	caps := s.session.client.Caps()
	if !caps.Has(imap.CapSpecialUse) && !caps.Has(imap.CapIMAP4rev2) {
		return "", nil
	}
	var options *imap.ListOptions
	if caps.Has(imap.CapListExtended) || caps.Has(imap.CapIMAP4rev2) {
		options = &imap.ListOptions{ReturnSpecialUse: true}
	}
	list, err := s.session.client.List("", "*", options).Collect()
	if err != nil {
		return "", s.failure(ctx, err, "")
	}
	for _, mailbox := range list {
		if slices.Contains(mailbox.Attrs, imap.MailboxAttrSent) {
			return mailbox.Mailbox, nil
		}
	}
	return "", nil
}

// examine has the server look at a mailbox.
func (s *source) examine(ctx context.Context, name string) (*imap.SelectData, error) {
	data, err := s.session.client.Select(name, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return nil, s.failure(ctx, err, "")
	}
	s.session.examined = name
	return data, nil
}

// news finds the new messages of a mailbox.
func (s *source) news(ctx context.Context, c *cursor, f *feed, started time.Time) error {
	data, err := s.examine(ctx, f.name)
	if err != nil {
		return err
	}
	f.next, f.position = data.UIDNext, s.at(c, f.name, data.UIDValidity, started)
	p := f.position
	if data.NumMessages == 0 || p.Last > 0 && data.UIDNext > 0 && data.UIDNext <= p.Last+1 {
		return nil
	}
	criteria := &imap.SearchCriteria{UID: []imap.UIDSet{{imap.UIDRange{Start: p.Last + 1}}}}
	if p.Last == 0 {
		// Servers compare dates only, in a zone of their own.
		criteria.Since = p.Since.Add(-24 * time.Hour)
	}
	found, err := s.session.client.UIDSearch(criteria, nil).Wait()
	if err != nil {
		return s.failure(ctx, err, "")
	}
	if !countable(found.All) {
		return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "the mail server finds more messages than a mailbox can have"}
	}
	for _, uid := range found.AllUIDs() {
		// n:* always has the last message, however small its number is.
		if uid > p.Last {
			f.uids = append(f.uids, uid)
		}
	}
	slices.Sort(f.uids)
	if p.Last == 0 && data.UIDNext > 1 && len(f.uids) == 0 {
		p.Last = data.UIDNext - 1 // all there is, is older
	}
	return nil
}

// item is a message of a page.
type item struct {
	*feed
	envelope
}

// next is the next page: of all mailboxes what arrived first, and within each in its order.
func (s *source) next(ctx context.Context, feeds []*feed) ([]item, error) {
	var page []item
	bytes := int64(0)
	for len(page) < pageSize {
		var first *feed
		for _, f := range feeds {
			if err := s.list(ctx, f); err != nil {
				return nil, err
			}
			if len(f.listed) > 0 && (first == nil || f.listed[0].at.Before(first.listed[0].at)) {
				first = f
			}
		}
		if first == nil {
			break
		}
		m := item{first, first.listed[0]}
		if bytes += min(m.size, s.maxMessage); bytes > pageBytes && len(page) > 0 {
			break
		}
		first.listed = first.listed[1:]
		page = append(page, m)
	}
	return page, nil
}

// list asks for the size and date of the next messages of a mailbox when those known are used up. A message that
// is gone by then is passed over, as is one that arrived before anything is read.
func (s *source) list(ctx context.Context, f *feed) error {
	for len(f.listed) == 0 && len(f.uids) > 0 {
		if s.session.examined != f.name {
			if _, err := s.examine(ctx, f.name); err != nil {
				return err
			}
		}
		chunk := f.uids[:min(len(f.uids), listSize)]
		messages := map[imap.UID]envelope{}
		err := twice(chunk, func(uids []imap.UID) (unanswered []imap.UID, err error) {
			answers, err := s.session.client.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true, InternalDate: true, RFC822Size: true}).Collect()
			if err != nil {
				return nil, s.failure(ctx, err, "")
			}
			for _, m := range answers {
				if messages[m.UID] = (envelope{m.UID, m.InternalDate, m.RFC822Size}); m.InternalDate.IsZero() {
					unanswered = append(unanswered, m.UID)
				}
			}
			return unanswered, nil
		})
		if err != nil {
			return err
		}
		f.uids = f.uids[len(chunk):]
		for _, uid := range chunk {
			if m, there := messages[uid]; there && !m.at.Before(f.position.Since) {
				f.listed = append(f.listed, m)
			}
		}
		if len(f.listed) == 0 {
			f.position.Last = max(f.position.Last, chunk[len(chunk)-1])
		}
	}
	return nil
}

// countable reports whether a set of messages is of a size that can be, before it is written out.
func countable(set imap.NumSet) bool {
	uids, ok := set.(imap.UIDSet)
	total := uint64(0)
	for _, r := range uids {
		if r.Stop < r.Start {
			return false // without an end
		}
		total += uint64(r.Stop-r.Start) + 1
	}
	return ok && total <= maxFound || set == nil
}

// maxFound is more messages than any mailbox has.
const maxFound = 10_000_000

// twice asks for messages, and once more for those of which it was told without being given what it asked for: a
// server tells of a message's flags whenever another program has changed them, and the library takes the first
// that comes for the answer.
func twice(uids []imap.UID, ask func(uids []imap.UID) (unanswered []imap.UID, err error)) error {
	unanswered, err := ask(uids)
	if err == nil && len(unanswered) > 0 {
		_, err = ask(unanswered)
	}
	return err
}

// fetch reads the messages of a page, no more of each than is allowed, and says what has happened by them.
func (s *source) fetch(ctx context.Context, feeds []*feed, page []item, r *result) error {
	texts := map[*feed]map[imap.UID][]byte{}
	for _, f := range feeds {
		var uids []imap.UID
		for _, m := range page {
			if m.feed == f {
				uids = append(uids, m.uid)
			}
		}
		if len(uids) == 0 {
			continue
		}
		if s.session.examined != f.name {
			if _, err := s.examine(ctx, f.name); err != nil {
				return err
			}
		}
		texts[f] = map[imap.UID][]byte{}
		err := twice(uids, func(uids []imap.UID) (unanswered []imap.UID, err error) {
			section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: s.maxMessage}}
			command := s.session.client.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}})
			for data := command.Next(); data != nil; data = command.Next() {
				uid, text := s.text(data)
				if texts[f][uid] = text; text == nil {
					unanswered = append(unanswered, uid)
				}
			}
			if err := command.Close(); err != nil {
				return nil, s.failure(ctx, err, "")
			}
			return unanswered, nil
		})
		if err != nil {
			return err
		}
	}
	for _, m := range page {
		// One that is gone by now is not there.
		if text, there := texts[m.feed][m.uid]; there {
			s.translator.translate(r, text, m.at, m.sent)
		}
	}
	return nil
}

// text is what the server sends of a message, as much of it as is allowed.
func (s *source) text(data *imapclient.FetchMessageData) (uid imap.UID, text []byte) {
	for item := data.Next(); item != nil; item = data.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			uid = item.UID
		case imapclient.FetchItemDataBodySection:
			if item.Literal != nil {
				text, _ = io.ReadAll(io.LimitReader(item.Literal, s.maxMessage)) // the command tells of an error
			}
		}
	}
	return uid, text
}

// watch has the server tell of new messages in the first mailbox until the next poll.
func (s *source) watch(ctx context.Context, first *feed) error {
	data, err := s.examine(ctx, first.name)
	if err != nil {
		return err
	}
	if data.UIDValidity == first.position.Validity && first.next > 0 && data.UIDNext > first.next {
		s.arrived() // since it was looked at
	} else {
		s.session.idle()
	}
	if s.session.idling == nil {
		s.session.conn.expect(false)
	}
	return nil
}
