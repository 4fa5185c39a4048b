package mapping

import (
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Bounds of a batch. The bytes are those of texts and attributes as they are, of which JSON may make
// some more.
const (
	batchEvents = ledgerapi.MaxBatchEvents / 2
	batchBytes  = ledgerapi.MaxRequestBytes / 8
)

// Batches cuts events into parts that the ledger takes in one request. No events are no batches.
func Batches(events []complaint.Event) [][]complaint.Event {
	var batches [][]complaint.Event
	start, size := 0, 0
	for i := range events {
		own := weight(&events[i])
		if i > start && (i-start >= batchEvents || size+own > batchBytes) {
			batches = append(batches, events[start:i])
			start, size = i, 0
		}
		size += own
	}
	if start < len(events) {
		batches = append(batches, events[start:])
	}
	return batches
}

// weight is about how many bytes an event takes; its bounds make that some 50 KiB at most.
func weight(e *complaint.Event) int {
	size := 256 + len(e.CaseID) + len(e.ID) + len(e.Into) + len(e.Text)
	for name, value := range e.Attributes {
		size += len(name) + len(value)
	}
	return size
}
