package email

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// silence is how long a server may say nothing while it is asked something. A search of a large mailbox takes
// its time, and a connection that a firewall has forgotten says nothing for ever.
const silence = 2 * time.Minute

// patient is a connection that waits as long as it takes while nothing is asked, which is how IDLE works, and
// else no longer than silence. The library has no such limit, and its own deadlines are passed over.
type patient struct {
	net.Conn
	silence time.Duration

	mu sync.Mutex
	// asked says that an answer is due; missed that one did not come in time.
	asked, missed bool
}

// Read implements net.Conn.
func (p *patient) Read(b []byte) (int, error) {
	p.mu.Lock()
	p.arm()
	p.mu.Unlock()
	n, err := p.Conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.mu.Lock()
		p.missed = true
		p.mu.Unlock()
	}
	return n, err
}

// SetReadDeadline implements net.Conn.
func (p *patient) SetReadDeadline(time.Time) error { return nil }

// expect says whether an answer is due from now on.
func (p *patient) expect(asked bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = asked
	p.arm()
}

// silent reports whether an answer did not come in time.
func (p *patient) silent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missed
}

// arm sets the deadline of the read that is under way or begins; the caller holds mu. A connection on which that
// fails is broken, and the read tells.
func (p *patient) arm() {
	deadline := time.Time{}
	if p.asked {
		deadline = time.Now().Add(p.silence)
	}
	_ = p.Conn.SetReadDeadline(deadline)
}
