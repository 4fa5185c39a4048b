package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/simulator/portal"
	"github.com/tanggap/tanggap/test/cluster"
	"github.com/tanggap/tanggap/test/site"
)

// city is the scripted city: a cluster with the operator, its workers and ledgers, and the portals that
// its channels poll.
type city struct {
	*cluster.Cluster
	portals map[string]*source
}

// source is the portal behind a channel, and what is wrong with it.
type source struct {
	*portal.Portal
	// away has it break off every connection, refusing has it refuse the key.
	away, refusing atomic.Bool
}

// ServeHTTP implements http.Handler.
func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.away.Load():
		panic(http.ErrAbortHandler)
	case s.refusing.Load():
		w.WriteHeader(http.StatusUnauthorized)
	default:
		s.Portal.ServeHTTP(w, r)
	}
}

// place is a channel of the script.
type place struct {
	namespace, channel, sla string
	official                bool
}

func (p place) key() types.NamespacedName {
	return types.NamespacedName{Namespace: p.namespace, Name: p.channel}
}

var places = []place{
	{"depok", "portal", "month", true},
	{"depok", "worker", "month", true},
	{"depok", "source", "month", true},
	{"depok", "credentials", "month", true},
	{"depok", "broken", "moments", true},
	{"depok", "mayor", "moments", false},
	{"depok", "waiting", "hour", true},
	{"depok", "old", "month", true},
	{"depok", "silent", "month", true},
	{"bogor", "portal", "month", true},
}

// phone is of a number that nobody has.
const phone = "0812-1000-0001"

// file files a complaint at a channel's portal and returns its number.
func (c *city) file(at string, report portal.Report) string {
	report.Title, report.Text = "Sampah menumpuk", "Sudah seminggu tidak diangkut."
	return c.portals[at].AddTicket(report)
}

// answer answers every complaint of a channel.
func (c *city) answer(at string) error {
	for _, number := range c.portals[at].Numbers() {
		if err := c.portals[at].Answer(number, "Admin OPD", "Truk pengangkut datang besok pagi pukul tujuh."); err != nil {
			return err
		}
	}
	return nil
}

// startCity starts everything and waits until every channel is read.
func startCity(t *testing.T) *city {
	t.Helper()
	state := stateDir(t)
	tanggap, err := site.Build(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	running, err := cluster.Start(ctx, cluster.Options{Root: root, StateDir: state, Tanggap: tanggap})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stopping, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := running.Stop(stopping); err != nil {
			t.Errorf("stopping the cluster: %v", err)
		}
	})
	c := &city{Cluster: running, portals: map[string]*source{}}
	if err := errors.Join(running.Install(ctx), c.applyFile(ctx, "city.yaml", nil)); err != nil {
		t.Fatal(err)
	}
	for _, p := range places {
		c.open(t, p)
	}
	c.openHotline(t)
	for _, p := range places {
		eventually(t, patience, p.key().String()+" is connected", func(ctx context.Context) error { return c.connected(ctx, p) })
	}
	return c
}

// stateDir is a folder that stays when the test fails, as what the processes printed is in it.
func stateDir(t *testing.T) string {
	t.Helper()
	state, err := os.MkdirTemp("", "tanggap-alerts-") //nolint:usetesting // t.TempDir is removed in any case
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("what the processes printed is in", filepath.Join(state, "node", "logs"))
			return
		}
		_ = os.RemoveAll(state)
	})
	return state
}

// open serves a channel's portal, which has one complaint that nobody answers, and applies the channel.
func (c *city) open(t *testing.T, p place) {
	t.Helper()
	s := &source{Portal: portal.New(portal.Options{APIKey: "key-of-the-portal", ByUpdate: true, Now: time.Now})}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c.portals[p.namespace+"/"+p.channel] = s
	if p.sla == "month" {
		c.file(p.namespace+"/"+p.channel, portal.Report{Phone: phone})
	}
	err := c.applyFile(t.Context(), "channel.yaml", map[string]string{
		"namespace": p.namespace, "channel": p.channel, "sla": p.sla, "official": fmt.Sprint(p.official), "url": server.URL,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// applyFile applies a manifest of testdata with its values filled in.
func (c *city) applyFile(ctx context.Context, file string, values map[string]string) error {
	content, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		return err
	}
	manifest := os.Expand(string(content), func(name string) string { return values[name] })
	for {
		// Kinds that have just been defined take a moment to be served.
		err := c.ApplyManifest(ctx, manifest)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(glance):
		}
	}
}

func (c *city) connected(ctx context.Context, p place) error {
	channel := &v1alpha1.ComplaintChannel{}
	if err := c.Client.Get(ctx, p.key(), channel); err != nil {
		return err
	}
	if !meta.IsStatusConditionTrue(channel.Status.Conditions, v1alpha1.ConditionSourceConnected) {
		return fmt.Errorf("its conditions are %v", channel.Status.Conditions)
	}
	return nil
}

// operators writes the list of the operator's Pods, as Prometheus would find them in a cluster, until the
// context ends. A list that cannot be read stays as it is, as it does there.
func (c *city) operators(ctx context.Context, file string) {
	for {
		var pods corev1.PodList
		err := c.Client.List(ctx, &pods, client.InNamespace(cluster.OperatorNamespace))
		if err == nil {
			_ = writeTargets(file, pods.Items) // the next time will do
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func writeTargets(file string, pods []corev1.Pod) error {
	type target struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	targets := []target{}
	for _, pod := range pods {
		if pod.Status.PodIP == "" || pod.DeletionTimestamp != nil {
			continue
		}
		for _, port := range pod.Spec.Containers[0].Ports {
			targets = append(targets, target{[]string{fmt.Sprintf("%s:%d", pod.Status.PodIP, port.ContainerPort)}, map[string]string{
				"__meta_kubernetes_pod_name":                              pod.Name,
				"__meta_kubernetes_pod_container_port_name":               port.Name,
				"__meta_kubernetes_pod_label_app_kubernetes_io_component": pod.Labels["app.kubernetes.io/component"],
			}})
		}
	}
	text, err := json.Marshal(targets)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// keepDown keeps the process of a component from living longer than a moment until the context ends.
func (c *city) keepDown(ctx context.Context, namespace, component, instance string) {
	for {
		c.killOnce(namespace, component, instance)
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// killOnce kills the process of a component, which is then started again.
func (c *city) killOnce(namespace, component, instance string) {
	pods, err := c.Node.Pods(namespace)
	if err != nil {
		return // the Pods are being made
	}
	for _, pod := range pods {
		if pod.Labels["app.kubernetes.io/component"] == component && pod.Labels["app.kubernetes.io/instance"] == instance {
			_ = c.Node.Kill(namespace, pod.Name, syscall.SIGKILL) // it may be down already
		}
	}
}

// scaleOperator starts and stops operators.
func (c *city) scaleOperator(ctx context.Context, replicas int) error {
	_, err := c.Kubectl(ctx, nil, "-n", cluster.OperatorNamespace, "scale", "deployment/tanggap-operator", fmt.Sprintf("--replicas=%d", replicas))
	return err
}

// endCalendar says until when the calendar's holidays are entered.
func (c *city) endCalendar(ctx context.Context, day string) error {
	calendar := &v1alpha1.WorkCalendar{}
	if err := c.Client.Get(ctx, types.NamespacedName{Namespace: "depok", Name: "always"}, calendar); err != nil {
		return err
	}
	before := client.MergeFrom(calendar.DeepCopy())
	calendar.Spec.CoversUntil = v1alpha1.Date(day)
	return c.Client.Patch(ctx, calendar, before)
}
