// Package names derives the names and labels of what the operator makes from those of the custom
// resources. A custom resource's name has at most 40 characters, so every derived name fits.
package names

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Labels of every object that the operator makes. The operator's caches hold just the objects with
// ManagedByLabel = ManagedBy.
const (
	NameLabel      = "app.kubernetes.io/name"
	InstanceLabel  = "app.kubernetes.io/instance"
	ComponentLabel = "app.kubernetes.io/component"
	ManagedByLabel = "app.kubernetes.io/managed-by"

	Name      = "tanggap"
	ManagedBy = "tanggap"
)

// Values of ComponentLabel.
const (
	ComponentOperator = "operator"
	ComponentLedger   = "ledger"
	ComponentWorker   = "worker"
)

// Annotations that the operator keeps on what it makes.
const (
	// ConfigHash is a digest of the configuration that a worker read when it started.
	ConfigHash = "tanggap.dev/config-hash"
	// CredentialsHash is a keyed digest of the Secrets' values that a worker read when it started.
	CredentialsHash = "tanggap.dev/credentials-hash"
)

// Ports of the processes.
const (
	LedgerPort = 8443
	HooksPort  = 8080
	HealthPort = 8081
	// ServicePort is where a worker's Service takes deliveries.
	ServicePort = 80
)

// DefaultLedger is the ledger of a channel that names none.
const DefaultLedger = "ledger"

// Labels are the labels of an object of the component that belongs to a custom resource.
func Labels(component, instance string) map[string]string {
	labels := Selector(component, instance)
	labels[ManagedByLabel] = ManagedBy
	return labels
}

// Selector picks the pods of the component that belongs to a custom resource. It never changes, as a
// Deployment's selector cannot.
func Selector(component, instance string) map[string]string {
	return map[string]string{NameLabel: Name, ComponentLabel: component, InstanceLabel: instance}
}

// Worker is the name of everything that runs a channel: Deployment, Service, ServiceAccount,
// ConfigMap and NetworkPolicy.
func Worker(channel string) string { return channel + "-worker" }

// WorkerUser is the Kubernetes user name of a worker.
func WorkerUser(namespace, worker string) string {
	return "system:serviceaccount:" + namespace + ":" + worker
}

// Ledger is the name of a ledger's StatefulSet, Service, ServiceAccount and NetworkPolicy.
func Ledger(ledger string) string { return ledger + ledgerSuffix }

const ledgerSuffix = "-ledger"

// LedgerOf is the ledger that Ledger gave a name of; false if it gave none such.
func LedgerOf(name string) (string, bool) {
	ledger, ok := strings.CutSuffix(name, ledgerSuffix)
	return ledger, ok && ledger != ""
}

// LedgerAuthority is the Secret with the keys of a ledger's certificate authority. Only the operator
// uses it; no pod mounts it.
func LedgerAuthority(ledger string) string { return Ledger(ledger) + "-authority" }

// LedgerTrust is the ConfigMap with the certificates of a ledger's certificate authority.
func LedgerTrust(ledger string) string { return Ledger(ledger) + "-ca" }

// LedgerServing is the Secret with a ledger's server certificate and its key.
func LedgerServing(ledger string) string { return Ledger(ledger) + "-tls" }

// LedgerPseudonym is the Secret with the key of the reporters' pseudonyms.
func LedgerPseudonym(ledger string) string { return Ledger(ledger) + pseudonymSuffix }

const pseudonymSuffix = "-pseudonym"

// IsLedgerPseudonym says that LedgerPseudonym could have given the name.
func IsLedgerPseudonym(name string) bool {
	return strings.HasSuffix(name, ledgerSuffix+pseudonymSuffix)
}

// LedgerPolicy is the ConfigMap with the policy that the ledger took over last.
func LedgerPolicy(ledger string) string { return Ledger(ledger) + "-policy" }

// LedgerHost is the ledger's host name, which its certificate is made out to.
func LedgerHost(key types.NamespacedName) string {
	return Ledger(key.Name) + "." + key.Namespace + ".svc"
}

// Keys of the ConfigMaps and Secrets.
const (
	TrustKey     = "ca.crt"
	PseudonymKey = "key"
	ConfigKey    = "config.json"
	PolicyKey    = "policy.json.gz"
	// HashKey, in the Secret of the authority, is what values of Secrets are hashed with.
	HashKey = "hash.key"
)

// TokenReviewBinding is the ClusterRoleBinding, and TokenReviewRole the ClusterRole, by which ledgers
// may ask the API server whose token a worker presents.
const (
	TokenReviewBinding = "tanggap-ledger-token-review"
	TokenReviewRole    = "tanggap-ledger"
)

// LedgerURL is the base URL of the ledger's API.
func LedgerURL(key types.NamespacedName) string {
	return "https://" + LedgerHost(key) + ":" + strconv.Itoa(LedgerPort)
}
