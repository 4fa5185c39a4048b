package controllers_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/complaintchannel"
	"github.com/tanggap/tanggap/controllers/internal/judge"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
)

// lagging is a cache that has not heard of what was written to a channel since it was read.
type lagging struct {
	client.Client
	channel *v1alpha1.ComplaintChannel
}

// Get implements client.Reader.
func (l *lagging) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if channel, ok := into.(*v1alpha1.ComplaintChannel); ok && l.channel != nil {
		l.channel.DeepCopyInto(channel)
		return nil
	}
	return l.Client.Get(ctx, key, into, options...)
}

func TestATransitionIsToldOnceThoughTheCacheLags(t *testing.T) {
	namespace := city(t, "lagging")
	apply(t, namespace, portalManifest("dsw", "dsw", "token", ""))
	cache, recorder, clock := &lagging{Client: admin}, events.NewFakeRecorder(16), &clock{}
	reconciler := &complaintchannel.Reconciler{
		Client: cache, Judge: judge.New(func(*v1alpha1.ComplaintChannel) error { return nil }),
		Ledgers:  ledgers.New(ledgers.Options{Dial: ledgers.Dial, Now: clock.now, After: time.After, Logger: logr.Discard()}),
		Digests:  secrets.NewReader[secrets.Digests](cache, admin),
		HashKeys: secrets.NewReader[[]byte](cache, admin),
		Recorder: recorder, Image: image, Now: clock.now,
	}
	pass := func() ctrl.Result {
		t.Helper()
		result, err := reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: "dsw"}})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	cache.channel = get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{})
	pass()
	told, written := len(recorder.Events), get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{})
	if told == 0 {
		t.Fatal("no transition is told")
	}
	clock.advance(time.Minute)
	if again := pass(); again.RequeueAfter == 0 {
		t.Error("a pass over an object that has changed is not made again")
	}
	if again := len(recorder.Events) - told; again != 0 {
		t.Errorf("%d events are told again", again)
	}
	if now := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{}); now.ResourceVersion != written.ResourceVersion {
		t.Errorf("the status is written again: %+v", now.Status.Conditions)
	}
	cache.channel = nil
	if result := pass(); result.RequeueAfter != 0 || len(recorder.Events) != told {
		t.Errorf("with the cache up to date there are %d events, want %d, and another pass after %s", len(recorder.Events), told, result.RequeueAfter)
	}
}

// TestAStatusThatWasRestoredIsBroughtUpToDate has a backup tool write statuses, which then are that tool's.
func TestAStatusThatWasRestoredIsBroughtUpToDate(t *testing.T) {
	namespace := city(t, "restored")
	operate(t, namespace)
	furnish(t, namespace)
	apply(t, namespace, secretManifest("dsw", map[string]string{"token": "x"})+"\n---\n"+portalManifest("dsw", "dsw", "token", ""))
	available(t, namespace, "dsw", corev1.ConditionTrue)
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, yes, "")
	eventually(t, "the status is restored", func() string {
		channel := get(t, namespace, "dsw", &v1alpha1.ComplaintChannel{})
		for i := range channel.Status.Conditions {
			channel.Status.Conditions[i].Message = "restored"
			channel.Status.Conditions[i].LastTransitionTime = metav1.NewTime(time.Now().Add(-time.Hour))
		}
		if err := admin.Status().Update(t.Context(), channel, client.FieldOwner("backup")); err != nil {
			return err.Error()
		}
		return ""
	})
	apply(t, namespace, portalManifest("dsw", "dsw", "token", "suspend: true"))
	channelHas(t, namespace, "dsw", v1alpha1.ConditionReady, no, v1alpha1.ReasonSuspended)
}
