// Package responsesla judges ResponseSLAs and shows how far the ledgers have taken them over.
package responsesla

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/tanggap/tanggap/api/v1alpha1"
	apiac "github.com/tanggap/tanggap/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/controllers/internal/policyobject"
	"github.com/tanggap/tanggap/internal/manifest"
	"github.com/tanggap/tanggap/internal/policy"
)

// +kubebuilder:rbac:groups=tanggap.dev,resources=responseslas;workcalendars;complaintchannels;complaintledgers,verbs=get;list;watch
// +kubebuilder:rbac:groups=tanggap.dev,resources=responseslas/status,verbs=patch

// SetupWithManager registers the controller.
func SetupWithManager(mgr ctrl.Manager, options policyobject.Options) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.ResponseSLA{}, policyobject.Changed()).
		Watches(&v1alpha1.WorkCalendar{}, policyobject.SLAsByCalendar(options.Client), policyobject.Changed()).
		Watches(&v1alpha1.ComplaintChannel{}, policyobject.ByChannel(func(channel *v1alpha1.ComplaintChannel) *v1alpha1.LocalReference {
			return channel.Spec.SLARef
		}), policyobject.Changed()).
		WatchesRawSource(options.Set.SLAs.Source()).
		Complete(&policyobject.Reconciler[*v1alpha1.ResponseSLA]{Kind: kind(options), Options: options})
}

func kind(options policyobject.Options) policyobject.Kind[*v1alpha1.ResponseSLA] {
	return policyobject.Kind[*v1alpha1.ResponseSLA]{
		Of:     ledgers.SLA,
		New:    func() *v1alpha1.ResponseSLA { return &v1alpha1.ResponseSLA{} },
		Judge:  options.Judge.SLA,
		Status: func(sla *v1alpha1.ResponseSLA) *v1alpha1.PolicyStatus { return &sla.Status.PolicyStatus },
		Ledgers: func(ctx context.Context, sla *v1alpha1.ResponseSLA) (map[string]bool, error) {
			return index.Ledgers(ctx, options.Client, sla.Namespace, index.ChannelSLA, sla.Name)
		},
		InPolicy: func(document *policy.Document, sla *v1alpha1.ResponseSLA) (has, same bool) {
			spec, err := manifest.SLA(sla)
			return policyobject.Holds(document.SLAs, sla.Name, spec, err)
		},
		Configuration: func(sla *v1alpha1.ResponseSLA, status *apiac.PolicyStatusApplyConfiguration) runtime.ApplyConfiguration {
			return apiac.ResponseSLA(sla.Name, sla.Namespace).WithResourceVersion(sla.ResourceVersion).
				WithStatus(&apiac.ResponseSLAStatusApplyConfiguration{PolicyStatusApplyConfiguration: *status})
		},
	}
}
