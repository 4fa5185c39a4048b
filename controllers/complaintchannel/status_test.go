package complaintchannel

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/conditions"
	"github.com/tanggap/tanggap/controllers/internal/judge"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

var now = metav1.NewTime(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))

// well is a pass over an accepted channel whose worker is available and was connected before.
func well() *scope {
	channel := polled()
	channel.Status = v1alpha1.ComplaintChannelStatus{
		ObservedGeneration: 2, Unanswered: new(int64(7)), Overdue: new(int64(1)), LastEventAt: &now,
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionSourceConnected, Status: metav1.ConditionTrue, Reason: "Connected", Message: "as before", LastTransitionTime: now}},
	}
	good := judge.Verdict{Reason: v1alpha1.ReasonAccepted}
	return &scope{
		channel: channel, worker: workerOf(channel, image), source: good, promise: good,
		conditions: conditions.New(channel.Generation, channel.Status.Conditions, now),
		deployment: &appsv1.Deployment{Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue},
		}}},
	}
}

func TestDecideStatus(t *testing.T) {
	type verdict struct {
		condition string
		status    metav1.ConditionStatus
		reason    string
	}
	reported := ledgers.ChannelView{Reported: true, State: ledgerapi.SourceConnected, Reason: ledgerapi.ReasonConnected, FiguresKnown: true, Unanswered: 3}
	for sentence, c := range map[string]struct {
		change     func(*scope)
		view       ledgers.ChannelView
		known      bool
		incomplete bool
		want       []verdict
		unanswered *int64
	}{
		"what the worker reports is shown": {
			view: reported, known: true,
			want:       []verdict{{"SourceConnected", "True", "Connected"}, {"Ready", "True", "Ready"}},
			unanswered: new(int64(3)),
		},
		"what is not heard of yet stays as it was": {
			want:       []verdict{{"SourceConnected", "True", "Connected"}, {"Ready", "True", "Ready"}},
			unanswered: new(int64(7)),
		},
		"what is not heard of stays not, when the channel cannot even be read": {
			change: func(s *scope) {
				s.source = judge.Verdict{Reason: v1alpha1.ReasonReferenceNotFound, Message: "no ledger"}
			},
			want: []verdict{{"SourceConnected", "Unknown", "NotReported"}, {"Accepted", "False", "ReferenceNotFound"}, {"Ready", "False", "NotAccepted"}},
		},
		"a ledger that is silent makes figures unknown, and the channel no less ready": {
			view: ledgers.ChannelView{LedgerSilent: true}, known: true,
			want: []verdict{{"SourceConnected", "Unknown", "LedgerUnavailable"}, {"Ready", "True", "Ready"}},
		},
		"a worker that fell silent makes figures unknown": {
			view: ledgers.ChannelView{}, known: true,
			want: []verdict{{"SourceConnected", "Unknown", "NotReported"}, {"Ready", "True", "Ready"}},
		},
		"a source that is down leaves the channel ready": {
			view:  ledgers.ChannelView{Reported: true, State: ledgerapi.SourceDisconnected, Reason: ledgerapi.ReasonTimeout, Message: "no answer within 30s"},
			known: true,
			want:  []verdict{{"SourceConnected", "False", "Timeout"}, {"Ready", "True", "Ready"}},
		},
		"a push source that waits is neither connected nor not": {
			view:  ledgers.ChannelView{Reported: true, State: ledgerapi.SourceUnknown, Reason: ledgerapi.ReasonWaitingForFirst},
			known: true,
			want:  []verdict{{"SourceConnected", "Unknown", "WaitingForFirstContact"}},
		},
		"a reason that nobody knows does not spoil the status": {
			view:  ledgers.ChannelView{Reported: true, State: ledgerapi.SourceDisconnected, Reason: "no reason!"},
			known: true,
			want:  []verdict{{"SourceConnected", "False", "InternalError"}},
		},
		"an error of the operator is unknown, not false": {
			change:     func(s *scope) { s.source, s.promise, s.deployment = judge.Verdict{}, judge.Verdict{}, nil },
			incomplete: true,
			want:       []verdict{{"Accepted", "Unknown", "Pending"}, {"Ready", "Unknown", "Pending"}, {"WorkerAvailable", "Unknown", "Pending"}},
			unanswered: new(int64(7)),
		},
		"a worker that waits for the ledger says so": {
			change: func(s *scope) { s.waiting, s.deployment = "The worker waits for the ledger's certificates.", nil },
			view:   reported, known: true,
			want:       []verdict{{"WorkerAvailable", "False", "LedgerUnavailable"}, {"Ready", "False", "LedgerUnavailable"}},
			unanswered: new(int64(3)),
		},
		"a Deployment that cannot make pods is not available": {
			change: func(s *scope) {
				s.deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}}
			},
			view: reported, known: true,
			want:       []verdict{{"WorkerAvailable", "False", "DeploymentUnavailable"}},
			unanswered: new(int64(3)),
		},
		"a suspended channel keeps its figures": {
			change: func(s *scope) { s.channel.Spec.Suspend = true },
			view:   ledgers.ChannelView{FiguresKnown: true, Unanswered: 4}, known: true,
			want:       []verdict{{"SourceConnected", "Unknown", "Suspended"}, {"Ready", "False", "Suspended"}, {"Accepted", "True", "Accepted"}},
			unanswered: new(int64(4)),
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := well()
			if c.change != nil {
				c.change(s)
			}
			status := decideStatus(s, c.view, c.known, !c.incomplete)
			for _, w := range c.want {
				got := s.conditions.Get(w.condition)
				if got == nil || got.Status != w.status || got.Reason != w.reason || got.Message == "" {
					t.Errorf("%s is %+v, want %s, %s with a message", w.condition, got, w.status, w.reason)
				}
			}
			if (status.Unanswered == nil) != (c.unanswered == nil) || c.unanswered != nil && *status.Unanswered != *c.unanswered {
				t.Errorf("unanswered is %v, want %v", status.Unanswered, c.unanswered)
			}
			if want := map[bool]int64{false: 3, true: 2}[c.incomplete]; status.ObservedGeneration != want {
				t.Errorf("the observed generation is %d, want %d", status.ObservedGeneration, want)
			}
		})
	}
}
