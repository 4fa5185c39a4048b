package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/test/cluster"
	"github.com/tanggap/tanggap/test/simulator/city"
)

// settling is how long what is shown may take to become what is true, once nothing new arrives: a poll, a
// recheck of the open requests, and a status write, which may be half a minute late by design.
const settling = 75 * time.Second

// check ends the arrival of complaints and compares what is shown with what the city knows to be true.
func (d *demo) check(ctx context.Context) error {
	if err := d.control(ctx, http.MethodPost, "/quiet", nil); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "\nComparing what is shown with what is true")
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for {
		err := d.compare(ctx)
		if err == nil {
			fmt.Fprintln(d.out, "Everything shown is right.")
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("what is shown is wrong:\n%w", err)
		case <-time.After(time.Second):
		}
	}
}

func (d *demo) compare(ctx context.Context) error {
	var truth map[string]city.Figures
	if err := d.control(ctx, http.MethodGet, "/truth", &truth); err != nil {
		return err
	}
	metrics, err := d.cluster.Scrape(ctx)
	if err != nil {
		return err
	}
	var channels v1alpha1.ComplaintChannelList
	if err := d.cluster.Client.List(ctx, &channels, client.InNamespace(namespace)); err != nil {
		return err
	}
	var faults []error
	if len(channels.Items) != len(truth) {
		faults = append(faults, fmt.Errorf("%d channels are shown, %d exist", len(channels.Items), len(truth)))
	}
	for i := range channels.Items {
		faults = append(faults, compareChannel(&channels.Items[i], truth[channels.Items[i].Name], metrics))
	}
	if breached, _ := metrics.Sum("tanggap_sla_clocks_total", "outcome=breached"); breached == 0 {
		faults = append(faults, errors.New("no promise is shown as broken"))
	}
	return errors.Join(faults...)
}

func compareChannel(channel *v1alpha1.ComplaintChannel, want city.Figures, metrics cluster.Metrics) error {
	var faults []error
	for _, name := range []string{
		v1alpha1.ConditionAccepted, v1alpha1.ConditionWorkerAvailable, v1alpha1.ConditionSourceConnected, v1alpha1.ConditionReady,
	} {
		if got := condition(channel, name); got != "True" {
			faults = append(faults, fmt.Errorf("%s: condition %s is %q", channel.Name, name, got))
		}
	}
	for family, figure := range map[string]int{
		"tanggap_complaints_unanswered":     want.Unanswered,
		"tanggap_complaints_received_total": want.Received,
		"tanggap_complaints_answered_total": want.Answered,
	} {
		if sum, _ := metrics.Sum(family, "channel="+channel.Name); int(sum) != figure {
			faults = append(faults, fmt.Errorf("%s: %s is %v, true is %d", channel.Name, family, sum, figure))
		}
	}
	for name, pair := range map[string]struct {
		got  *int64
		want int
	}{
		"status.unanswered": {channel.Status.Unanswered, want.Unanswered},
		"status.overdue":    {channel.Status.Overdue, want.Overdue},
	} {
		if pair.got == nil || int(*pair.got) != pair.want {
			faults = append(faults, fmt.Errorf("%s: %s is %s, true is %d", channel.Name, name, pointed(pair.got), pair.want))
		}
	}
	return errors.Join(faults...)
}

func pointed(n *int64) string {
	if n == nil {
		return "absent"
	}
	return fmt.Sprint(*n)
}

// control calls the simulated city's control interface.
func (d *demo) control(ctx context.Context, method, path string, into any) error {
	transport := &http.Transport{DialContext: d.cluster.Node.DialContext}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, method, "http://control.city-simulator.svc:80"+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("asking the simulated city: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}
