// Package store says what the ledger asks of a database: to keep events once, cases with what was
// derived from them, and figures that only change by addition. It knows nothing of policies and
// clocks. Every method takes many rows at once, so that an implementation may send them in one
// statement; package storetest says by tests what an implementation must do.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// The errors that an implementation wraps where they apply; any other error is an accident that may
// be gone at the next try.
var (
	// ErrFull says that there is no space left: what is stored is whole, nothing more can be added.
	ErrFull = errors.New("the ledger's storage is full")
	// ErrDamaged says that what is stored is not what was written.
	ErrDamaged = errors.New("the ledger's storage is damaged")
	// ErrInUse says that another ledger has the storage open.
	ErrInUse = errors.New("another ledger uses this storage")
	// ErrNewer says that a newer version of the program wrote the storage.
	ErrNewer = errors.New("the ledger's storage was written by a newer version")
	// ErrUnavailable says that the storage cannot be reached, or does not work, now: whatever is asked.
	ErrUnavailable = errors.New("the ledger's storage is not available")
	// ErrClock says that the storage has a clock, and that of whoever uses it is another: whatever is asked.
	ErrClock = errors.New("the clock is not that of the ledger's storage")
)

// Store keeps one ledger. It is safe for concurrent use. Several Stores, in several processes, may
// be open on one storage where the implementation allows it; else opening it is ErrInUse.
type Store interface {
	// Update runs f in a transaction that is durable when Update returns nil; an error of f leaves
	// everything as it was. After an error of the commit itself (a connection that was cut) it may have
	// been done all the same, as a whole, which the Head tells. f may be run again after a conflict
	// with another process, so that it must not have effects of its own before Update returned.
	//
	// Updates of all Stores on one storage run one after the other, and f sees everything that those
	// before it have committed. An Update that wrote (which gave something to a method of Tx) has a
	// revision, one above that of the one before: the order of revisions is that of the commits.
	Update(ctx context.Context, f func(Tx) error) error
	// View runs f on a snapshot; it waits for no Update and no Update waits for it.
	View(ctx context.Context, f func(Reader) error) error
	// Exclusive says that nobody else can write to the storage while the Store is open.
	Exclusive() bool
	// Close ends the use; it waits for what is running.
	Close() error
}

// Reader reads. Slices that answer slices have their length and order.
type Reader interface {
	// Cases are the cases of the keys; nil where there is none.
	Cases(ctx context.Context, keys []complaint.CaseKey) ([]*Case, error)
	// Events are all events of each case, in no particular order.
	Events(ctx context.Context, keys []complaint.CaseKey) ([][]Event, error)
	// Due are at most limit cases with a NextAt that is not after until, the earliest first.
	Due(ctx context.Context, until time.Time, limit int) ([]Case, error)
	// Unfinal are at most limit cases of the channels with an UnfinalAt that is not after the Through of
	// their channel, in no particular order. No channel is there twice.
	Unfinal(ctx context.Context, channels []Observed, limit int) ([]Case, error)
	// Expired are at most limit cases that were closed by closedBefore and hold all of the content, the
	// earliest closed first.
	Expired(ctx context.Context, holds Content, closedBefore time.Time, limit int) ([]Case, error)
	// CasesOfEvents are the CaseIDs that the channel's events of the IDs belong to; "" where there is no such event.
	CasesOfEvents(ctx context.Context, channel string, ids []string) ([]string, error)
	// ByReporter are for each query the latest cases of a reporter, the latest first.
	ByReporter(ctx context.Context, queries []ReporterQuery) ([][]Case, error)
	// Page is a page of cases in the order of (channel, case). It may have fewer cases than the limit,
	// or none, without being the last: next is the key to go on after, nil at the end.
	Page(ctx context.Context, query PageQuery) (cases []Case, next *complaint.CaseKey, err error)
	// OldestUnanswered is for each channel the earliest UnansweredSince; the zero time where there is none.
	OldestUnanswered(ctx context.Context, channels []string) ([]time.Time, error)
	// Setting is a document by name; nil where there is none.
	Setting(ctx context.Context, name string) ([]byte, error)

	// Replies are the replies of the ids of a channel; nil where there is none.
	Replies(ctx context.Context, channel string, ids []string) ([]*Reply, error)
	// OpenReplies are at most limit replies of the channel with a NextAt that is not after until, the earliest first.
	OpenReplies(ctx context.Context, channel string, until time.Time, limit int) ([]Reply, error)
	// EndingReplies are at most limit replies with an EndsAt that is not after until, the earliest first.
	EndingReplies(ctx context.Context, until time.Time, limit int) ([]Reply, error)
	// OpenRepliesOf are the replies of the cases that have a NextAt, in no particular order.
	OpenRepliesOf(ctx context.Context, keys []complaint.CaseKey) ([]Reply, error)
	// RepliesOfEvents are the replies of the channel with these Events; nil where there is none.
	RepliesOfEvents(ctx context.Context, channel string, events []string) ([]*Reply, error)
	// RepliesAfter are at most limit replies of the channel with an ID above the one given, in the order of
	// their IDs, those that are done among them.
	RepliesAfter(ctx context.Context, channel, id string, limit int) ([]Reply, error)

	// Head is the latest revision; in an Update, the one before it.
	Head(ctx context.Context) (Head, error)
	// Figures calls f with every row of figures that was added to after the revision since, in no
	// particular order; after 0 these are all. Where several Stores may be open on the storage, it
	// costs what has changed and not what there is.
	Figures(ctx context.Context, since int64, f func(Figures) error) error
	// Channels are the channels that were put after the revision since, in the order of their names.
	Channels(ctx context.Context, since int64) ([]Channel, error)
	// Settings are the documents that were put after the revision since, in the order of their names.
	Settings(ctx context.Context, since int64) ([]Setting, error)
}

// Rememberer is an optional part of a Reader; implement it where several Stores may be open on the storage. Committed is the
// revision of the last Update of this Store that the storage has, 0 where it does not know: an earlier one than the Store
// has seen committed shows that the storage has lost some, as after a fail-over, however far others have gone on.
type Rememberer interface {
	Committed(ctx context.Context) (revision int64, err error)
}

// Head says where a storage stands.
type Head struct {
	// Revision is that of the last Update that wrote, 0 when there was none.
	Revision int64
	// At is the last instant that was given to Tx.Stamp, the zero time when there was none.
	At time.Time
}

// Tx reads and writes. What was written is seen by what is read after it.
type Tx interface {
	Reader
	// InsertEvents adds the events that are not there yet by (Channel, ID) and says which were new; of
	// several with one key within the slice the first is new. Every case that a new event belongs to
	// must be put before the transaction ends.
	InsertEvents(ctx context.Context, events []Event) (inserted []bool, err error)
	// ReplaceEvents overwrites the kind and the content of events that are there: text, location,
	// attributes, handles, pseudonym and Cleared. What was there before is not kept anywhere.
	ReplaceEvents(ctx context.Context, events []Event) error
	// PutCases adds the cases or replaces them.
	PutCases(ctx context.Context, cases []Case) error
	// AddFigures adds to the rows of the keys, which start at zero; no key is there twice.
	AddFigures(ctx context.Context, figures []Figures) error
	// PutChannels adds the channels or replaces them.
	PutChannels(ctx context.Context, channels []Channel) error
	// PutSetting replaces a document.
	PutSetting(ctx context.Context, name string, value []byte) error
	// PutReplies adds the replies or replaces them. What was there before is not kept anywhere.
	PutReplies(ctx context.Context, replies []Reply) error
	// DropReplies removes at most limit replies with a DoneAt before the instant and says how many.
	DropReplies(ctx context.Context, doneBefore time.Time, limit int) (int, error)
	// Stamp keeps an instant with the revision of the Update, as the Head's At, if the Update writes
	// anything besides; the last one counts.
	Stamp(at time.Time)
}

// Expecter is an optional part of a Tx; implement it where every question costs a round trip. Expect reads
// together what the transaction is about to ask for one after the other. It changes no answer.
type Expecter interface {
	Expect(ctx context.Context, expected Expected) error
}

// Expected is what a transaction is about to ask for: Cases, whether events are there in InsertEvents, and
// ByReporter with exactly these queries.
type Expected struct {
	Cases     []complaint.CaseKey
	Events    []EventKey
	Reporters []ReporterQuery
}

// EventKey is the key of an event.
type EventKey struct{ Channel, ID string }

// MaxCaseEvents is how many events a case can hold at most; InsertEvents of more is an error. The ledger
// stops long before.
const MaxCaseEvents = 1 << 20

// Event is an event as it is kept. Times are kept to the microsecond and come back in UTC.
type Event struct {
	complaint.Event
	// Pseudonym stands for the reporter; nil is none. Reporter is kept as it is given: who must not keep
	// it leaves it out.
	Pseudonym []byte
	// ReceivedAt is when the ledger took the event.
	ReceivedAt time.Time
}

// Case is a case as it is kept: what is derived from its events, as far as anything is searched by
// it, and the rest as State. Times are kept to the microsecond and come back in UTC; the zero time is
// none.
type Case struct {
	complaint.CaseKey
	complaint.Dimensions
	Status string
	// ReceivedAt, AnsweredAt and WaitingSince are as in ledgerapi.Case; ClosedAt is the time from which
	// retention counts: of an open case too, if it has been idle for long.
	ReceivedAt, AnsweredAt, WaitingSince, ClosedAt time.Time
	// UnansweredSince is WaitingSince of a case that nobody has answered, else zero.
	UnansweredSince time.Time
	// DueAt is the earliest due instant of the running clocks.
	DueAt time.Time
	// NextAt is when time alone changes the case.
	NextAt time.Time
	// UnfinalAt is the observedThrough that the channel must reach for the next verdict to become final;
	// set once the clock is past due.
	UnfinalAt time.Time
	Open      bool
	Overdue   bool
	// Live cases are those about which something has still to be done: open, closed with a clock that is not
	// decided, or closed although unanswered or overdue. One that is open, unanswered or overdue, or has a
	// DueAt, is always live.
	Live bool
	// Pseudonym stands for the reporter; nil is none.
	Pseudonym []byte
	// Holds says what personal data the case's events hold.
	Holds Content
	// Events is how many events there are; the store keeps it, whatever is put.
	Events int
	// State is whatever else was derived; the store does not look into it.
	State []byte
}

// Unanswered says that nobody has answered the case.
func (c *Case) Unanswered() bool { return !c.UnansweredSince.IsZero() }

// Content is a set of kinds of personal data.
type Content int

// The kinds: texts, locations and attributes; raw phone numbers, addresses and handles.
const (
	ContentText Content = 1 << iota
	ContentHandles
)

// Has reports whether all of part is in the set.
func (c Content) Has(part Content) bool { return c&part == part }

// Figures are numbers that only change by addition. What key and columns mean is the caller's
// business.
type Figures struct {
	Key    string
	Values [FigureColumns]int64
	// Revision is the last that added to the row; the store keeps it, whatever is added.
	Revision int64
}

// FigureColumns is how many numbers one row of figures has.
const FigureColumns = 5

// Channel is what is kept of one channel.
type Channel struct {
	Name string
	// Cursor and Generation are the position of the channel's source.
	Cursor     []byte
	Generation int64
	// ObservedThrough and LastEventAt are event times, zero for none.
	ObservedThrough, LastEventAt time.Time
	// OldestUnansweredAt is the OldestUnanswered of the channel; who puts cases keeps it.
	OldestUnansweredAt time.Time
	// Report is what workers last said; the store does not look into it.
	Report []byte
	// Revision is the last that put the channel; the store keeps it, whatever is put.
	Revision int64
}

// Setting is a document by name.
type Setting struct {
	Name  string
	Value []byte
	// Revision is the last that put it.
	Revision int64
}

// Observed says through which event time a channel's source has been read completely.
type Observed struct {
	Channel string
	Through time.Time
}

// Reply is a reply on its way out, or done. (Channel, ID) is its key.
type Reply struct {
	Channel, ID string
	// CaseID is whose it is.
	CaseID string
	// NextAt is when something is to be done about it; the zero time is never again.
	NextAt time.Time
	// EndsAt is when it ends unless something has become of it by then; the zero time is never.
	EndsAt time.Time
	// DoneAt is when it was done; the zero time is not yet.
	DoneAt time.Time
	// Event is the identifier of the answer that it became; "" is none.
	Event string
	// State is whatever else there is; the store does not look into it.
	State []byte
}

// ReporterQuery asks for the cases of one reporter that were received from From until before To, at
// most Limit.
type ReporterQuery struct {
	Pseudonym []byte
	From, To  time.Time
	// Unreceived asks instead for the cases without a ReceivedAt, in no particular order.
	Unreceived bool
	Limit      int
}

// PageQuery asks for cases after a key; empty members ask for nothing.
type PageQuery struct {
	After *complaint.CaseKey
	// Limit is how many cases are returned at most, Scan how many are looked at at most; both are above 0.
	Limit, Scan int
	// Channel and Dimensions are exact.
	Channel    string
	Dimensions complaint.Dimensions
	// Live takes just live cases, at the cost of these.
	Live bool
	// Open, Unanswered, Waiting (has a WaitingSince) and Overdue must be as given.
	Open, Unanswered, Waiting, Overdue *bool
	// DueBefore takes cases with a DueAt before it.
	DueBefore time.Time
}

// Takes reports whether the query takes the case, its place in the order aside.
func (q *PageQuery) Takes(c *Case) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	is := func(want *bool, got bool) bool { return want == nil || *want == got }
	return same(q.Channel, c.Channel) &&
		same(q.Dimensions.Category, c.Category) &&
		same(q.Dimensions.Department, c.Department) &&
		same(q.Dimensions.Priority, c.Priority) &&
		(!q.Live || c.Live) && is(q.Open, c.Open) && is(q.Unanswered, c.Unanswered()) &&
		is(q.Waiting, !c.WaitingSince.IsZero()) && is(q.Overdue, c.Overdue) &&
		(q.DueBefore.IsZero() || !c.DueAt.IsZero() && c.DueAt.Before(q.DueBefore))
}
