// Package csvdrop reads CSV files that a system exports into a directory of a volume. A file is read when
// it is complete and never before, each content once, and a row that cannot be understood stops no other.
// What a row means is said by the source that uses it.
package csvdrop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Defaults of CSVFiles, which the API server fills in as well.
const (
	defaultPattern      = "*.csv"
	defaultMarkerSuffix = ".done"
	defaultSettleTime   = 10 * time.Second
	defaultInterval     = 30 * time.Second
	defaultMaxFileBytes = 32 << 20
)

// Row is what became of a row.
type Row struct {
	Events []complaint.Event
	// Skipped says that the row is no complaint by the specification.
	Skipped bool
	// At is the newest instant in it, of whatever kind.
	At time.Time
	// Problem is why the row, or a part of it, could not be understood; nil is none. Its message names
	// the field and never holds what stands in it.
	Problem *channel.Error
}

// Understand makes the function that reads a file's rows of its header. The error says what the header
// lacks; it may name columns of the specification and never those of the file.
type Understand func(header []string) (func(fields []string) Row, error)

// Config is what a source is made of.
type Config struct {
	Files *v1alpha1.CSVFiles
	// Dir is where the files are, Quarantine where rows may be written that could not be understood; "" is
	// nowhere.
	Dir, Quarantine string
	// Understand reads rows. Fingerprint changes with whatever it does.
	Understand  Understand
	Fingerprint string
	Now         func() time.Time
	Logger      *slog.Logger
}

// Source reads the files of a directory. It implements channel.Poller and channel.Observer.
type Source struct {
	config               Config
	pattern              string
	marker               string // "" where a file that got its name is complete
	settleTime, interval time.Duration
	maxBytes             int64
	comma                rune
	fingerprint          string

	root *os.Root
	seen map[string]*sighting
	// read are the contents that were read; the cursor may have room for the newest of them only. It holds as
	// long as the ledger has the cursor that was left.
	read     map[digest]bool
	left     json.RawMessage
	observed time.Time
}

// New opens a source. A directory that is not there yet is an error of the first poll.
func New(config Config) (*Source, error) {
	files := config.Files
	s := &Source{
		config: config, pattern: defaultPattern,
		settleTime: channel.Duration(files.SettleTime, defaultSettleTime), interval: channel.Duration(files.Interval, defaultInterval),
		maxBytes: int64(channel.Number(files.MaxFileBytes, defaultMaxFileBytes)), comma: ',', seen: map[string]*sighting{}, read: map[digest]bool{},
	}
	if files.Pattern != "" {
		s.pattern = files.Pattern
	}
	if files.Completion == v1alpha1.CSVMarker {
		s.marker = defaultMarkerSuffix
		if files.MarkerSuffix != "" {
			s.marker = files.MarkerSuffix
		}
	}
	switch files.Delimiter {
	case v1alpha1.CSVSemicolon:
		s.comma = ';'
	case v1alpha1.CSVTab:
		s.comma = '\t'
	case v1alpha1.CSVPipe:
		s.comma = '|'
	case v1alpha1.CSVComma:
	}
	s.fingerprint = fingerprint(config.Fingerprint, string(files.Delimiter), string(files.Encoding), files.Header)
	return s, nil
}

// Interval implements channel.Poller.
func (s *Source) Interval() time.Duration { return s.interval }

// ObservedThrough implements channel.Observer: a file tells of what happened before it was made, so the
// newest instant in what was read is as far as anything is known.
func (s *Source) ObservedThrough() time.Time { return s.observed }

// Close implements channel.Source.
func (s *Source) Close() error {
	if s.root == nil {
		return nil
	}
	return s.root.Close()
}

// open opens the directory anew for each poll, as what is mounted there may be another one since. Nothing
// outside of it is ever opened, whatever a link in it says.
func (s *Source) open() error {
	if s.config.Dir == "" {
		return &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the worker was not told where the files are; see --files"}
	}
	if err := s.Close(); err != nil {
		return unreadable("the directory", err)
	}
	s.root = nil
	root, err := os.OpenRoot(s.config.Dir)
	if err != nil {
		return unreadable("the directory", err)
	}
	s.root = root
	return nil
}

// unreadable is the error of a file or directory. What the system says may repeat a path and is left out.
func unreadable(what string, err error) *channel.Error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &channel.Error{Reason: ledgerapi.ReasonNotFound, Message: what + " is not there; check volume.claimName and volume.subPath"}
	case errors.Is(err, fs.ErrPermission):
		return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: what + " may not be read; let the group 65532 read it"}
	}
	return &channel.Error{Reason: ledgerapi.ReasonUnreachable, Message: what + " cannot be read", Err: err}
}

// shown is how a file is called in messages: what is no plain name might be anything.
func shown(name string) string {
	const longest = 64
	plain := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '?'
	}
	runes := []rune(name)
	if len(runes) > longest {
		runes = runes[:longest]
	}
	for i, r := range runes {
		runes[i] = plain(r)
	}
	return fmt.Sprintf("the file %s", string(runes))
}
