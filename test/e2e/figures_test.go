package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/test/cluster"
)

// absent is a figure that nobody knows, which is not 0.
const absent = -1

// figures are what the metrics say of a channel.
type figures struct {
	Received, Answered, Unanswered int
}

// unknown is a channel of which the metrics say nothing.
var unknown = figures{absent, absent, absent}

// figuresOf reads a channel's figures from a scrape.
func (c *town) figuresOf(metrics cluster.Metrics, channel string) figures {
	return figures{
		Received:   c.figure(metrics, "tanggap_complaints_received_total", channel),
		Answered:   c.figure(metrics, "tanggap_complaints_answered_total", channel),
		Unanswered: c.figure(metrics, "tanggap_complaints_unanswered", channel),
	}
}

// figure is the sum of a family's series of a channel.
func (c *town) figure(metrics cluster.Metrics, family, channel string, labels ...string) int {
	sum, found := metrics.Sum(family, append(labels, "namespace="+c.namespace, "channel="+channel)...)
	if !found {
		return absent
	}
	return int(sum)
}

// awaitFigures waits until the metrics say that of a channel.
func (c *town) awaitFigures(t *testing.T, channel string, want figures) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("the figures of %s are right", channel), func(ctx context.Context) error {
		metrics, err := world.Scrape(ctx)
		if err != nil {
			return err
		}
		return differ(want, c.figuresOf(metrics, channel))
	})
}

// differ is an error that shows how two values differ.
func differ[T any](want, got T) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("(-want +got):\n%s", diff)
	}
	return nil
}
