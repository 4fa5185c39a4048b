package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/test/cluster"
	"github.com/tanggap/tanggap/test/compare"
)

// settling is how long what is shown may take to become what is true, once nothing new arrives: a poll,
// a recheck of the open requests, and a status write, which may be half a minute late by design.
const settling = 90 * time.Second

// TestSamples applies config/samples/depok, the simulated city behind it, and does to its channels what
// the people of a city desk do to them.
func TestSamples(t *testing.T) {
	t.Parallel()
	c, systems := &town{namespace: "depok"}, &town{namespace: "city-simulator"}
	c.removeAtTheEnd(t)
	systems.removeAtTheEnd(t)
	c.applySamples(t)
	if err := compare.Quiet(t.Context(), world.Cluster); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	eventually(t, settling, "what is shown is true", func(ctx context.Context) error { return compare.City(ctx, world.Cluster, c.namespace) })
	measured.note("samples: from the last complaint to every figure and status right", time.Since(started))

	t.Run("a wrong Secret disconnects the source and nothing else, and the right one connects it again", func(t *testing.T) { c.wrongSecret(t) })
	t.Run("a suspended channel has no worker and keeps its backlog", func(t *testing.T) { c.suspended(t) })
	t.Run("a deleted channel takes its worker and its series with it", func(t *testing.T) { c.deleted(t) })
}

func (c *town) applySamples(t *testing.T) {
	t.Helper()
	started := time.Now()
	for _, folder := range []string{filepath.Join("test", "demo", "simulator"), filepath.Join("config", "samples", "depok")} {
		if err := world.Apply(t.Context(), world.Path(folder)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, patience, "the city says where its mailbox is", func(ctx context.Context) error { return compare.Mail(ctx, world.Cluster, c.namespace) })
	all := func(conditions ...string) func(context.Context) error {
		return func(ctx context.Context) error { return c.allTrue(ctx, conditions...) }
	}
	eventually(t, patience, "every channel is ready", all(v1alpha1.ConditionAccepted, v1alpha1.ConditionWorkerAvailable, v1alpha1.ConditionReady))
	measured.note("samples: from apply to every channel Ready", time.Since(started))
	eventually(t, patience, "every source is connected", all(v1alpha1.ConditionSourceConnected))
	measured.note("samples: from apply to every source connected", time.Since(started))
}

// allTrue is an error for every condition of a channel that is not True.
func (c *town) allTrue(ctx context.Context, conditions ...string) error {
	var channels v1alpha1.ComplaintChannelList
	if err := world.Client.List(ctx, &channels, client.InNamespace(c.namespace)); err != nil {
		return err
	}
	truth, err := compare.Truth(ctx, world.Cluster)
	if err != nil {
		return err
	}
	var faults []error
	if len(channels.Items) != len(truth) {
		faults = append(faults, fmt.Errorf("there are %d channels and %d systems behind them", len(channels.Items), len(truth)))
	}
	for _, channel := range channels.Items {
		for _, name := range conditions {
			if current := meta.FindStatusCondition(channel.Status.Conditions, name); current == nil || current.Status != metav1.ConditionTrue {
				faults = append(faults, fmt.Errorf("%s: %s is %v", channel.Name, name, current))
			}
		}
	}
	return errors.Join(faults...)
}

// credentialsHash is the annotation of a worker's Pods by which new credentials make a new Pod.
const credentialsHash = "tanggap.dev/credentials-hash"

func (c *town) wrongSecret(t *testing.T) {
	before := map[string]corev1.Pod{}
	for _, channel := range []string{"sigap", "open311", "dsw"} {
		before[channel] = c.pod(t, "worker", channel)
	}
	var right corev1.Secret
	if err := world.Client.Get(t.Context(), c.key("dsw"), &right); err != nil {
		t.Fatal(err)
	}
	// What no channel uses changes first, so that whatever it set off would have happened by the end.
	c.secret(t, "unrelated", map[string]string{"key": "value"})
	c.secret(t, "sigap", map[string]string{"note": "a key that no channel uses"})

	started := time.Now()
	c.secret(t, "dsw", map[string]string{"api-key": "a wrong key"})
	condition := c.awaitCondition(t, "dsw", v1alpha1.ConditionSourceConnected, metav1.ConditionFalse, "Unauthorized")
	measured.note("samples: from a wrong Secret to SourceConnected=False", time.Since(started))
	c.awaitCondition(t, "dsw", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	t.Logf("the condition says: %s", condition.Message)
	wrong := c.pod(t, "worker", "dsw")
	if wrong.UID == before["dsw"].UID || wrong.Annotations[credentialsHash] == before["dsw"].Annotations[credentialsHash] {
		t.Error("the worker was not replaced by one with the hash of the new Secret")
	}

	started = time.Now()
	c.secret(t, "dsw", map[string]string{"api-key": string(right.Data["api-key"])})
	c.awaitCondition(t, "dsw", v1alpha1.ConditionSourceConnected, metav1.ConditionTrue, "")
	measured.note("samples: from the right Secret to SourceConnected=True", time.Since(started))
	c.awaitCondition(t, "dsw", v1alpha1.ConditionReady, metav1.ConditionTrue, "")
	if got := c.pod(t, "worker", "dsw").Annotations[credentialsHash]; got == "" || got != before["dsw"].Annotations[credentialsHash] {
		t.Errorf("the same credentials have another hash than before: %q", got)
	}
	for _, channel := range []string{"sigap", "open311"} {
		if after := c.pod(t, "worker", channel); after.UID != before[channel].UID || restarts(after) != restarts(before[channel]) {
			t.Errorf("the worker of %s was restarted although nothing that it uses has changed", channel)
		}
	}
	eventually(t, settling, "what is shown is true again", func(ctx context.Context) error { return compare.City(ctx, world.Cluster, c.namespace) })
}

func (c *town) suspended(t *testing.T) {
	truth, err := compare.Truth(t.Context(), world.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	want := figures{Received: truth["sigap"].Received, Answered: truth["sigap"].Answered, Unanswered: truth["sigap"].Unanswered}
	c.edit(t, "sigap", func(s *v1alpha1.ComplaintChannelSpec) { s.Suspend = true })
	c.awaitCondition(t, "sigap", v1alpha1.ConditionWorkerAvailable, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
	eventually(t, patience, "no worker runs", func(ctx context.Context) error {
		pods, err := c.pods(ctx, "worker", "sigap")
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("%d run", len(pods))
		}
		return err
	})
	c.watch(t, map[string]figures{"sigap": want}, "the backlog is shown and the worker is not missed", func(metrics cluster.Metrics) error {
		if up := c.figure(metrics, "tanggap_channel_up", "sigap"); up != absent {
			return fmt.Errorf("tanggap_channel_up is %d", up)
		}
		return differ(want, c.figuresOf(metrics, "sigap"))
	})
	channel, err := c.channel(t.Context(), "sigap")
	if err != nil {
		t.Fatal(err)
	}
	if got := channel.Status.Unanswered; got == nil || int(*got) != want.Unanswered {
		t.Errorf("the status does not show the backlog of %d: %v", want.Unanswered, got)
	}
	c.edit(t, "sigap", func(s *v1alpha1.ComplaintChannelSpec) { s.Suspend = false })
	c.awaitReady(t, "sigap")
}

func (c *town) deleted(t *testing.T) {
	const name = "emergency-112"
	channel, err := c.channel(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := world.Client.Delete(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	objects := map[string]client.Object{
		"Deployment": &appsv1.Deployment{}, "Service": &corev1.Service{}, "ConfigMap": &corev1.ConfigMap{},
		"ServiceAccount": &corev1.ServiceAccount{}, "NetworkPolicy": &networkingv1.NetworkPolicy{},
	}
	eventually(t, patience, "nothing of the worker is left", func(ctx context.Context) error {
		var faults []error
		for kind, object := range objects {
			if err := world.Client.Get(ctx, c.key(name+"-worker"), object); !apierrors.IsNotFound(err) {
				faults = append(faults, fmt.Errorf("the %s is there (%w)", kind, err))
			}
		}
		pods, err := c.pods(ctx, "worker", name)
		if len(pods) > 0 {
			faults = append(faults, errors.New("a Pod is there"))
		}
		return errors.Join(append(faults, err)...)
	})
	eventually(t, patience, "no series of the channel is left, and those of the others are", func(ctx context.Context) error {
		metrics, err := world.Scrape(ctx)
		if err != nil {
			return err
		}
		return errors.Join(c.noSeries(metrics, name), c.seriesOf(metrics, "dsw"))
	})
}

// noSeries is an error for every family that still speaks of a channel.
func (c *town) noSeries(metrics cluster.Metrics, channel string) error {
	var faults []error
	for family := range metrics {
		for _, label := range []string{"channel", "to"} {
			if _, found := metrics.Sum(family, "namespace="+c.namespace, label+"="+channel); found {
				faults = append(faults, fmt.Errorf("%s has a series of %s", family, channel))
			}
		}
	}
	return errors.Join(faults...)
}

func (c *town) seriesOf(metrics cluster.Metrics, channel string) error {
	if c.figuresOf(metrics, channel).Unanswered == absent {
		return fmt.Errorf("the series of %s are gone", channel)
	}
	return nil
}
