package fetch

import (
	"errors"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
)

// Backoff says how long to wait after failures in a row, so that many workers whose source comes back
// do not all ask it at once.
type Backoff struct {
	// Initial is the longest wait after the first failure; it doubles with each further one up to Max.
	Initial, Max time.Duration
	// Random yields numbers in [0, 1).
	Random func() float64
}

// Delay is the wait after the failures-th failure in a row (from 1): between a half and the whole of the
// doubled time, and never shorter than what the error's other side asked for.
func (b Backoff) Delay(failures int, err error) time.Duration {
	limit := b.Initial
	for i := 1; i < failures && limit < b.Max; i++ {
		limit *= 2
	}
	limit = min(limit, b.Max)
	delay := limit/2 + time.Duration(b.Random()*float64(limit/2))
	var failure *channel.Error
	if errors.As(err, &failure) && failure.RetryAfter > delay {
		// A little later than asked for: all who were told the same instant would come at it.
		return failure.RetryAfter + time.Duration(b.Random()*float64(b.Initial))
	}
	return delay
}
