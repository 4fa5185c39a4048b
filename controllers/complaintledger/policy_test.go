package complaintledger

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/manifest"
)

func TestFingerprintOf(t *testing.T) {
	channel := func(uid types.UID, generation int64) *v1alpha1.ComplaintChannel {
		return &v1alpha1.ComplaintChannel{ObjectMeta: metav1.ObjectMeta{UID: uid, Generation: generation}}
	}
	of := func(channels ...*v1alpha1.ComplaintChannel) string {
		return fingerprintOf(manifest.Objects{Ledger: &v1alpha1.ComplaintLedger{}, Channels: channels})
	}
	channels := []*v1alpha1.ComplaintChannel{channel("a", 1), channel("b", 12), channel("c", 1)}
	want := of(channels...)
	slices.Reverse(channels)
	if of(channels...) != want {
		t.Error("the order in which the cache lists the objects has the policy made anew")
	}
	for sentence, other := range map[string]string{
		"one that is gone":           of(channels[1:]...),
		"one that is new":            of(append(slices.Clone(channels), channel("d", 1))...),
		"one that has changed":       of(channel("a", 2), channel("b", 12), channel("c", 1)),
		"one that was made anew":     of(channel("e", 1), channel("b", 12), channel("c", 1)),
		"digits of another sequence": of(channel("a", 1), channel("b", 1), channel("c", 12)),
	} {
		if other == want {
			t.Errorf("%s does not have the policy made anew", sentence)
		}
	}
}
