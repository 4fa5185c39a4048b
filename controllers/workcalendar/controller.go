// Package workcalendar judges WorkCalendars and shows how far the ledgers have taken them over.
package workcalendar

import (
	"context"
	"maps"

	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/tanggap/tanggap/api/v1alpha1"
	apiac "github.com/tanggap/tanggap/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/judge"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/controllers/internal/policyobject"
	"github.com/tanggap/tanggap/internal/manifest"
	"github.com/tanggap/tanggap/internal/policy"
)

// +kubebuilder:rbac:groups=tanggap.dev,resources=workcalendars;responseslas;complaintchannels;complaintledgers,verbs=get;list;watch
// +kubebuilder:rbac:groups=tanggap.dev,resources=workcalendars/status,verbs=patch

// SetupWithManager registers the controller.
func SetupWithManager(mgr ctrl.Manager, options policyobject.Options) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.WorkCalendar{}, policyobject.Changed()).
		Watches(&v1alpha1.ComplaintChannel{}, policyobject.ByChannel(func(channel *v1alpha1.ComplaintChannel) *v1alpha1.LocalReference {
			return channel.Spec.CalendarRef
		}), policyobject.Changed()).
		WatchesRawSource(options.Set.Calendars.Source()).
		Complete(&policyobject.Reconciler[*v1alpha1.WorkCalendar]{Kind: kind(options), Options: options})
}

func kind(options policyobject.Options) policyobject.Kind[*v1alpha1.WorkCalendar] {
	return policyobject.Kind[*v1alpha1.WorkCalendar]{
		Of:  ledgers.Calendar,
		New: func() *v1alpha1.WorkCalendar { return &v1alpha1.WorkCalendar{} },
		Judge: func(_ context.Context, _ *judge.Objects, calendar *v1alpha1.WorkCalendar) (judge.Verdict, error) {
			return options.Judge.Calendar(calendar), nil
		},
		Status: func(calendar *v1alpha1.WorkCalendar) *v1alpha1.PolicyStatus { return &calendar.Status.PolicyStatus },
		Ledgers: func(ctx context.Context, calendar *v1alpha1.WorkCalendar) (map[string]bool, error) {
			return ledgersOf(ctx, options, calendar)
		},
		InPolicy: func(document *policy.Document, calendar *v1alpha1.WorkCalendar) (has, same bool) {
			spec, err := manifest.Calendar(calendar)
			return policyobject.Holds(document.Calendars, calendar.Name, spec, err)
		},
		Configuration: func(calendar *v1alpha1.WorkCalendar, status *apiac.PolicyStatusApplyConfiguration) runtime.ApplyConfiguration {
			return apiac.WorkCalendar(calendar.Name, calendar.Namespace).WithResourceVersion(calendar.ResourceVersion).
				WithStatus(&apiac.WorkCalendarStatusApplyConfiguration{PolicyStatusApplyConfiguration: *status})
		},
	}
}

// ledgersOf are the ledgers of the channels that refer to a calendar, or whose SLA does.
func ledgersOf(ctx context.Context, options policyobject.Options, calendar *v1alpha1.WorkCalendar) (map[string]bool, error) {
	all, err := index.Ledgers(ctx, options.Client, calendar.Namespace, index.ChannelCalendar, calendar.Name)
	if err != nil {
		return nil, err
	}
	slas, err := index.SLAs(ctx, options.Client, calendar.Namespace, calendar.Name)
	if err != nil {
		return nil, err
	}
	for _, sla := range slas {
		more, err := index.Ledgers(ctx, options.Client, calendar.Namespace, index.ChannelSLA, sla.Name)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, more)
	}
	return all, nil
}
