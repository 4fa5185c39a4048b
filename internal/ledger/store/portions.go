package store

import (
	"context"
	"iter"

	"github.com/tanggap/tanggap/internal/complaint"
)

// PortionEvents is how many events of stored cases are held at once: as many as the ledger lets a case have, with which
// somebody could fill many.
const PortionEvents = 4000

// Portions are the cases, in their order, in portions of which the events are read at once: at most PortionEvents of them,
// or one case. events is how many a case has.
func Portions[C any](cases []C, events func(*C) int) iter.Seq[[]C] {
	return func(yield func([]C) bool) {
		sum, first := 0, 0
		for i := range cases {
			n := events(&cases[i])
			if sum+n > PortionEvents && i > first {
				if !yield(cases[first:i]) {
					return
				}
				sum, first = 0, i
			}
			sum += n
		}
		if first < len(cases) {
			yield(cases[first:])
		}
	}
}

// EachPortion calls f with every portion of the cases and the events of each, until it returns an error.
func EachPortion(ctx context.Context, r Reader, cases []Case, f func(cases []Case, events [][]Event) error) error {
	for some := range Portions(cases, func(c *Case) int { return c.Events }) {
		keys := make([]complaint.CaseKey, len(some))
		for i := range some {
			keys[i] = some[i].CaseKey
		}
		events, err := r.Events(ctx, keys)
		if err == nil {
			err = f(some, events)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
