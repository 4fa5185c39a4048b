package csvdrop

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// reading is a file that is being read.
type reading struct {
	*Source
	file file
	sink channel.Sink
	// done is how many rows the ledger has from an earlier attempt.
	done int

	content    []byte
	header     []string
	understand func(fields []string) Row
	csv        *csv.Reader
	// line is the number of lines, and from that of bytes, before those that csv reads.
	line, from int

	batch    channel.Batch
	problems []problem
	rejected []rejected
	newest   time.Time
}

// problem is what is wrong with some rows.
type problem struct {
	reason  ledgerapi.Reason
	message string
	line    int
	rows    int
}

// start makes the content UTF-8 and reads the header.
func (r *reading) start(content []byte) error {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(content, []byte("\xff\xfe")) || bytes.HasPrefix(content, []byte("\xfe\xff")) {
		return errors.New("is in UTF-16; let it be written in UTF-8")
	}
	if r.config.Files.Encoding == v1alpha1.CSVWindows1252 {
		decoded, err := charmap.Windows1252.NewDecoder().Bytes(content)
		if err != nil {
			return errors.New("is not in Windows-1252")
		}
		content = decoded
	}
	r.content = content
	r.begin()
	r.header = r.config.Files.Header
	if len(r.header) == 0 {
		header, err := r.csv.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil // an empty file
		case err != nil:
			return errors.New("has a header that is no CSV; check files.delimiter")
		}
		r.header = make([]string, len(header))
		for i, name := range header {
			r.header[i] = trim(name)
		}
	}
	understand, err := r.config.Understand(r.header)
	if err != nil {
		return fmt.Errorf("has a header that lacks something: %w", err)
	}
	r.understand = understand
	return nil
}

// begin reads from there on.
func (r *reading) begin() {
	r.csv = csv.NewReader(bytes.NewReader(r.content[r.from:]))
	r.csv.Comma = r.comma
	r.csv.FieldsPerRecord = -1
	r.csv.ReuseRecord = true
}

// rows reads the rows and hands them over in batches, but for the last.
func (r *reading) rows(ctx context.Context, at *cursor) error {
	for row := 0; r.understand != nil; {
		before := r.csv.InputOffset()
		fields, err := r.csv.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		row++
		if err != nil {
			r.noCSV(err, before, row > r.done)
			continue
		}
		if len(fields) == 1 && trim(fields[0]) == "" {
			continue // an empty line
		}
		line, _ := r.csv.FieldPos(0)
		r.row(fields, r.line+line, row > r.done)
		if row > r.done && row%batchRows == 0 {
			at.Reading, at.Rows = &r.file.content, row
			r.batch.Cursor = channel.EncodeCursor(at)
			if err := r.hand(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// row reads one row; it is wanted unless the ledger has it.
func (r *reading) row(fields []string, line int, wanted bool) {
	for i := range fields {
		fields[i] = trim(fields[i])
	}
	result := r.judge(fields)
	if result.Problem != nil {
		r.rejected = append(r.rejected, rejected{line: line, reason: result.Problem.Message, fields: append([]string(nil), fields...)})
	}
	if result.At.After(r.newest) && !result.At.After(r.config.Now()) {
		r.newest = result.At
	}
	if !wanted {
		return
	}
	r.batch.Events = append(r.batch.Events, result.Events...)
	if result.Skipped {
		r.batch.Skipped++
	}
	if result.Problem != nil {
		r.note(result.Problem.Reason, result.Problem.Message, line)
	}
}

// judge understands a row, if it is one.
func (r *reading) judge(fields []string) Row {
	if len(fields) != len(r.header) {
		return Row{Problem: &channel.Error{Reason: ledgerapi.ReasonInvalidResponse,
			Message: fmt.Sprintf("has %d columns where the header has %d", len(fields), len(r.header))}}
	}
	for _, value := range fields {
		if !utf8.ValidString(value) {
			return Row{Problem: &channel.Error{Reason: ledgerapi.ReasonInvalidResponse,
				Message: "is not in UTF-8; check files.encoding"}}
		}
	}
	return r.understand(fields)
}

// noCSV notes a row that is no CSV and goes on with the line after its first, as a stray quote must not take
// the rows after it along. However many there are, a line is read twice at most: one that goes on a row that was
// begun with a quote does not begin such a row itself.
func (r *reading) noCSV(err error, before int64, wanted bool) {
	const message = "is no CSV: a quote is not closed or stands where none may"
	line := 0
	if failure, ok := errors.AsType[*csv.ParseError](err); ok {
		line = failure.StartLine
	}
	// Empty lines before it were passed over, and are counted in line.
	from := r.from + int(before)
	rest := bytes.TrimLeft(r.content[from:], "\r\n")
	from = len(r.content) - len(rest)
	raw, _, _ := bytes.Cut(rest, []byte("\n"))
	r.rejected = append(r.rejected, rejected{line: r.line + line, reason: message, fields: []string{trim(string(raw))}})
	if wanted {
		r.note(ledgerapi.ReasonInvalidResponse, message, r.line+line)
	}
	r.from = min(from+len(raw)+1, len(r.content))
	r.line += line
	r.begin()
}

// note counts a row under what is wrong with it.
func (r *reading) note(reason ledgerapi.Reason, message string, line int) {
	for i := range r.problems {
		if p := &r.problems[i]; p.reason == reason && p.message == message {
			p.rows++
			return
		}
	}
	r.problems = append(r.problems, problem{reason, message, line, 1})
}

// complain says what is wrong with the file as a whole.
func (r *reading) complain(reason ledgerapi.Reason, message string) {
	r.problems = append(r.problems, problem{reason, message, 0, 1})
}

// hand gives what has been read to the sink, and says what was wrong.
func (r *reading) hand(ctx context.Context) error {
	if err := r.sink.Append(ctx, r.batch); err != nil {
		return err
	}
	r.left = r.batch.Cursor
	r.batch = channel.Batch{}
	for _, p := range r.problems {
		where := shown(r.file.name)
		if p.line > 0 {
			where += fmt.Sprintf(", line %d", p.line)
		}
		if p.rows > 1 {
			where += fmt.Sprintf(" and %d others", p.rows-1)
		}
		r.sink.Problem(p.reason, where+": "+p.message, p.rows)
	}
	r.problems = nil
	return nil
}

// trim takes the space around a value away, and NUL bytes, which not every store takes.
func trim(value string) string { return strings.TrimSpace(strings.ReplaceAll(value, "\x00", "")) }
