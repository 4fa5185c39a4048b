package ledger

import (
	"sync"
	"time"
)

// outboxes wake the workers that wait for replies.
type outboxes struct {
	look time.Duration // outboxLook

	mu      sync.Mutex
	waiting map[string]chan struct{}
}

// wait is closed when there may be something for the channel.
func (o *outboxes) wait(channel string) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting = map[string]chan struct{}{}
	}
	if o.waiting[channel] == nil {
		o.waiting[channel] = make(chan struct{})
	}
	return o.waiting[channel]
}

// wakeOutboxes wakes those who wait for what another replica has taken, which its figures tell.
func (l *Ledger) wakeOutboxes(c *changes) {
	for i := range c.figures {
		if k := decodeKey(c.figures[i].Key); k.family == familyReply {
			l.outboxes.wake(k.labels[0])
		}
	}
}

func (o *outboxes) wake(channel string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if woken := o.waiting[channel]; woken != nil {
		close(woken)
		delete(o.waiting, channel)
	}
}
