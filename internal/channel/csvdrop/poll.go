package csvdrop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// batchRows is how many rows are read between two batches.
const batchRows = 500

// Poll implements channel.Poller. The events of some rows are with the ledger, and the cursor with them,
// before further rows are looked at; a poll that is cut off goes on where it was.
func (s *Source) Poll(ctx context.Context, saved json.RawMessage, sink channel.Sink) error {
	if err := s.open(); err != nil {
		return err
	}
	at := s.restore(saved)
	if !bytes.Equal(saved, s.left) {
		// The ledger is what knows, and it may be another one than it was, or restored from a backup.
		clear(s.read)
	}
	for _, content := range at.Read {
		s.read[content] = true
	}
	files, err := s.complete(s.config.Now())
	if err != nil {
		return err
	}
	var trouble error
	for _, f := range files {
		if f.refused || f.known && s.read[f.content] {
			continue
		}
		if f.size > s.maxBytes {
			f.refused = true
			sink.Problem(ledgerapi.ReasonBodyTooLarge, fmt.Sprintf("%s has more than files.maxFileBytes, %d bytes", shown(f.name), s.maxBytes), 1)
			continue
		}
		content, err := s.load(f)
		switch {
		case errors.Is(err, errChanged):
			continue // it was not complete, and is looked at again
		case err != nil:
			trouble = err // the other files can be read all the same
			continue
		}
		if err := s.file(ctx, &at, f, content, sink); err != nil {
			return err
		}
	}
	return trouble
}

// file reads the rows of a file from where the cursor stands on, and hands them over.
func (s *Source) file(ctx context.Context, at *cursor, f file, content []byte, sink channel.Sink) error {
	f.content, f.known = digestOf(content), true
	if s.read[f.content] {
		return nil // the same content under another name, or again
	}
	done := 0
	if at.Reading != nil && *at.Reading == f.content {
		done = at.Rows
	}
	r := &reading{Source: s, file: f, sink: sink, done: done}
	if err := r.start(content); err != nil {
		r.complain(ledgerapi.ReasonInvalidResponse, err.Error())
	} else if err := r.rows(ctx, at); err != nil {
		return err
	}
	r.quarantine()
	at.remember(f.content, s.present())
	r.batch.Cursor = channel.EncodeCursor(at)
	if r.newest.After(s.observed) {
		r.batch.ObservedThrough = &r.newest
	}
	if err := r.hand(ctx); err != nil {
		return err
	}
	s.read[f.content] = true
	if r.newest.After(s.observed) {
		s.observed = r.newest
	}
	return nil
}
