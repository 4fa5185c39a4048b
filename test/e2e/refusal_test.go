package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/simulator/callcentre"
	"github.com/tanggap/tanggap/test/cluster"
)

// TestBadInput gives a working town everything that is wrong. Each fault must show where the person who
// made it looks, and change nothing else.
func TestBadInput(t *testing.T) {
	t.Parallel()
	c := newTown(t, "bad-input")
	p := c.startPortal(t, "portal")
	if err := answer(p, report(p, 3)[0]); err != nil {
		t.Fatal(err)
	}
	c.apply(t, "hotline.yaml", "channel", "hotline", "hookSecret", hookSecret)
	c.awaitReady(t, "portal", "hotline")
	known := incident(1)
	if err := c.sender(t, "hotline").Send(t.Context(), "incident.created", known); err != nil {
		t.Fatal(err)
	}
	want := map[string]figures{"portal": {Received: 3, Answered: 1, Unanswered: 2}, "hotline": {Received: 1, Answered: 0, Unanswered: 1}}
	unchanged := func(t *testing.T) {
		t.Helper()
		c.watch(t, want, "the figures are as before", func(metrics cluster.Metrics) error {
			if accepted := c.ingested(metrics, "hotline", "accepted"); accepted != 1 {
				t.Fatalf("%d events were accepted, not 1", accepted)
			}
			return c.allRight(want)(metrics)
		})
	}
	for channel, figures := range want {
		c.awaitFigures(t, channel, figures)
	}

	t.Run("deliveries", func(t *testing.T) { c.badDeliveries(t, unchanged) })
	t.Run("manifests", func(t *testing.T) { c.badManifests(t, unchanged) })
	t.Run("edits of a channel that runs", func(t *testing.T) { c.badEdits(t, known, unchanged) })
	t.Run("an answer to a complaint that nobody knows waits for the complaint", func(t *testing.T) { c.earlyAnswer(t) })
}

// earlyAnswer delivers an answer before its complaint, as systems do that send each change by itself.
func (c *town) earlyAnswer(t *testing.T) {
	client := caller(t)
	deliver := func(content string, events int, want figures) {
		t.Helper()
		status, answer, err := post(t.Context(), client, c.signed(t, "hotline", time.Now(), []byte(content)))
		if err != nil || status != http.StatusNoContent {
			t.Fatalf("answered %d %s (%v)", status, answer, err)
		}
		eventually(t, patience, "the delivery is counted", func(ctx context.Context) error {
			metrics, err := world.Scrape(ctx)
			if err != nil {
				return err
			}
			return errors.Join(differ(events, c.ingested(metrics, "hotline", "accepted")), differ(want, c.figuresOf(metrics, "hotline")))
		})
	}
	deliver(`{"data": {"incident_id": "INC-EARLY", "dispatched_at": "2026-09-01T08:10:00+07:00"}}`, 2, figures{Received: 1, Answered: 0, Unanswered: 1})
	deliver(`{"data": {"incident_id": "INC-EARLY", "received_at": "2026-09-01T08:00:00+07:00"}}`, 3, figures{Received: 2, Answered: 1, Unanswered: 1})
}

func (c *town) badDeliveries(t *testing.T, unchanged func(*testing.T)) {
	client := caller(t)
	right := body(t, incident(2))
	for name, bad := range map[string]struct {
		request func(t *testing.T) *http.Request
		status  int
		says    string
	}{
		"unsigned": {func(t *testing.T) *http.Request {
			r := c.signed(t, "hotline", time.Now(), right)
			r.Header.Del("webhook-signature")
			return r
		}, http.StatusUnauthorized, "webhook-signature"},
		"tampered with": {func(t *testing.T) *http.Request {
			r := c.signed(t, "hotline", time.Now(), right)
			other := c.signed(t, "hotline", time.Now(), body(t, incident(3)))
			r.Header.Set("webhook-signature", other.Header.Get("webhook-signature"))
			return r
		}, http.StatusUnauthorized, "signature"},
		"replayed after an hour": {func(t *testing.T) *http.Request {
			return c.signed(t, "hotline", time.Now().Add(-time.Hour), right)
		}, http.StatusUnauthorized, "timestamp"},
		"too large": {func(t *testing.T) *http.Request {
			large := incident(2)
			large.Description = strings.Repeat("a", 5000)
			return c.signed(t, "hotline", time.Now(), body(t, large))
		}, http.StatusRequestEntityTooLarge, "4096 bytes"},
		"not JSON": {func(t *testing.T) *http.Request {
			return c.signed(t, "hotline", time.Now(), []byte(`{"type": "incident.created", "data": {`))
		}, http.StatusBadRequest, "JSON"},
		"a time without an offset": {func(t *testing.T) *http.Request {
			return c.signed(t, "hotline", time.Now(), []byte(`{"data": {"incident_id": "INC-2", "received_at": "2026-09-01T08:00:00"}}`))
		}, http.StatusBadRequest, "events[0].at"},
		"an item without what the mapping needs": {func(t *testing.T) *http.Request {
			return c.signed(t, "hotline", time.Now(), []byte(`{"data": {"received_at": "2026-09-01T08:00:00+07:00"}}`))
		}, http.StatusBadRequest, "caseID"},
		"to a channel that does not exist": {func(t *testing.T) *http.Request {
			r := c.signed(t, "hotline", time.Now(), right)
			r.URL.Path = "/hooks/hotlime"
			return r
		}, http.StatusNotFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer, err := post(t.Context(), client, bad.request(t))
			if err != nil {
				t.Fatal(err)
			}
			if status != bad.status || !strings.Contains(answer, bad.says) {
				t.Errorf("answered %d %q, not %d with %q", status, answer, bad.status, bad.says)
			}
			unchanged(t)
		})
	}
	object, err := c.channel(t.Context(), "hotline")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := json.Marshal(object.Status); err != nil || strings.Contains(string(status), "Pohon") {
		t.Errorf("the status holds what was delivered: %s (%v)", status, err)
	}
}

// fault is a mistake in a manifest: what to break in a good specification, what the condition says, and
// how it is mended.
type fault struct {
	spoil        func(*v1alpha1.ComplaintChannelSpec)
	reason, says string
	mend         func(t *testing.T, c *town, name string)
	// secret is one that mending has made and that must not be there before.
	secret string
}

func faults() map[string]fault {
	return map[string]fault{
		"an SLA that does not exist": {
			func(s *v1alpha1.ComplaintChannelSpec) { s.SLARef.Name = "promiss" },
			v1alpha1.ReasonReferenceNotFound, `spec.slaRef: there is no ResponseSLA "promiss" in this namespace`,
			func(t *testing.T, c *town, name string) {
				c.edit(t, name, func(s *v1alpha1.ComplaintChannelSpec) { s.SLARef.Name = "promise" })
			},
			"",
		},
		"a Secret that does not exist": {
			func(s *v1alpha1.ComplaintChannelSpec) {
				s.Source.Webhook.Verification.StandardWebhooks.SecretRefs[0].Name = "forgotten"
			},
			v1alpha1.ReasonReferenceNotFound, `spec.source.webhook.verification.standardWebhooks.secretRefs[0]: there is no Secret "forgotten" in this namespace`,
			func(t *testing.T, c *town, name string) {
				c.secret(t, "forgotten", map[string]string{"signing-secret": hookSecret})
			},
			"forgotten",
		},
		"a key that the Secret does not have": {
			func(s *v1alpha1.ComplaintChannelSpec) {
				s.Source.Webhook.Verification.StandardWebhooks.SecretRefs[0].Key = "second-secret"
			},
			v1alpha1.ReasonReferenceNotFound, `has no key "second-secret"`,
			func(t *testing.T, c *town, name string) {
				c.secret(t, name, map[string]string{"second-secret": hookSecret})
			},
			"",
		},
		"an expression that does not compile": {
			func(s *v1alpha1.ComplaintChannelSpec) { s.Source.Webhook.Mapping.CaseID = "item.incident_id +" },
			v1alpha1.ReasonInvalidExpression, "spec.source.webhook.mapping.caseID: line 1, column 19: ",
			func(t *testing.T, c *town, name string) {
				c.edit(t, name, func(s *v1alpha1.ComplaintChannelSpec) { s.Source.Webhook.Mapping.CaseID = "item.incident_id" })
			},
			"",
		},
		"a variable that does not exist, in the second line": {
			func(s *v1alpha1.ComplaintChannelSpec) {
				s.Source.Webhook.Mapping.Events[0].Text = "item.?description\n  .orValue(itm.title)"
			},
			v1alpha1.ReasonInvalidExpression, "spec.source.webhook.mapping.events[0].text: line 2, column 12: ",
			func(t *testing.T, c *town, name string) {
				c.edit(t, name, func(s *v1alpha1.ComplaintChannelSpec) { s.Source.Webhook.Mapping.Events[0].Text = "" })
			},
			"",
		},
		"a ledger that does not exist": {
			func(s *v1alpha1.ComplaintChannelSpec) { s.LedgerRef.Name = "lodger" },
			v1alpha1.ReasonReferenceNotFound, `spec.ledgerRef: there is no ComplaintLedger "lodger" in this namespace`,
			func(t *testing.T, c *town, name string) {
				c.edit(t, name, func(s *v1alpha1.ComplaintChannelSpec) { s.LedgerRef.Name = "ledger" })
			},
			"",
		},
	}
}

// badManifests applies new channels with a mistake each. They get no worker, and one once they are mended.
func (c *town) badManifests(t *testing.T, unchanged func(*testing.T)) {
	good, err := c.channel(t.Context(), "hotline")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for sentence, fault := range faults() {
		n++
		name := fmt.Sprintf("faulty-%d", n)
		t.Run(sentence, func(t *testing.T) {
			channel := &v1alpha1.ComplaintChannel{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: name}, Spec: *good.Spec.DeepCopy()}
			c.secret(t, name, map[string]string{"signing-secret": hookSecret})
			channel.Spec.Source.Webhook.Verification.StandardWebhooks.SecretRefs[0].Name = name
			fault.spoil(&channel.Spec)
			if err := world.Client.Create(t.Context(), channel); err != nil {
				t.Fatal(err)
			}
			c.showsFault(t, name, fault)
			err := world.Client.Get(t.Context(), c.key(name+"-worker"), &appsv1.Deployment{})
			if !apierrors.IsNotFound(err) {
				t.Errorf("a channel that is not accepted has a worker (%v)", err)
			}
			fault.mend(t, c, name)
			c.awaitCondition(t, name, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
			eventually(t, patience, "the mended channel gets its worker", func(ctx context.Context) error {
				return world.Client.Get(ctx, c.key(name+"-worker"), &appsv1.Deployment{})
			})
			unchanged(t)
			if err := world.Client.Delete(t.Context(), channel); err != nil {
				t.Fatal(err)
			}
			if fault.secret == "" {
				return
			}
			made := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: fault.secret}}
			if err := world.Client.Delete(t.Context(), made); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// showsFault waits for the condition that a person looks at.
func (c *town) showsFault(t *testing.T, name string, fault fault) {
	t.Helper()
	accepted := c.awaitCondition(t, name, v1alpha1.ConditionAccepted, metav1.ConditionFalse, fault.reason)
	if !strings.Contains(accepted.Message, fault.says) {
		t.Errorf("the condition says %q, and not %q", accepted.Message, fault.says)
	}
	c.awaitCondition(t, name, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotAccepted)
}

// badEdits makes the same mistakes in a channel that runs: its worker goes on as it was.
func (c *town) badEdits(t *testing.T, known callcentre.Incident, unchanged func(*testing.T)) {
	before := c.pod(t, "worker", "hotline")
	for sentence, fault := range faults() {
		if strings.Contains(sentence, "ledger") {
			continue // the name of a running channel's ledger is another test
		}
		t.Run(sentence, func(t *testing.T) {
			good, err := c.channel(t.Context(), "hotline")
			if err != nil {
				t.Fatal(err)
			}
			c.edit(t, "hotline", fault.spoil)
			c.showsFault(t, "hotline", fault)
			// A delivery that the ledger has already shows that the old worker still takes them.
			if err := c.sender(t, "hotline").Send(t.Context(), "incident.created", known); err != nil {
				t.Error(err)
			}
			c.edit(t, "hotline", func(s *v1alpha1.ComplaintChannelSpec) { *s = good.Spec })
			c.awaitCondition(t, "hotline", v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
			unchanged(t)
		})
	}
	if after := c.pod(t, "worker", "hotline"); after.UID != before.UID || restarts(after) != restarts(before) {
		t.Error("the worker was restarted although nothing about it changed")
	}
}
