package alerts

import (
	"context"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/portal"
)

// scenario is one thing that breaks, who is to be told of what, and how it is mended.
type scenario struct {
	// cause is what happens.
	cause string
	// want are the alerts that have to be told, and that are resolved once all is mended.
	want []string
	// later are alerts that may be told when those are resolved, since they look back further.
	later []string
	// unknown is a selector of complaints whose number nobody knows meanwhile; "" is none.
	unknown string
	// happen has it happen; what it starts goes on until the context ends, which is when it is mended.
	happen func(context.Context) error
	// mend mends what the end of the context does not.
	mend func(context.Context) error
}

func (c *city) scenarios() []scenario {
	return []scenario{
		{
			cause: "a ledger is down", want: []string{"TanggapLedgerUnreachable bogor/ledger"}, unknown: `{namespace="bogor"}`,
			happen: func(ctx context.Context) error { go c.keepDown(ctx, "bogor", "ledger", "ledger"); return nil },
		},
		{
			cause: "a worker is down", want: []string{"TanggapChannelDown depok/worker"}, unknown: `{namespace="depok",channel="worker"}`,
			happen: func(ctx context.Context) error { go c.keepDown(ctx, "depok", "worker", "worker"); return nil },
		},
		{
			cause: "a source is away", want: []string{"TanggapChannelLagging depok/source"},
			happen: func(context.Context) error { c.portals["depok/source"].away.Store(true); return nil },
			mend: func(context.Context) error {
				c.portals["depok/source"].away.Store(false)
				// By now its worker waits for minutes before it tries again; one that starts does not.
				c.killOnce("depok", "worker", "source")
				return nil
			},
		},
		{
			cause: "a source refuses the credentials", want: []string{"TanggapCredentialsFailing depok/credentials"},
			happen: func(context.Context) error { c.portals["depok/credentials"].refusing.Store(true); return nil },
			mend:   func(context.Context) error { c.portals["depok/credentials"].refusing.Store(false); return nil },
		},
		{
			cause: "a sender signs with a key of yesterday", want: []string{"TanggapCredentialsFailing depok/hotline"},
			happen: func(ctx context.Context) error { go c.callIn(ctx, staleSecret); return nil },
			mend:   func(ctx context.Context) error { go c.callIn(ctx, hookSecret); return nil },
		},
		{
			cause: "a calendar ends in two weeks", want: []string{"TanggapCalendarEnding depok/always"},
			happen: func(ctx context.Context) error {
				return c.endCalendar(ctx, time.Now().AddDate(0, 0, 14).Format(time.DateOnly))
			},
			mend: func(ctx context.Context) error { return c.endCalendar(ctx, "2099-12-31") },
		},
		{
			cause:  "complaints come and nobody answers in time",
			want:   []string{"TanggapPromiseBurningFast depok/moments/first-answer", "TanggapOverdueGrowing depok/unassigned"},
			later:  []string{"TanggapPromiseBurning depok/moments/first-answer", "TanggapPromiseSlipping depok/moments/first-answer"},
			happen: func(ctx context.Context) error { go c.drip(ctx, "depok/broken", time.Second); return nil },
			mend:   func(context.Context) error { return c.answer("depok/broken") },
		},
		{
			cause: "a complaint comes back to the mayor, who does not answer in time", want: []string{"TanggapUnofficialChannelBreach depok/mayor"},
			happen: func(context.Context) error { c.file("depok/mayor", portal.Report{Phone: phone}); return nil },
			mend:   func(context.Context) error { return c.answer("depok/mayor") },
		},
		{
			cause: "a promise is due soon and nobody answers", want: []string{"TanggapDueSoonUnattended depok/waiting"},
			happen: func(context.Context) error { c.file("depok/waiting", portal.Report{}); return nil },
			mend:   func(context.Context) error { return c.answer("depok/waiting") },
		},
		{
			cause: "a complaint of two weeks ago turns up", want: []string{"TanggapOldestUnansweredTooOld depok/old"},
			happen: func(context.Context) error {
				number := c.file("depok/old", portal.Report{At: time.Now().AddDate(0, 0, -15)})
				return c.portals["depok/old"].Reply(number, "Kapan?") // which is why the portal lists it
			},
			mend: func(context.Context) error { return c.answer("depok/old") },
		},
	}
}

// drip files a complaint again and again until the context ends.
func (c *city) drip(ctx context.Context, at string, every time.Duration) {
	for {
		c.file(at, portal.Report{})
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// result is how long it took until people were told.
type result struct {
	alert, cause       string
	notified, resolved time.Duration
}

// limit is how long may pass until people are told, or told that it is over.
const limit = 6 * time.Minute

// play has a scenario happen, waits until all have been told that have to be, mends it, and waits until
// all have been told that it is over.
func (s *scenario) play(ctx context.Context, r *receiver, p *prometheus) ([]result, error) {
	happening, over := context.WithCancel(ctx)
	defer over()
	started := time.Now()
	if err := s.happen(happening); err != nil {
		return nil, fmt.Errorf("having it happen that %s: %w", s.cause, err)
	}
	results := make([]result, len(s.want))
	for i, alert := range s.want {
		if err := within(ctx, func() bool { return !r.of(alert).firing.IsZero() }); err != nil {
			return nil, fmt.Errorf("%s, and nobody is told %s: %w", s.cause, alert, err)
		}
		results[i] = result{alert: alert, cause: s.cause, notified: r.of(alert).firing.Sub(started)}
	}
	if s.unknown != "" {
		known, err := p.query(ctx, "tanggap_complaints_unanswered"+s.unknown)
		if err != nil {
			return nil, err
		}
		if len(known) > 0 {
			return nil, fmt.Errorf("%s, and yet Prometheus knows %v", s.cause, known)
		}
	}
	over()
	mended := time.Now()
	if s.mend != nil {
		if err := s.mend(ctx); err != nil {
			return nil, fmt.Errorf("mending that %s: %w", s.cause, err)
		}
	}
	for i, alert := range s.want {
		if err := within(ctx, func() bool { return !r.of(alert).resolved.IsZero() }); err != nil {
			return nil, fmt.Errorf("%s no longer, and nobody is told that %s is resolved: %w", s.cause, alert, err)
		}
		results[i].resolved = r.of(alert).resolved.Sub(mended)
	}
	return results, nil
}

// within waits until something is so.
func within(ctx context.Context, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !so() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("within %s: %w", limit, ctx.Err())
		case <-time.After(glance):
		}
	}
	return nil
}
