// Package complainttaxonomy judges ComplaintTaxonomies and shows how far the ledgers have taken them over.
package complainttaxonomy

import (
	"context"

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

// +kubebuilder:rbac:groups=tanggap.dev,resources=complainttaxonomies;complaintchannels;complaintledgers,verbs=get;list;watch
// +kubebuilder:rbac:groups=tanggap.dev,resources=complainttaxonomies/status,verbs=patch

// SetupWithManager registers the controller.
func SetupWithManager(mgr ctrl.Manager, options policyobject.Options) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.ComplaintTaxonomy{}, policyobject.Changed()).
		Watches(&v1alpha1.ComplaintChannel{}, policyobject.ByChannel(func(channel *v1alpha1.ComplaintChannel) *v1alpha1.LocalReference {
			return channel.Spec.TaxonomyRef
		}), policyobject.Changed()).
		WatchesRawSource(options.Set.Taxonomies.Source()).
		Complete(&policyobject.Reconciler[*v1alpha1.ComplaintTaxonomy]{Kind: kind(options), Options: options})
}

func kind(options policyobject.Options) policyobject.Kind[*v1alpha1.ComplaintTaxonomy] {
	return policyobject.Kind[*v1alpha1.ComplaintTaxonomy]{
		Of:  ledgers.Taxonomy,
		New: func() *v1alpha1.ComplaintTaxonomy { return &v1alpha1.ComplaintTaxonomy{} },
		Judge: func(_ context.Context, _ *judge.Objects, taxonomy *v1alpha1.ComplaintTaxonomy) (judge.Verdict, error) {
			return options.Judge.Taxonomy(taxonomy), nil
		},
		Status: func(taxonomy *v1alpha1.ComplaintTaxonomy) *v1alpha1.PolicyStatus {
			return &taxonomy.Status.PolicyStatus
		},
		Ledgers: func(ctx context.Context, taxonomy *v1alpha1.ComplaintTaxonomy) (map[string]bool, error) {
			return index.Ledgers(ctx, options.Client, taxonomy.Namespace, index.ChannelTaxonomy, taxonomy.Name)
		},
		InPolicy: func(document *policy.Document, taxonomy *v1alpha1.ComplaintTaxonomy) (has, same bool) {
			spec, err := manifest.Taxonomy(taxonomy)
			return policyobject.Holds(document.Taxonomies, taxonomy.Name, spec, err)
		},
		Configuration: func(taxonomy *v1alpha1.ComplaintTaxonomy, status *apiac.PolicyStatusApplyConfiguration) runtime.ApplyConfiguration {
			return apiac.ComplaintTaxonomy(taxonomy.Name, taxonomy.Namespace).WithResourceVersion(taxonomy.ResourceVersion).
				WithStatus(&apiac.ComplaintTaxonomyStatusApplyConfiguration{PolicyStatusApplyConfiguration: *status})
		},
	}
}
