package worker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// refusal is an event that can never be stored.
type refusal struct {
	index   int
	message string
}

// prepare returns the events as they are stored when they are read at now, less those that the ledger
// would refuse: a batch is then always within the ledger's bounds, so that one event cannot keep a
// source from getting on. The given slice is not changed. places says where each event stood.
func prepare(channelName string, events []complaint.Event, now time.Time) (valid []complaint.Event, places []int, refused []refusal) {
	valid = make([]complaint.Event, 0, len(events))
	places = make([]int, 0, len(events))
	for i := range events {
		event := events[i]
		event.Channel = channelName
		event = event.Normalize(now)
		if err := event.Validate(); err != nil {
			refused = append(refused, refusal{i, strings.ReplaceAll(err.Error(), "\n", "; ")})
			continue
		}
		valid = append(valid, event)
		places = append(places, i)
	}
	return valid, places, refused
}

// refusedError is the *channel.Error for the deliverer of events that were refused.
func refusedError(refused []refusal) error {
	if len(refused) == 0 {
		return nil
	}
	message := fmt.Sprintf("event %d: %s", refused[0].index, refused[0].message)
	if more := len(refused) - 1; more > 0 {
		message += fmt.Sprintf(" (and %d more)", more)
	}
	return &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: message}
}

// chunks cuts events into pieces that the ledger takes in one request.
func chunks(events []complaint.Event) [][]complaint.Event {
	var pieces [][]complaint.Event
	start, size := 0, 0
	for i := range events {
		weight := encodedBound(&events[i])
		if i > start && (i-start == ledgerapi.MaxBatchEvents || size+weight > maxBatchBytes) {
			pieces = append(pieces, events[start:i:i])
			start, size = i, 0
		}
		size += weight
	}
	return append(pieces, events[start:])
}

// maxBatchBytes leaves room for the cursor, which is encoded once more inside the request, and the frame.
const maxBatchBytes = ledgerapi.MaxRequestBytes - 2*ledgerapi.MaxCursorBytes

// encodedBound is an upper bound of an event's JSON in bytes: any byte of a text may become the six of
// an escape.
func encodedBound(e *complaint.Event) int { return 512 + 6*textBytes(e) }

// textBytes is about what an event takes in memory besides its frame.
func textBytes(e *complaint.Event) int {
	n := len(e.Channel) + len(e.CaseID) + len(e.ID) + len(e.Into) + len(e.Text)
	if r := e.Reporter; r != nil {
		n += len(r.Phone) + len(r.Email) + len(r.Handle)
	}
	for k, v := range e.Attributes {
		n += len(k) + len(v) + 1
	}
	if e.Thread != nil {
		for _, id := range e.Thread.Quoted {
			n += len(id) + 1
		}
	}
	return n
}

// asError is err as an *channel.Error. What a source returns besides may hold anything, so nothing of
// it is passed on.
func asError(err error) *channel.Error {
	if e, ok := errors.AsType[*channel.Error](err); ok {
		return e
	}
	return &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the source failed in an unexpected way", Err: err}
}
