package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tanggap/tanggap/internal/complaint"
)

// maxLineBytes is far above the longest event: its text escaped, and every attribute.
const maxLineBytes = 1 << 20

// ReadEvents reads events, one JSON object a line, in the form of the ledger's API; empty lines are
// passed over. The errors hold a FileError for each thing that is wrong, with its line and column, and nothing
// of what a citizen wrote.
func ReadEvents(name string, r io.Reader) ([]complaint.Event, error) {
	reader := bufio.NewReaderSize(r, 64<<10)
	f := faults{file: name}
	var events []complaint.Event
	for number := 1; len(f.all) < maxFaultsOfFile; number++ {
		line, err := readLine(reader)
		if errors.Is(err, errLongLine) {
			f.add(number, 1, "the line has more than %d bytes", maxLineBytes)
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // which editors on Windows put there
		}
		if trimmed := bytes.TrimRight(line, "\r\n"); len(bytes.TrimSpace(trimmed)) > 0 {
			if event, ok := readEvent(number, trimmed, &f); ok {
				events = append(events, event)
			}
		}
		if err != nil {
			break
		}
	}
	return events, f.err()
}

var errLongLine = errors.New("line too long")

// readLine reads up to and including the next line feed.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLineBytes {
			return nil, errLongLine
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// readEvent reads one line; false with a fault if it is none.
func readEvent(number int, line []byte, f *faults) (event complaint.Event, ok bool) {
	fault := func(offset int, format string, args ...any) {
		f.add(number, utf8.RuneCount(line[:min(max(offset, 0), len(line))])+1, format, args...)
	}
	keys, err := keysOf(line)
	if err != nil {
		fault(err.offset, "%s", err.message)
		return event, false
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&event); err != nil {
		offset, message := jsonFault(err, keys)
		fault(offset, "%s", message)
		return event, false
	}
	if err := event.Validate(); err != nil {
		for message := range strings.SplitSeq(err.Error(), "\n") {
			name, _, _ := strings.Cut(message, ":")
			offset := 0
			if i := slices.IndexFunc(keys, func(k jsonKey) bool { return k.name == name }); i >= 0 {
				offset = keys[i].value
			}
			fault(offset, "%s", message)
		}
		return event, false
	}
	return event, true
}

// jsonKey is a member of the line's object; the offsets are those of its name and of its value.
type jsonKey struct {
	name       string
	at, value  int
	beyondName int
}

type lineError struct {
	offset  int
	message string
}

// keysOf are the members of the object on the line. An unknown or repeated one is an error, which
// encoding/json would report without its place, or not at all.
func keysOf(line []byte) ([]jsonKey, *lineError) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	notJSON := func(err error) *lineError {
		offset := int(decoder.InputOffset())
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			offset = int(syntax.Offset) - 1
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return &lineError{len(line), "the JSON object ends too early; each event stands on a line of its own"}
		}
		return &lineError{skipSpace(line, offset), "this is not JSON"}
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, notJSON(err)
	}
	if token != json.Delim('{') {
		return nil, &lineError{0, `must be a JSON object such as {"channel":"dsw","case":"C1","id":"e1","kind":"Received","actor":"citizen","at":"2026-11-02T10:00:00+07:00"}`}
	}
	var keys []jsonKey
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		name, _ := token.(string)
		key := jsonKey{name: name, beyondName: int(decoder.InputOffset())}
		key.at = bytes.LastIndexByte(line[:key.beyondName-1], '"')
		if slices.ContainsFunc(keys, func(k jsonKey) bool { return k.name == name }) {
			return nil, &lineError{key.at, fmt.Sprintf("%q stands here a second time", name)}
		}
		if !slices.Contains(eventFields(), name) {
			return nil, &lineError{key.at, fmt.Sprintf("there is no such field; the fields are %s", strings.Join(eventFields(), ", "))}
		}
		key.value = valueOffset(line, key.beyondName)
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return nil, notJSON(err)
		}
		keys = append(keys, key)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, notJSON(err)
	}
	if rest := bytes.TrimSpace(line[decoder.InputOffset():]); len(rest) > 0 {
		return nil, &lineError{int(decoder.InputOffset()), "there is more than one JSON object on this line"}
	}
	return keys, nil
}

// valueOffset is where the value begins after a colon and spaces.
func valueOffset(line []byte, at int) int {
	at = skipSpace(line, at)
	if at < len(line) && line[at] == ':' {
		at++
	}
	return skipSpace(line, at)
}

func skipSpace(line []byte, at int) int {
	for at >= 0 && at < len(line) && (line[at] == ' ' || line[at] == '\t') {
		at++
	}
	return at
}

func eventFields() []string {
	return []string{"channel", "case", "id", "kind", "actor", "at", "to", "into", "text", "reporter", "location", "attributes", "thread", "clamped", "cleared"}
}

// jsonFault is the place and the words of an error of encoding/json.
func jsonFault(err error, keys []jsonKey) (offset int, message string) {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		name, _, _ := strings.Cut(wrong.Field, ".")
		for _, k := range keys {
			if k.name == name {
				offset = k.value
			}
		}
		return offset, fmt.Sprintf("%s: must be %s", wrong.Field, jsonKind(wrong.Type.Kind().String()))
	case strings.Contains(err.Error(), "unknown field"):
		for _, k := range keys {
			if k.name == "reporter" || k.name == "location" || k.name == "thread" {
				offset = k.value
			}
		}
		return offset, "reporter has the fields phone, email and handle, location has lat and lon, thread has quoted and windowSeconds, and no others"
	}
	for _, k := range keys {
		if k.name == "at" {
			offset = k.value
		}
	}
	return offset, "at: must be a time with an offset from UTC such as 2026-11-02T10:00:00+07:00"
}

func jsonKind(kind string) string {
	switch kind {
	case "string":
		return "a text in quotes"
	case "float64":
		return "a number"
	case "bool":
		return "true or false"
	}
	return "a JSON object"
}
