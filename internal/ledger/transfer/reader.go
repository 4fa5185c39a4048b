package transfer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// maxLineBytes bounds one line: a policy of 32 MiB is the longest there can be.
const maxLineBytes = 64 << 20

// reader reads lines and adds them up. Its errors name lines by their number, and never what stands there.
type reader struct {
	in     *bufio.Reader
	number int
	totals Totals
	all    hash.Hash
	// next was read and is to be read again.
	next *line
}

func newReader(in io.Reader) *reader {
	return &reader{in: bufio.NewReaderSize(in, 1<<18), all: sha256.New()}
}

func (r *reader) invalid(what string) error {
	return fmt.Errorf("%w: line %d %s", ErrInvalid, r.number, what)
}

// newer is the error of a line that only another version of the program can have written.
func (r *reader) newer(what string) error {
	return fmt.Errorf("%w: line %d %s; import it with the version that wrote it, or a later one", ErrNewer, r.number, what)
}

// read is the next line; beside the error of one with a member that is not known, what is known of it. Before the end line
// there is none that ends the stream.
func (r *reader) read() (*line, error) {
	if l := r.next; l != nil {
		r.next = nil
		return l, nil
	}
	r.number++
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	l := &line{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(l); err != nil {
		// The error is not told: what stands in the line may stand in it.
		known := &line{}
		if json.Unmarshal(text, known) == nil {
			return known, r.newer("has something that this program does not know")
		}
		return nil, r.invalid("cannot be read")
	}
	if l.End != nil {
		return l, r.check(l.End)
	}
	r.all.Write(text)
	return l, nil
}

// text is the bytes of the next line.
func (r *reader) text() ([]byte, error) {
	var text []byte
	for {
		part, err := r.in.ReadSlice('\n')
		if text = append(text, part...); len(text) > maxLineBytes {
			return nil, r.invalid("is too long")
		}
		switch {
		case err == nil:
			return text, nil
		case errors.Is(err, io.EOF):
			return nil, r.invalid("is missing: it ends early")
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("reading the export: %w", err)
		}
	}
}

// check compares what was read with what the last line says of it.
func (r *reader) check(e *end) error {
	if e.Totals != r.totals {
		return r.invalid("says that it has other lines before it")
	}
	if e.SHA256 != hex.EncodeToString(r.all.Sum(nil)) {
		return r.invalid("says that the lines before it were changed")
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		return r.invalid("is the end, and something follows")
	}
	return nil
}

func (r *reader) header() (*header, error) {
	l, err := r.read()
	switch {
	case l == nil:
		return nil, err
	case l.Header == nil || l.Header.Format != format || l.Header.ID == "":
		return nil, r.invalid("is not its header")
	case l.Header.Version > version:
		return nil, fmt.Errorf("%w: it has version %d, this program knows %d", ErrNewer, l.Header.Version, version)
	case err != nil:
		return nil, err
	}
	return l.Header, nil
}

// small is what stands before the cases.
type small struct {
	settings []settingLine
	channels []store.Channel
	figures  []store.Figures
}

func (r *reader) small() (*small, error) {
	s := &small{}
	for {
		l, err := r.read()
		switch {
		case err != nil:
			return nil, err
		case l.Setting != nil && !local(l.Setting.Name):
			s.settings = append(s.settings, *l.Setting)
			r.totals.Settings++
		case l.Channel != nil:
			s.channels = append(s.channels, l.Channel.channel())
			r.totals.Channels++
		case l.Figures != nil:
			s.figures = append(s.figures, store.Figures{Key: l.Figures.Key, Values: l.Figures.Values})
			r.totals.Figures++
		case l.Reply != nil || l.Case != nil || l.End != nil:
			r.next = l
			return s, nil
		default:
			return nil, r.invalid("is out of place")
		}
	}
}

// batch is what one transaction stores.
type batch struct {
	replies []store.Reply
	cases   []store.Case
	events  []store.Event
}

// batch reads replies and cases up to the bound of a transaction; more is false at the end. Of the first skip cases
// nothing is kept.
func (r *reader) batch(skip int) (b *batch, more bool, err error) {
	b = &batch{}
	for len(b.events)+len(b.cases)+len(b.replies) < batchEvents {
		l, err := r.read()
		switch {
		case err != nil:
			return nil, false, err
		case l.End != nil:
			if r.totals.Cases < skip {
				return nil, false, r.invalid("is the end, and more is stored already")
			}
			return b, false, nil
		case l.Reply != nil && r.totals.Cases == 0:
			// They stand before the cases. Storing them once more changes nothing.
			b.replies = append(b.replies, l.Reply.reply())
			r.totals.Replies++
			continue
		case l.Case == nil:
			return nil, false, r.invalid("is out of place")
		}
		events, err := r.events(l.Case)
		if err != nil {
			return nil, false, err
		}
		if r.totals.Cases++; r.totals.Cases > skip {
			b.cases = append(b.cases, l.Case.row())
			b.events = append(b.events, events...)
		}
	}
	return b, true, nil
}

// events reads the events of a case.
func (r *reader) events(of *caseLine) ([]store.Event, error) {
	var events []store.Event
	for range of.Events {
		l, err := r.read()
		if err != nil {
			return nil, err
		}
		if l.Event == nil || l.Event.Key() != of.CaseKey {
			return nil, r.invalid("is no event of the case before it")
		}
		e := store.Event{Event: l.Event.Event, Pseudonym: l.Event.Pseudonym, ReceivedAt: l.Event.ReceivedAt.UTC()}
		e.OccurredAt = e.OccurredAt.UTC()
		switch {
		case e.Kind == "" || e.OccurredAt.IsZero():
			return nil, r.invalid("is an event without a kind or a time")
		case !e.Kind.Valid():
			return nil, r.newer("is an event of a kind that this program does not know")
		}
		events = append(events, e)
	}
	r.totals.Events += len(events)
	return events, nil
}
