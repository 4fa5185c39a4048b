package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tanggap/tanggap/test/bench/load"
	"github.com/tanggap/tanggap/test/site"
)

// sender is a system that delivers complaints and answers, each until it is acknowledged.
type sender struct {
	url, channel, name string
	random             *rand.Rand
	began              time.Time // what was received was received before it, unless it was a call
	called             time.Time // when the call came that is under way
	client             *load.Client
	serial             int
	// rest is how long it waits at most before it tries again.
	rest time.Duration
	// pending is what was under way when the last run ended.
	pending *delivery

	mu sync.Mutex
	// acknowledged are the events that were, as "<case> <kind>"; attempted the cases that ever were sent.
	acknowledged, attempted map[string]bool
	acks, retries           int
	// heard is when the last delivery was sent that was acknowledged.
	heard time.Time
}

// delivery is one body and what it is about.
type delivery struct {
	body   []byte
	caseID string
	events []string
}

func newSender(channel, name string, seed uint64) *sender {
	return &sender{
		channel: channel, name: name, random: rand.New(rand.NewPCG(seed, 1)), began: time.Now().UTC().Truncate(time.Second),
		acknowledged: map[string]bool{}, attempted: map[string]bool{}, rest: 20 * time.Millisecond,
	}
}

// run delivers until ctx ends.
func (s *sender) run(ctx context.Context) error {
	defer s.hangUp()
	for ctx.Err() == nil {
		if s.pending == nil {
			s.serial++
			s.pending = s.received(s.serial)
		}
		done, err := s.deliver(ctx, s.pending)
		if err != nil || !done {
			return err
		}
		last := s.pending
		switch n := s.random.IntN(10); {
		case n < 2: // as a platform that did not hear the answer
			s.pending = last
		case n < 5 && len(last.events) == 1:
			s.pending = s.answered(last.caseID)
		default:
			s.pending = nil
		}
		if !site.Pause(ctx, time.Duration(s.random.IntN(6))*time.Millisecond) {
			return nil
		}
	}
	return nil
}

func (s *sender) received(n int) *delivery {
	id := fmt.Sprintf("%s-%s-%d", s.channel, s.name, n)
	s.called = time.Now().UTC().Truncate(time.Second)
	return s.complaint(id, nil)
}

func (s *sender) answered(id string) *delivery {
	return s.complaint(id, map[string]string{"answer": "Petugas sudah ke lokasi", "answered_at": s.instant(id).Add(time.Second).Format(time.RFC3339)})
}

// instant is when a case was received: the same however often it is delivered.
func (s *sender) instant(id string) time.Time {
	if s.channel == callChannel {
		return s.called
	}
	sum := 0
	for _, c := range id {
		sum = (sum*31 + int(c)) % 86_400
	}
	return s.began.Add(-time.Duration(sum) * time.Second)
}

func (s *sender) complaint(id string, more map[string]string) *delivery {
	document := map[string]string{"id": id, "at": s.instant(id).Format(time.RFC3339), "text": "banjir di depan rumah", "phone": "080000" + id}
	events := []string{id + " Received"}
	maps.Copy(document, more)
	if more != nil {
		events = append(events, id+" Answered")
	}
	body, err := json.Marshal(document)
	if err != nil {
		panic(err) // texts can be encoded
	}
	return &delivery{body: body, caseID: id, events: events}
}

// deliver sends until the delivery is acknowledged; false when ctx ended before.
func (s *sender) deliver(ctx context.Context, d *delivery) (bool, error) {
	s.mu.Lock()
	s.attempted[d.caseID] = true
	s.mu.Unlock()
	for tries := 0; ctx.Err() == nil; tries++ {
		if tries > 0 {
			s.mu.Lock()
			s.retries++
			s.mu.Unlock()
			if !site.Pause(ctx, time.Millisecond+time.Duration(s.random.Int64N(int64(s.rest)))) {
				return false, nil
			}
		}
		if s.client == nil {
			c, err := load.Dial(context.WithoutCancel(ctx), s.url)
			if err != nil {
				continue
			}
			s.client = c
		}
		sent := time.Now()
		answer, err := s.client.Post(d.body, site.SignatureHeader, site.Sign(d.body))
		switch {
		case err != nil:
			s.hangUp()
		case answer.Status >= 200 && answer.Status <= 299:
			s.mu.Lock()
			s.acks++
			s.heard = sent
			for _, e := range d.events {
				s.acknowledged[e] = true
			}
			s.mu.Unlock()
			return true, nil
		case answer.Status == 503 && !answer.RetryAfter:
			return false, errors.New("503 without Retry-After")
		case answer.Status != 503 && answer.Status != 429:
			return false, fmt.Errorf("the worker answered %d", answer.Status)
		}
	}
	return false, nil
}

// counts are how many deliveries were acknowledged, and how many tries were in vain.
func (s *sender) counts() (acks, retries int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks, s.retries
}

func (s *sender) hangUp() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}

// heardSince reports whether something was acknowledged that was sent after the instant.
func (s *sender) heardSince(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard.After(at)
}
