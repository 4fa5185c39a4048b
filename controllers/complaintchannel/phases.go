package complaintchannel

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/judge"
	"github.com/tanggap/tanggap/controllers/internal/names"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
)

// judge decides whether the specification is valid and what it refers to is there.
func (r *Reconciler) judge(ctx context.Context, s *scope) error {
	var err error
	if s.source, err = r.Judge.Source(ctx, s.objects, s.channel); err != nil {
		return err
	}
	if s.promise, err = r.Judge.Promise(ctx, s.objects, s.channel); err != nil {
		return err
	}
	return nil
}

// credentials looks whether the Secrets have what the source needs, and hashes it.
func (r *Reconciler) credentials(ctx context.Context, s *scope) error {
	if !s.source.Accepted() {
		return nil
	}
	if err := r.readCredentials(ctx, s); err != nil {
		s.source = judge.Verdict{} // not known until they can be read
		return err
	}
	return nil
}

func (r *Reconciler) readCredentials(ctx context.Context, s *scope) error {
	key, err := r.hashKey(ctx, index.Ledger(s.channel))
	if err != nil {
		return err
	}
	if len(key) == 0 {
		s.waiting = "The worker waits for the ledger's certificates."
	}
	var digests []string
	for _, reference := range s.worker.references() {
		own, err := secrets.RefuseOwn(ctx, r.Client, s.channel.Namespace, reference)
		if err != nil {
			return err
		}
		if own != "" {
			s.source = judge.Verdict{Reason: v1alpha1.ReasonInvalidSpec, Message: own}
			return nil
		}
		found, missing, err := r.digest(ctx, s.channel.Namespace, reference, key)
		if err != nil {
			return err
		}
		if missing != "" {
			s.source = judge.Verdict{Reason: v1alpha1.ReasonReferenceNotFound, Message: missing}
			return nil
		}
		digests = append(digests, found)
	}
	s.worker.CredentialsHash = secrets.Combine(digests)
	return nil
}

// hashKey is the key that values of Secrets are hashed with; nil as long as the ledger has none.
func (r *Reconciler) hashKey(ctx context.Context, ledger types.NamespacedName) ([]byte, error) {
	authority := types.NamespacedName{Namespace: ledger.Namespace, Name: names.LedgerAuthority(ledger.Name)}
	key, err := r.HashKeys.Get(ctx, authority, "", func(secret *corev1.Secret) ([]byte, error) {
		return secret.Data[names.HashKey], nil
	})
	return key, client.IgnoreNotFound(err)
}

// digest is the digest of the value of a reference, or a sentence that says what is missing.
func (r *Reconciler) digest(ctx context.Context, namespace string, reference secrets.Reference, key []byte) (digest, missing string, err error) {
	at := types.NamespacedName{Namespace: namespace, Name: reference.Name}
	digests, err := r.Digests.Get(ctx, at, secrets.Variant(key), func(secret *corev1.Secret) (secrets.Digests, error) {
		return secrets.Digest(key, secret), nil
	})
	if apierrors.IsNotFound(err) {
		return "", fmt.Sprintf("%s: there is no Secret %q in this namespace", reference.Path, reference.Name), nil
	}
	if err != nil {
		return "", "", err
	}
	digest, ok := digests[reference.Key]
	if !ok {
		return "", fmt.Sprintf("%s: the Secret %q has no key %q, or it is empty", reference.Path, reference.Name, reference.Key), nil
	}
	return digest, "", nil
}

// run makes the worker's objects what they should be. A worker that runs is not taken away because its
// channel's specification, or that of its SLA, has become invalid: it goes on as it is, and a new one
// just does not start.
func (r *Reconciler) run(ctx context.Context, s *scope) error {
	if !s.source.Accepted() {
		return r.stopSuspended(ctx, s)
	}
	if s.waiting != "" || !s.promise.Accepted() && s.deployment == nil {
		return nil
	}
	var err error
	if s.held, err = r.mustWait(ctx, s); s.held || err != nil {
		return err
	}
	err = r.applyWorker(ctx, s)
	// Forbidden is what a quota or an admission policy answers; either may change.
	later := apierrors.IsConflict(err) || apierrors.IsForbidden(err)
	if later || apierrors.IsInvalid(err) {
		s.refused, s.retry = "The API server refused an object of the worker: "+err.Error(), later
	}
	return err
}

// findDeployment comes before everything that can fail, as a worker goes on running while something does.
func (r *Reconciler) findDeployment(ctx context.Context, s *scope) error {
	deployment := &appsv1.Deployment{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: s.worker.Namespace, Name: s.worker.Name}, deployment)
	if err == nil {
		s.deployment = deployment
	}
	return client.IgnoreNotFound(err)
}

// stopSuspended ends the worker of a channel that is suspended while its specification is invalid: to
// suspend must always work, and a new Deployment is made once the specification is mended.
func (r *Reconciler) stopSuspended(ctx context.Context, s *scope) error {
	if !s.channel.Spec.Suspend || s.deployment == nil {
		return nil
	}
	if err := r.Client.Delete(ctx, s.deployment, client.PropagationPolicy("Background")); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting the worker: %w", err)
	}
	s.deployment = nil
	return nil
}

func (r *Reconciler) applyWorker(ctx context.Context, s *scope) error {
	w := s.worker
	config, err := w.config()
	if err != nil {
		return err
	}
	if err := apply.Object(ctx, r.Client, r.Live, buildServiceAccount(w), &corev1.ServiceAccount{}); err != nil {
		return err
	}
	if err := apply.Object(ctx, r.Client, r.Live, buildConfigMap(w, config), &corev1.ConfigMap{}); err != nil {
		return err
	}
	if err := apply.Object(ctx, r.Client, r.Live, buildNetworkPolicy(w), &networkingv1.NetworkPolicy{}); err != nil {
		return err
	}
	if err := r.applyService(ctx, w); err != nil {
		return err
	}
	deployment := &appsv1.Deployment{}
	if err := apply.Object(ctx, r.Client, r.Live, buildDeployment(w, config), deployment); err != nil {
		return err
	}
	if deployment.UID != "" {
		s.deployment = deployment
	}
	return nil
}

// applyService makes the Service of a worker that is delivered to, and removes it when nothing delivers
// to it any more.
func (r *Reconciler) applyService(ctx context.Context, w *Worker) error {
	if w.hasPush() {
		return apply.Object(ctx, r.Client, r.Live, buildService(w), &corev1.Service{})
	}
	service := &corev1.Service{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: w.Namespace, Name: w.Name}, service)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if err := r.Client.Delete(ctx, service); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting the Service of a worker that polls: %w", err)
	}
	return nil
}
