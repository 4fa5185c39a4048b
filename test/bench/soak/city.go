package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/worker"
	"github.com/tanggap/tanggap/test/site"
)

var channels = []string{"dsw", "sigap", "wa-mayor", "112"}

// before begins the identifiers of the cases that there are before the run.
const before = "before-"

// openOf is of how many cases that there are before the run one is open.
const openOf = 5

// memory is how long content is kept after a case closed, and how long there is to answer: so long that in each
// second of the run as many cases of before lose their content as are closed, while open ones become due.
func (o *options) memory() time.Duration {
	closed := float64(o.cases) * (openOf - 1) / openOf
	return time.Duration(closed / (float64(o.rate) * closings) * float64(time.Second)).Truncate(time.Second)
}

func (o *options) policy() policy.Document {
	document := site.Policy(channels...)
	document.SLAs["city"] = sla.Spec{Rules: []sla.Rule{{Name: "all", Clocks: []sla.Clock{
		{Name: "FirstAnswer", Measures: "FirstAnswer", Target: sla.Target{Within: o.memory().String()}, WarnBefore: "25%"},
		{Name: "NextReply", Measures: "NextReply", Target: sla.Target{Within: "4h"}},
		{Name: "Resolution", Measures: "TotalResolution", Target: sla.Target{WorkingDays: 5}},
	}}}}
	document.Retention.Content = o.memory().String()
	return document.Seal()
}

// sources are the channels of a site, with what they are told of a case's end.
func sources() []worker.ChannelConfig {
	configs := site.Channels(channels...)
	for i := range configs {
		mapping := &configs[i].Source.Webhook.Mapping
		mapping.Events = append(mapping.Events,
			v1alpha1.EventRule{Kind: "StatusChanged", When: "item.?resolved_at.orValue(null) != null", At: "item.resolved_at", To: "'Resolved'"},
			v1alpha1.EventRule{Kind: "Redacted", When: "item.?redacted_at.orValue(null) != null", At: "item.redacted_at"},
		)
	}
	return configs
}

// fill appends the cases of before, on all channels at once, and returns how many events they have.
func (o *options) fill(ctx context.Context, c *client.Client) (events int64, err error) {
	now := time.Now().UTC()
	counts, errs := make([]int64, len(channels)), make([]error, len(channels))
	var filling sync.WaitGroup
	for i, channel := range channels {
		filling.Go(func() { counts[i], errs[i] = o.fillChannel(ctx, c, channel, now) })
	}
	filling.Wait()
	for _, n := range counts {
		events += n
	}
	return events, errors.Join(errs...)
}

func (o *options) fillChannel(ctx context.Context, c *client.Client, channel string, now time.Time) (sent int64, err error) {
	cases := o.cases / len(channels)
	var batch []complaint.Event
	send := func() error {
		out, err := c.Append(ctx, channel, ledgerapi.AppendRequest{Events: batch})
		if err != nil {
			return err
		}
		if out.Accepted != len(batch) {
			return errors.New("not every event of before was taken")
		}
		sent += int64(len(batch))
		batch = batch[:0]
		return nil
	}
	for i := range cases {
		batch = append(batch, o.before(i, cases, now)...)
		if len(batch)+3 > ledgerapi.MaxBatchEvents {
			if err := send(); err != nil {
				return sent, err
			}
		}
	}
	if len(batch) == 0 {
		return sent, nil
	}
	return sent, send()
}

// before are the events of one case of before: received, or closed, at an instant within the memory.
func (o *options) before(i, of int, now time.Time) []complaint.Event {
	at := now.Add(-o.memory() + time.Duration(float64(o.memory())*float64(i)/float64(of))).Truncate(time.Microsecond)
	id := fmt.Sprint(before, i)
	received := complaint.Event{
		CaseID: id, ID: id + "-1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: at,
		Text:     "Mohon bantuan untuk banjir di lingkungan kami, sudah beberapa kali disampaikan dan belum ada tindakan.",
		Reporter: &complaint.Reporter{Phone: fmt.Sprintf("08%09d", i)},
	}
	if i%openOf == 0 {
		return []complaint.Event{received}
	}
	answered, resolved := received, received
	received.OccurredAt = at.Add(-time.Hour)
	answered.ID, answered.Kind, answered.Actor, answered.Reporter = id+"-2", complaint.KindAnswered, complaint.ActorOfficial, nil
	answered.OccurredAt, answered.Text = at.Add(-time.Minute), "Petugas sudah ke lokasi"
	resolved.ID, resolved.Kind, resolved.Actor, resolved.Reporter = id+"-3", complaint.KindStatusChanged, complaint.ActorOfficial, nil
	resolved.To, resolved.Text = complaint.StatusResolved, ""
	return []complaint.Event{received, answered, resolved}
}
