package store

import "iter"

// PortionEvents is how many events of stored cases are held at once: as many as a case may have, with which somebody
// could fill many.
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

// EventsOf is how many events a stored case has.
func EventsOf(c *Case) int { return c.Events }
