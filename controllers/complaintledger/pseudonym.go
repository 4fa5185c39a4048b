package complaintledger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/names"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
)

// pseudonymBytes is the strength of the key of the pseudonyms.
const pseudonymBytes = 32

// keepPseudonymKey makes the key of the reporters' pseudonyms when the ledger is new, and never again:
// by another key nobody is recognised who reported before. The Secret outlives the ledger, as its volume
// does. A person may put a new key before the old one, each on its line, and the ledger is restarted.
func (r *Reconciler) keepPseudonymKey(ctx context.Context, s *scope) error {
	key := types.NamespacedName{Namespace: s.key.Namespace, Name: names.LedgerPseudonym(s.key.Name)}
	digests, found, err := read(ctx, r.pseudonyms, r.Live, key, secrets.Variant(s.hashKey), func(secret *corev1.Secret) (secrets.Digests, error) {
		return secrets.Digest(s.hashKey, secret), nil
	})
	digest, usable := digests[names.PseudonymKey]
	switch {
	case err != nil:
		return err
	case usable:
		s.pseudonymHash = digest
		return nil
	case found:
		s.trouble, s.troubleReason = fmt.Sprintf("The Secret %q has no key %q.", key.Name, names.PseudonymKey), v1alpha1.ReasonPseudonymKeyMissing
		return nil
	}
	running, kind := client.Object(&appsv1.StatefulSet{}), "StatefulSet"
	if s.ledger.Spec.Storage.Postgres != nil {
		running, kind = &appsv1.Deployment{}, "Deployment"
	}
	err = r.Client.Get(ctx, types.NamespacedName{Namespace: s.key.Namespace, Name: names.Ledger(s.key.Name)}, running)
	if err == nil {
		s.trouble, s.troubleReason = fmt.Sprintf("The Secret %q is gone. Restore it from a backup; or delete the %s %q to have a new one made, "+
			"by which nobody is recognised who reported before.", key.Name, kind, running.GetName()), v1alpha1.ReasonPseudonymKeyMissing
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return err
	}
	return r.createPseudonymKey(ctx, s, key)
}

func (r *Reconciler) createPseudonymKey(ctx context.Context, s *scope, key types.NamespacedName) error {
	random := make([]byte, pseudonymBytes)
	rand.Read(random)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: labels(s.ledger)},
		Type:       corev1.SecretTypeOpaque,
		Data:       map[string][]byte{names.PseudonymKey: []byte(hex.EncodeToString(random))},
	}
	// Create and not apply: what is there is never replaced.
	if err := r.Client.Create(ctx, secret, apply.Owner); err != nil {
		return fmt.Errorf("creating the Secret %s: %w", key.Name, err)
	}
	s.pseudonymHash = secrets.Digest(s.hashKey, secret)[names.PseudonymKey]
	return nil
}
