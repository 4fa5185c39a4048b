package complaintledger

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/names"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
	"github.com/tanggap/tanggap/internal/ledger/store/postgres"
)

// defaultReplicas lets one go while another serves.
const defaultReplicas = 2

// readCredentials looks whether the Secrets have what the database needs, and hashes it. A pod that runs is
// left alone while something is missing.
func (r *Reconciler) readCredentials(ctx context.Context, s *scope) error {
	var hashes []string
	for _, reference := range index.DatabaseReferences(s.ledger) {
		own, err := secrets.RefuseOwn(ctx, r.Client, s.key.Namespace, reference)
		if err != nil {
			return err
		}
		if own != "" {
			s.missing, s.missingReason = own, v1alpha1.ReasonInvalidSpec
			return nil
		}
		key := types.NamespacedName{Namespace: s.key.Namespace, Name: reference.Name}
		digests, found, err := read(ctx, r.pseudonyms, r.Live, key, secrets.Variant(s.hashKey), func(secret *corev1.Secret) (secrets.Digests, error) {
			return secrets.Digest(s.hashKey, secret), nil
		})
		digest, usable := digests[reference.Key]
		switch {
		case err != nil:
			return err
		case !found:
			s.missingReason = v1alpha1.ReasonReferenceNotFound
			s.missing = fmt.Sprintf("%s: there is no Secret %q in this namespace", reference.Path, reference.Name)
			return nil
		case !usable:
			s.missingReason = v1alpha1.ReasonReferenceNotFound
			s.missing = fmt.Sprintf("%s: the Secret %q has no key %q, or it is empty", reference.Path, reference.Name, reference.Key)
			return nil
		}
		hashes = append(hashes, digest)
	}
	if len(hashes) > 0 {
		s.databaseHash = secrets.Combine(hashes)
		return r.checkDatabase(ctx, s)
	}
	return nil
}

// checkDatabase looks whether the connection string is one, and the authority certificates: a ledger with others
// would not start.
func (r *Reconciler) checkDatabase(ctx context.Context, s *scope) error {
	database := s.ledger.Spec.Storage.Postgres
	err := r.checkValue(ctx, s, "urlSecretRef", database.URLSecretRef, func(value []byte) error {
		return postgres.CheckURL(strings.TrimSpace(string(value)))
	})
	if err != nil || s.missing != "" || database.CASecretRef == nil {
		return err
	}
	return r.checkValue(ctx, s, "caSecretRef", *database.CASecretRef, postgres.CheckCA)
}

// checkValue looks whether the value of a key is what it should be. What is kept of it is what is wrong with it, in
// words that do not contain it.
func (r *Reconciler) checkValue(ctx context.Context, s *scope, member string, reference v1alpha1.SecretKeyReference, check func([]byte) error) error {
	key := types.NamespacedName{Namespace: s.key.Namespace, Name: reference.Name}
	wrong, _, err := read(ctx, r.faults, r.Live, key, member+"/"+reference.Key, func(secret *corev1.Secret) (string, error) {
		if err := check(secret.Data[reference.Key]); err != nil {
			return err.Error(), nil //nolint:nilerr // what is wrong with it is what is asked for
		}
		return "", nil
	})
	if err != nil || wrong == "" {
		return err
	}
	s.missingReason = v1alpha1.ReasonInvalidSpec
	s.missing = fmt.Sprintf("spec.storage.postgres.%s: the key %q of the Secret %q: %s", member, reference.Key, reference.Name, wrong)
	return nil
}

// buildDeployment runs any number of ledgers on one database. They are replaced one after another, and a
// new one serves before an old one goes.
func buildDeployment(ledger *v1alpha1.ComplaintLedger, image, hash string) *appsv1ac.DeploymentApplyConfiguration {
	replicas := int32(defaultReplicas)
	if asked := ledger.Spec.Storage.Postgres.Replicas; asked != nil {
		replicas = *asked
	}
	pod := podSpec(ledger, container(ledger, image, databaseArguments(ledger.Spec.Storage.Postgres)).WithVolumeMounts(mount("database", databaseDir))).
		WithVolumes(corev1ac.Volume().WithName("database").WithProjected(databaseCredentials(ledger))).
		WithTopologySpreadConstraints(spread(ledger, corev1.LabelHostname), spread(ledger, corev1.LabelTopologyZone))
	return appsv1ac.Deployment(names.Ledger(ledger.Name), ledger.Namespace).
		WithLabels(labels(ledger)).WithOwnerReferences(owner(ledger)).
		WithSpec(appsv1ac.DeploymentSpec().
			WithReplicas(replicas).
			WithRevisionHistoryLimit(2).
			WithStrategy(appsv1ac.DeploymentStrategy().WithType(appsv1.RollingUpdateDeploymentStrategyType).
				WithRollingUpdate(appsv1ac.RollingUpdateDeployment().WithMaxUnavailable(intstr.FromInt32(0)).WithMaxSurge(intstr.FromInt32(1)))).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector(ledger))).
			WithTemplate(corev1ac.PodTemplateSpec().
				WithLabels(labels(ledger)).
				WithAnnotations(map[string]string{names.CredentialsHash: hash}).
				WithSpec(pod)))
}

// spread keeps the replicas apart where there is room for it.
func spread(ledger *v1alpha1.ComplaintLedger, over string) *corev1ac.TopologySpreadConstraintApplyConfiguration {
	return corev1ac.TopologySpreadConstraint().WithMaxSkew(1).WithTopologyKey(over).
		WithWhenUnsatisfiable(corev1.ScheduleAnyway).
		WithLabelSelector(metav1ac.LabelSelector().WithMatchLabels(selector(ledger))).
		WithMatchLabelKeys(appsv1.DefaultDeploymentUniqueLabelKey)
}

// credentialFile is where the pod finds a key of a Secret.
func credentialFile(reference v1alpha1.SecretKeyReference) string {
	return databaseDir + "/" + reference.Name + "/" + reference.Key
}

func databaseArguments(database *v1alpha1.PostgresStorage) []string {
	arguments := []string{"--postgres-url-file=" + credentialFile(database.URLSecretRef)}
	if database.PasswordSecretRef != nil {
		arguments = append(arguments, "--postgres-password-file="+credentialFile(*database.PasswordSecretRef))
	}
	if database.CASecretRef != nil {
		arguments = append(arguments, "--postgres-ca="+credentialFile(*database.CASecretRef))
	}
	return arguments
}

// databaseCredentials holds each used key of each used Secret, and no other, as <secret>/<key>.
func databaseCredentials(ledger *v1alpha1.ComplaintLedger) *corev1ac.ProjectedVolumeSourceApplyConfiguration {
	references := index.DatabaseReferences(ledger)
	projected := corev1ac.ProjectedVolumeSource().WithDefaultMode(0o440)
	for _, name := range secrets.Names(references) {
		projection := corev1ac.SecretProjection().WithName(name)
		seen := map[string]bool{}
		for _, reference := range references {
			if reference.Name == name && !seen[reference.Key] {
				seen[reference.Key] = true
				projection.WithItems(corev1ac.KeyToPath().WithKey(reference.Key).WithPath(name + "/" + reference.Key))
			}
		}
		projected.WithSources(corev1ac.VolumeProjection().WithSecret(projection))
	}
	return projected
}

// buildDisruptionBudget lets one replica at a time be taken away, and any that does not work.
func buildDisruptionBudget(ledger *v1alpha1.ComplaintLedger) *policyv1ac.PodDisruptionBudgetApplyConfiguration {
	return policyv1ac.PodDisruptionBudget(names.Ledger(ledger.Name), ledger.Namespace).
		WithLabels(labels(ledger)).WithOwnerReferences(owner(ledger)).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector(ledger))))
}
