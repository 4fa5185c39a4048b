package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/test/cluster"
	"github.com/tanggap/tanggap/test/compare"
)

// namespace is the city's.
const namespace = "depok"

type demo struct {
	cluster *cluster.Cluster
	out     io.Writer
	started time.Time
}

// install applies what a platform team applies: the operator, the city systems and the city.
func (d *demo) install(ctx context.Context) error {
	fmt.Fprintln(d.out, "Installing the operator (config/default)")
	if err := d.cluster.Install(ctx); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "Applying the city (config/samples/depok) and its simulated systems")
	for _, folder := range []string{filepath.Join("test", "demo", "simulator"), filepath.Join("config", "samples", "depok")} {
		if err := d.cluster.Apply(ctx, d.cluster.Path(folder)); err != nil {
			return err
		}
	}
	return d.openMail(ctx)
}

// openMail tells the channel of the city's mailbox where it is, as soon as the city is there to say so.
func (d *demo) openMail(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := compare.Mail(ctx, d.cluster, namespace)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("opening the mailbox: %w", err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// show prints the table until the context ends: again and again in place on a terminal, and else every
// ten seconds.
func (d *demo) show(ctx context.Context) error {
	info, err := os.Stdout.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	interval := 10 * time.Second
	if terminal {
		interval = time.Second
	}
	for {
		text, err := d.table(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			text = fmt.Sprintf("%s\n", err)
		}
		if terminal {
			fmt.Fprint(d.out, "\x1b[H\x1b[2J")
		}
		fmt.Fprintf(d.out, "\n%s", text)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval):
		}
	}
}

// table is what `kubectl get complaintchannels` shows, with what the metrics add to it.
func (d *demo) table(ctx context.Context) (string, error) {
	var channels v1alpha1.ComplaintChannelList
	if err := d.cluster.Client.List(ctx, &channels, client.InNamespace(namespace)); err != nil {
		return "", err
	}
	metrics, scrapeErr := d.cluster.Scrape(ctx)
	var b bytes.Buffer
	fmt.Fprintf(&b, "Complaint channels of Depok, %s after the control plane was up\n\n", time.Since(d.started).Round(time.Second))
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CHANNEL\tTYPE\tREADY\tCONNECTED\tUNANSWERED\tOVERDUE\tOLDEST\tRECEIVED\tANSWERED\tBREACHED")
	for i := range channels.Items {
		channel := &channels.Items[i]
		label := "channel=" + channel.Name
		oldest := "<none>"
		if at := channel.Status.OldestUnansweredAt; at != nil {
			oldest = duration.HumanDuration(time.Since(at.Time))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", channel.Name, channel.Spec.Source.Type,
			condition(channel, v1alpha1.ConditionReady), condition(channel, v1alpha1.ConditionSourceConnected),
			figure(metrics, "tanggap_complaints_unanswered", label), overdue(channel), oldest,
			figure(metrics, "tanggap_complaints_received_total", label), figure(metrics, "tanggap_complaints_answered_total", label),
			figure(metrics, "tanggap_sla_clocks_total", label, "outcome=breached"))
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	if scrapeErr != nil {
		fmt.Fprintln(&b, "\nMetrics are not there yet: unknown is not zero.")
		return b.String(), nil
	}
	command, err := d.cluster.MetricsCommand(ctx)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "\nMetrics:  %s\nkubectl:  %s --kubeconfig %s -n %s get complaintchannels\n",
		command, d.cluster.KubectlPath(), d.cluster.KubeconfigPath(), namespace)
	return b.String(), nil
}

func condition(channel *v1alpha1.ComplaintChannel, name string) string {
	if c := meta.FindStatusCondition(channel.Status.Conditions, name); c != nil {
		return string(c.Status)
	}
	return ""
}

// figure is the sum of a family's series with the labels, or a question mark where nobody knows.
func figure(metrics cluster.Metrics, family string, labels ...string) string {
	if sum, found := metrics.Sum(family, labels...); found {
		return fmt.Sprint(int64(sum))
	}
	return "?"
}

// overdue is the channel's own figure: a complaint with two broken promises is one complaint there and
// two series in the metrics.
func overdue(channel *v1alpha1.ComplaintChannel) string {
	if n := channel.Status.Overdue; n != nil {
		return fmt.Sprint(*n)
	}
	return "?"
}
