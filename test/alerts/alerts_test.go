package alerts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// past is what Prometheus remembers: three weeks in which the channel silent never was, and six hours ago
// a department without anything overdue.
func past() []sample {
	var samples []sample
	const week, quarter = 7 * 24 * time.Hour, 15 * time.Minute
	for _, then := range []time.Duration{week, 2 * week, 3 * week} {
		for at := then + quarter; at > then-2*quarter; at -= time.Minute {
			samples = append(samples, sample{`namespace_channel:tanggap_received:increase3h{namespace="depok",channel="silent"}`, at, 20})
		}
	}
	for at := 6*time.Hour + quarter; at > 6*time.Hour-2*quarter; at -= time.Minute {
		samples = append(samples, sample{`namespace_department_clock:tanggap_overdue:sum{namespace="depok",department="unassigned",clock="first-answer"}`, at, 0})
	}
	slices.SortStableFunc(samples, func(a, b sample) int { return strings.Compare(a.series, b.series) })
	return samples
}

// TestPeopleAreToldTheRightThing has nearly everything break that can, each in a place of its own and all at
// the same time, then takes the operator away, and compares what people were told with what was so.
func TestPeopleAreToldTheRightThing(t *testing.T) {
	c := startCity(t)
	token, pods := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "pods.json")
	bearer, err := c.ScraperToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(token, []byte(bearer), 0o600); err != nil {
		t.Fatal(err)
	}
	go c.operators(t.Context(), pods)
	busy, fallSilent := context.WithCancel(t.Context())
	defer fallSilent()
	go c.drip(busy, "depok/silent", 2*time.Second)

	told, started := startReceiver(t), time.Now()
	p := startPrometheus(t, startAlertmanager(t, told.URL), token, pods, past())
	eventually(t, patience, "Prometheus has the figures of every channel", func(ctx context.Context) error {
		known, err := p.query(ctx, `tanggap_channel_up == 1`)
		if err == nil && len(known) != len(places)+2 { // and the hotline and the number
			err = fmt.Errorf("%d of %d channels are up", len(known), len(places)+2)
		}
		return err
	})
	if bound, err := p.query(t.Context(), `{__name__=~"tanggap_.+",__name__!="tanggap_operator_leading",pod!=""}`); err != nil || len(bound) > 0 {
		t.Errorf("series of the city are bound to the operator's Pod, and end with it: %v %v", bound, err)
	}
	pause(t, least+least/2)
	if names := told.names(); len(names) > 0 {
		t.Fatalf("nothing is wrong, and yet people are told %q", names)
	}

	all := append(c.scenarios(), scenario{
		cause: "a busy channel brings nothing any more", want: []string{"TanggapChannelSilent depok/silent"},
		happen: func(context.Context) error { fallSilent(); return nil },
		mend: func(ctx context.Context) error {
			go c.drip(ctx, "depok/silent", time.Second)
			return nil
		},
	})
	results := playAll(t, all, told, p)
	gone := scenario{
		cause: "no operator runs", want: []string{"TanggapOperatorDown"}, unknown: `{namespace=~".+"}`,
		happen: func(ctx context.Context) error { return c.scaleOperator(ctx, 0) },
		mend:   func(ctx context.Context) error { return c.scaleOperator(ctx, 2) },
	}
	results = append(results, playAll(t, []scenario{gone}, told, p)...)
	pause(t, least+least/2) // what the return of the operator could set off

	checkTold(t, append(all, gone), told)
	checkNeverZero(t, p)
	checkDashboards(t, p, started)
	checkNative(t, startPrometheus(t, freeAddress(t), token, pods, nil, "--enable-feature=native-histograms"))
	printResults(t, results)
}

// pause lets time pass in which something could go wrong.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-t.Context().Done():
	case <-time.After(d):
	}
}

// playAll plays scenarios at the same time.
func playAll(t *testing.T, scenarios []scenario, told *receiver, p *prometheus) []result {
	t.Helper()
	var (
		mu      sync.Mutex
		results []result
		playing sync.WaitGroup
	)
	for _, s := range scenarios {
		playing.Go(func() {
			found, err := s.play(t.Context(), told, p)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			results = append(results, found...)
		})
	}
	playing.Wait()
	if t.Failed() {
		t.Fatalf("people were told %q", told.names())
	}
	return results
}

// checkTold compares all that people were told with what they had to be told.
func checkTold(t *testing.T, scenarios []scenario, told *receiver) {
	t.Helper()
	want, later := []string{}, []string{}
	for _, s := range scenarios {
		want, later = append(want, s.want...), append(later, s.later...)
	}
	slices.Sort(want)
	got := slices.DeleteFunc(told.names(), func(name string) bool { return slices.Contains(later, name) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what people were told (-want +got):\n%s", diff)
	}
	for _, fault := range told.faults() {
		t.Error(fault)
	}
}

// checkNeverZero asks Prometheus for the least number of unanswered complaints that it ever saw of the
// channels that went away while they had some.
func checkNeverZero(t *testing.T, p *prometheus) {
	t.Helper()
	const expr = `min_over_time(sum by (namespace, channel) (tanggap_complaints_unanswered{channel=~"worker|portal|source|credentials"})[30m:1s])`
	least, err := p.query(t.Context(), expr)
	if err != nil {
		t.Fatal(err)
	}
	if len(least) != 5 {
		t.Errorf("Prometheus has seen the complaints of %d channels, not of 5: %v", len(least), least)
	}
	for _, s := range least {
		if s.Value < 1 {
			t.Errorf("%s was %v at some time, though somebody has waited all the time", s.Metric, s.Value)
		}
	}
}

// printResults prints the table of alerts. The test waits half a minute where the shipped rule waits for
// as long as the table says.
func printResults(t *testing.T, results []result) {
	t.Helper()
	waits := map[string]string{}
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			waits[rule.Alert] = rule.For
		}
	}
	slices.SortFunc(results, func(a, b result) int { return strings.Compare(a.alert, b.alert) })
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ALERT\tCAUSE\tSECONDS TO NOTIFICATION\tSECONDS FROM MENDING TO RESOLVED\tTHE SHIPPED RULE WAITS")
	for _, r := range results {
		name, _, _ := strings.Cut(r.alert, " ")
		fmt.Fprintf(table, "%s\t%s\t%.0f\t%.0f\t%s\n", r.alert, r.cause, r.notified.Seconds(), r.resolved.Seconds(), waits[name])
	}
	_ = table.Flush() // it is only shown
}
