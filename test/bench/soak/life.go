package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tanggap/tanggap/test/site"
)

// What becomes of a case: it is answered and closed so many turns after it came, and one of several is redacted
// after that. So as many are closed as come in.
const (
	answeredAfter = 3
	resolvedAfter = 6
	redactedAfter = 9
	redactedOf    = 8
	// repeatedOf is of how many deliveries one comes twice.
	repeatedOf = 16
	// closings is which part of the deliveries closes a case.
	closings = 1 / (3.0 + 1.0/redactedOf) * (repeatedOf - 1) / repeatedOf
)

// story is one case of a connection.
type story struct {
	id                                 string
	received, answered, resolved, gone time.Time
}

// stories makes the deliveries of one connection. Each has all that has happened in a case.
type stories struct {
	prefix string
	cases  []*story
	// pending are the cases of which something is to be told before the next one comes.
	pending []*story
	sent    int
	body    []byte
	// events counts what is new in what was made.
	events *atomic.Int64
}

func (s *stories) next() (body []byte, header, value string) {
	s.sent++
	if s.sent%repeatedOf != 0 || s.body == nil {
		s.body = s.tell().body(s.body[:0])
	}
	return s.body, site.SignatureHeader, site.Sign(s.body)
}

// tell lets the next thing happen and is the case in which it does.
func (s *stories) tell() *story {
	now := time.Now().UTC()
	s.events.Add(1)
	if len(s.pending) > 0 {
		c := s.pending[0]
		s.pending = s.pending[1:]
		switch {
		case c.answered.IsZero():
			c.answered = now
		case c.resolved.IsZero():
			c.resolved = now
		default:
			c.gone = now
		}
		return c
	}
	c := &story{id: fmt.Sprintf("%s-%d", s.prefix, len(s.cases)), received: now}
	s.cases = append(s.cases, c)
	n := len(s.cases)
	for _, after := range []int{answeredAfter, resolvedAfter, redactedAfter} {
		if i := n - 1 - after; i >= 0 && (after != redactedAfter || i%redactedOf == 0) {
			s.pending = append(s.pending, s.cases[i])
		}
	}
	if i := n - 1 - redactedAfter; i >= 0 {
		s.cases[i] = nil // a long run is not to remember what nothing happens to any more
	}
	return c
}

// body is the case as the source has it.
func (c *story) body(b []byte) []byte {
	b = fmt.Appendf(b, `{"id":%q,"at":%q,"phone":"080000%s","address":"Jalan Margonda Raya","source":"android","text":%q`,
		c.id, c.received.Format(time.RFC3339Nano), c.id, "Selamat pagi, di depan rumah saya banjir setinggi lutut sejak subuh karena gorong-gorong tersumbat "+
			"dan sampai sekarang belum ada petugas yang datang. Mohon segera ditindaklanjuti, terima kasih banyak.")
	for _, end := range []struct {
		name string
		at   time.Time
	}{{"answered_at", c.answered}, {"resolved_at", c.resolved}, {"redacted_at", c.gone}} {
		if !end.at.IsZero() {
			b = fmt.Appendf(b, `,%q:%q`, end.name, end.at.Format(time.RFC3339Nano))
		}
	}
	if !c.answered.IsZero() {
		b = append(b, `,"answer":"Petugas sudah ke lokasi"`...)
	}
	return append(b, '}')
}
