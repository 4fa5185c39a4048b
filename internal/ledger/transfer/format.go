// Package transfer writes all that a ledger's storage holds into one stream, and reads it into another
// storage, of any kind: events, cases with what was counted of them, figures, channels with their
// cursors, and settings. It knows nothing of what they mean, so that nothing of it is derived again: a
// clock, a verdict, a counter and a pseudonym arrive as they were. Only what an earlier version kept in another
// form is brought into that of this one.
//
// The stream has one JSON document a line. The first is the header, the last the end; between them
// come settings, channels, figures, replies, and cases, each followed by its events. It holds whatever personal
// data the ledger holds.
package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// format and version stand in the header.
const (
	format  = "tanggap-ledger-export"
	version = 1
)

// The errors that are wrapped; any other is an accident after which an import can be continued.
var (
	// ErrNotEmpty says that the storage holds something else than the beginning of the same export.
	ErrNotEmpty = errors.New("the storage is not empty")
	// ErrUnfinished says that an import into the storage has not come to its end.
	ErrUnfinished = errors.New("an import into this storage was not finished")
	// ErrInvalid says that the stream is not an export, not a whole one, or not as it was written.
	ErrInvalid = errors.New("not a whole export of a ledger")
	// ErrNewer says that a newer version of the program wrote the export.
	ErrNewer = errors.New("a newer version of the program wrote the export")
)

// line is one line of the stream: exactly one member is set.
type line struct {
	Header  *header      `json:"header,omitempty"`
	Setting *settingLine `json:"setting,omitempty"`
	Channel *channelLine `json:"channel,omitempty"`
	Figures *figuresLine `json:"figures,omitempty"`
	Reply   *replyLine   `json:"reply,omitempty"`
	Case    *caseLine    `json:"case,omitempty"`
	Event   *eventLine   `json:"event,omitempty"`
	End     *end         `json:"end,omitempty"`
}

type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// ID tells one export from another.
	ID         string    `json:"id"`
	ExportedAt time.Time `json:"exportedAt"`
	// At is the latest instant at which the ledger judged anything; nil for one that never did.
	At *time.Time `json:"at,omitempty"`
}

type settingLine struct {
	Name  string `json:"name"`
	Value opaque `json:"value"`
}

type channelLine struct {
	Name               string     `json:"name"`
	Cursor             opaque     `json:"cursor,omitempty"`
	Generation         int64      `json:"generation,omitempty"`
	ObservedThrough    *time.Time `json:"observedThrough,omitempty"`
	LastEventAt        *time.Time `json:"lastEventAt,omitempty"`
	OldestUnansweredAt *time.Time `json:"oldestUnansweredAt,omitempty"`
	Report             opaque     `json:"report,omitempty"`
}

type figuresLine struct {
	Key    string                     `json:"key"`
	Values [store.FigureColumns]int64 `json:"values"`
}

type replyLine struct {
	Channel string     `json:"channel"`
	ID      string     `json:"id"`
	Case    string     `json:"case,omitempty"`
	NextAt  *time.Time `json:"nextAt,omitempty"`
	EndsAt  *time.Time `json:"endsAt,omitempty"`
	DoneAt  *time.Time `json:"doneAt,omitempty"`
	Event   string     `json:"event,omitempty"`
	State   opaque     `json:"state,omitempty"`
}

type caseLine struct {
	complaint.CaseKey
	complaint.Dimensions
	Status          string        `json:"status,omitempty"`
	ReceivedAt      *time.Time    `json:"receivedAt,omitempty"`
	AnsweredAt      *time.Time    `json:"answeredAt,omitempty"`
	WaitingSince    *time.Time    `json:"waitingSince,omitempty"`
	UnansweredSince *time.Time    `json:"unansweredSince,omitempty"`
	ClosedAt        *time.Time    `json:"closedAt,omitempty"`
	DueAt           *time.Time    `json:"dueAt,omitempty"`
	NextAt          *time.Time    `json:"nextAt,omitempty"`
	UnfinalAt       *time.Time    `json:"unfinalAt,omitempty"`
	Open            bool          `json:"open,omitempty"`
	Overdue         bool          `json:"overdue,omitempty"`
	Live            bool          `json:"live,omitempty"`
	Pseudonym       []byte        `json:"pseudonym,omitempty"`
	Holds           store.Content `json:"holds,omitempty"`
	State           opaque        `json:"state,omitempty"`
	// Events is how many event lines follow.
	Events int `json:"events"`
}

type eventLine struct {
	complaint.Event
	Pseudonym  []byte    `json:"pseudonym,omitempty"`
	ReceivedAt time.Time `json:"receivedAt"`
}

// end tells a whole stream from the beginning of one.
type end struct {
	Totals
	// SHA256 is that of all bytes before the line, in hex.
	SHA256 string `json:"sha256"`
}

// Totals are how many of each there are.
type Totals struct {
	Settings int `json:"settings"`
	Channels int `json:"channels"`
	Figures  int `json:"figures"`
	Replies  int `json:"replies"`
	Cases    int `json:"cases"`
	Events   int `json:"events"`
}

// String is the totals as a person reads them.
func (t Totals) String() string {
	return fmt.Sprintf("%d cases with %d events, %d replies, %d figures, %d channels, %d settings",
		t.Cases, t.Events, t.Replies, t.Figures, t.Channels, t.Settings)
}

// opaque is a document that the storage does not look into: shown as the JSON that it nearly always
// is, else in base64, so that it comes back byte by byte.
type opaque []byte

// MarshalJSON implements json.Marshaler.
func (o opaque) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("null"), nil
	}
	if shownAsIs(o) {
		return o, nil
	}
	return json.Marshal([]byte(o))
}

// shownAsIs reports whether a document is JSON of the very form in which it would be written, and not
// such as stands for another.
func shownAsIs(o opaque) bool {
	if len(o) == 0 || o[0] == '"' || string(o) == "null" || !json.Valid(o) {
		return false
	}
	var compact bytes.Buffer
	return json.Compact(&compact, o) == nil && bytes.Equal(compact.Bytes(), o)
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *opaque) UnmarshalJSON(text []byte) error {
	switch {
	case string(text) == "null":
		*o = nil
	case text[0] == '"':
		return json.Unmarshal(text, (*[]byte)(o))
	default:
		*o = bytes.Clone(text)
	}
	return nil
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func lineOfChannel(c *store.Channel) *channelLine {
	return &channelLine{
		Name: c.Name, Cursor: c.Cursor, Generation: c.Generation, ObservedThrough: optional(c.ObservedThrough),
		LastEventAt: optional(c.LastEventAt), OldestUnansweredAt: optional(c.OldestUnansweredAt), Report: c.Report,
	}
}

func (l *channelLine) channel() store.Channel {
	return store.Channel{
		Name: l.Name, Cursor: l.Cursor, Generation: l.Generation, ObservedThrough: instant(l.ObservedThrough),
		LastEventAt: instant(l.LastEventAt), OldestUnansweredAt: instant(l.OldestUnansweredAt), Report: l.Report,
	}
}

func (l *replyLine) reply() store.Reply {
	r := store.Reply{
		Channel: l.Channel, ID: l.ID, CaseID: l.Case, NextAt: instant(l.NextAt), EndsAt: instant(l.EndsAt), DoneAt: instant(l.DoneAt),
		Event: l.Event, State: l.State,
	}
	if r.CaseID == "" {
		findable(&r)
	}
	return r
}

// findable gives a reply that a version before kept, by its state alone, what it is found by, as the storages'
// migrations do.
func findable(r *store.Reply) {
	var state struct{ Case, Event, State string }
	if json.Unmarshal(r.State, &state) != nil || state.Case == "" {
		return
	}
	r.CaseID, r.Event = state.Case, state.Event
	switch {
	case r.NextAt.IsZero():
	case state.State == "Sending":
		r.EndsAt = r.NextAt
	default:
		// One that waits ends a day after it was taken; here a day after it is to be tried again.
		r.EndsAt = r.NextAt.Add(24 * time.Hour)
	}
}

func lineOfCase(c *store.Case, events int) *caseLine {
	return &caseLine{
		CaseKey: c.CaseKey, Dimensions: c.Dimensions, Status: c.Status,
		ReceivedAt: optional(c.ReceivedAt), AnsweredAt: optional(c.AnsweredAt), WaitingSince: optional(c.WaitingSince),
		UnansweredSince: optional(c.UnansweredSince), ClosedAt: optional(c.ClosedAt), DueAt: optional(c.DueAt),
		NextAt: optional(c.NextAt), UnfinalAt: optional(c.UnfinalAt),
		Open: c.Open, Overdue: c.Overdue, Live: c.Live, Pseudonym: c.Pseudonym, Holds: c.Holds, State: c.State, Events: events,
	}
}

func (l *caseLine) row() store.Case {
	return store.Case{
		CaseKey: l.CaseKey, Dimensions: l.Dimensions, Status: l.Status,
		ReceivedAt: instant(l.ReceivedAt), AnsweredAt: instant(l.AnsweredAt), WaitingSince: instant(l.WaitingSince),
		UnansweredSince: instant(l.UnansweredSince), ClosedAt: instant(l.ClosedAt), DueAt: instant(l.DueAt),
		NextAt: instant(l.NextAt), UnfinalAt: instant(l.UnfinalAt),
		Open: l.Open, Overdue: l.Overdue, Live: l.Live, Pseudonym: l.Pseudonym, Holds: l.Holds, State: l.State,
	}
}
