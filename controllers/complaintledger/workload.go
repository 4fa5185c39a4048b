package complaintledger

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
)

// retryObject is when an object is applied again that the API server refused: nothing tells when a name is free
// again, or a quota or an admission policy has changed.
const retryObject = time.Minute

// run makes the ledger's objects what they should be. A refusal stops nothing else: a ledger that runs is read, gets
// its policy and keeps its certificates.
func (r *Reconciler) run(ctx context.Context, s *scope) error {
	return r.unlessRefused(s, r.applyAll(ctx, s))
}

// unlessRefused has the condition Ready tell of an error by which the API server refuses an object, and gives any
// other back.
func (r *Reconciler) unlessRefused(s *scope, err error) error {
	if apierrors.IsInvalid(err) || apierrors.IsConflict(err) || apierrors.IsForbidden(err) {
		s.refused = "The API server refused an object of the ledger: " + err.Error()
		s.lookAgain(r.Now().Add(retryObject))
		return nil
	}
	return err
}

func (r *Reconciler) applyAll(ctx context.Context, s *scope) error {
	if err := apply.Object(ctx, r.Client, r.Live, buildServiceAccount(s.ledger), &corev1.ServiceAccount{}); err != nil {
		return err
	}
	if err := apply.Object(ctx, r.Client, r.Live, buildTrust(s.ledger, s.authorities.CertificatesPEM()), &corev1.ConfigMap{}); err != nil {
		return err
	}
	if err := apply.Object(ctx, r.Client, r.Live, buildNetworkPolicy(s.ledger, r.Namespace), &networkingv1.NetworkPolicy{}); err != nil {
		return err
	}
	if err := apply.Object(ctx, r.Client, r.Live, buildService(s.ledger), &corev1.Service{}); err != nil {
		return err
	}
	if s.pseudonymHash == "" || s.missing != "" {
		return nil // a pod without the key could not start; one that runs is left alone
	}
	if s.ledger.Spec.Storage.Postgres == nil {
		return apply.Object(ctx, r.Client, r.Live, buildStatefulSet(s.ledger, r.Image, s.pseudonymHash), &appsv1.StatefulSet{})
	}
	if err := apply.Object(ctx, r.Client, r.Live, buildDisruptionBudget(s.ledger), &policyv1.PodDisruptionBudget{}); err != nil {
		return err
	}
	hash := secrets.Combine([]string{s.pseudonymHash, s.databaseHash})
	return apply.Object(ctx, r.Client, r.Live, buildDeployment(s.ledger, r.Image, hash), &appsv1.Deployment{})
}
