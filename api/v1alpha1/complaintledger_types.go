package v1alpha1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ComplaintLedger declares where complaints are kept: an append-only log of events from which cases
// and clocks are derived.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=complaintledgers,scope=Namespaced,shortName=cledger,categories=tanggap
// +kubebuilder:printcolumn:name="Storage",type=string,JSONPath=`.spec.storage.type`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Channels",type=integer,JSONPath=`.status.channels`
// +kubebuilder:printcolumn:name="Unanswered",type=integer,JSONPath=`.status.unanswered`
// +kubebuilder:printcolumn:name="Overdue",type=integer,JSONPath=`.status.overdue`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: a letter, then letters, digits and '-', at most 40 characters, as names of Services derive from it"
type ComplaintLedger struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the ledger.
	// +optional
	// +kubebuilder:default={}
	Spec ComplaintLedgerSpec `json:"spec,omitempty"`
	// status is what the operator found.
	// +optional
	Status ComplaintLedgerStatus `json:"status,omitempty"`
}

// ComplaintLedgerSpec is the ledger.
type ComplaintLedgerSpec struct {
	// storage is where the events are kept; the default is embedded storage on a volume of 10Gi.
	// +optional
	// +kubebuilder:default={type: "embedded"}
	Storage LedgerStorage `json:"storage,omitempty"`
	// retention says how long personal data is kept; without it, for ever.
	// +optional
	Retention *Retention `json:"retention,omitempty"`
	// privacy says what is kept of a reporter's identity.
	// +optional
	Privacy *Privacy `json:"privacy,omitempty"`
	// linking counts the complaints of one reporter that come back on another channel (spill-over); without it
	// none are.
	// +optional
	Linking *Linking `json:"linking,omitempty"`
	// resources of the ledger's container.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
}

// StorageType is a kind of storage.
//
// +kubebuilder:validation:Enum=embedded;postgres
type StorageType string

// The kinds of storage.
const (
	// StorageEmbedded is SQLite on a volume, with a single replica.
	StorageEmbedded StorageType = "embedded"
	// StoragePostgres is a PostgreSQL database, with any number of replicas.
	StoragePostgres StorageType = "postgres"
)

// LedgerStorage is where the events are kept.
//
// +kubebuilder:validation:XValidation:rule="self.type == oldSelf.type",message="type: storage cannot be changed on a ledger that exists; export it and import it into a new one"
// +kubebuilder:validation:XValidation:rule="self.type != oldSelf.type || (has(self.embedded) && has(self.embedded.size)) == (has(oldSelf.embedded) && has(oldSelf.embedded.size))",message="embedded.size: cannot be changed; resize the PersistentVolumeClaim itself"
// +kubebuilder:validation:XValidation:rule="self.type != oldSelf.type || (has(self.embedded) && has(self.embedded.storageClassName)) == (has(oldSelf.embedded) && has(oldSelf.embedded.storageClassName))",message="embedded.storageClassName: cannot be changed on a ledger that exists"
// +kubebuilder:validation:XValidation:rule="self.type == 'embedded' || !has(self.embedded)",message="embedded: goes with type embedded only"
// +kubebuilder:validation:XValidation:rule="(self.type == 'postgres') == has(self.postgres)",message="postgres: is needed with type postgres, and goes with no other"
type LedgerStorage struct {
	// type is embedded (SQLite on a volume, a single replica) or postgres (a PostgreSQL database, any number
	// of replicas).
	// +required
	Type StorageType `json:"type,omitempty"`
	// embedded configures embedded storage.
	// +optional
	Embedded *EmbeddedStorage `json:"embedded,omitempty"`
	// postgres says which database it is.
	// +optional
	Postgres *PostgresStorage `json:"postgres,omitempty"`
}

// PostgresStorage is a PostgreSQL database, version 15 or later, that this ledger alone uses. The ledger
// makes and upgrades what it needs in it.
type PostgresStorage struct {
	// urlSecretRef is the connection string, postgres://user:password@host:5432/database. Without an sslmode
	// the server's certificate is verified.
	// +required
	URLSecretRef SecretKeyReference `json:"urlSecretRef,omitempty,omitzero"`
	// passwordSecretRef is the password, where the connection string has none.
	// +optional
	PasswordSecretRef *SecretKeyReference `json:"passwordSecretRef,omitempty"`
	// caSecretRef is the authority of the server's certificate, in PEM; without it, the system's.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`
	// replicas is how many ledgers serve the database; the default is 2. Each takes requests; one of them
	// looks at due instants.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	Replicas *int32 `json:"replicas,omitempty"`
}

// EmbeddedStorage is SQLite on a volume.
type EmbeddedStorage struct {
	// size of the volume; the default is 10Gi. It cannot be changed later.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!isQuantity(string(self)) || quantity(string(self)).isGreaterThan(quantity('99Mi'))",message="must be at least 100Mi"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="cannot be changed; resize the PersistentVolumeClaim itself"
	Size *resource.Quantity `json:"size,omitempty"`
	// storageClassName of the volume; without it, the cluster's default.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="cannot be changed on a ledger that exists"
	StorageClassName *string `json:"storageClassName,omitempty"`
}

// Retention says how long personal data is kept after a case is closed, or has been idle for so long that
// it counts as closed. Instants and counts stay.
type Retention struct {
	// content is for texts, locations and attributes.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('87840h')",message="must be between 1h and 87840h (ten years)"
	Content *metav1.Duration `json:"content,omitempty"`
	// handles is for phone numbers, addresses and handles, where privacy.storeHandles keeps them.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('87840h')",message="must be between 1h and 87840h (ten years)"
	Handles *metav1.Duration `json:"handles,omitempty"`
	// idle is how long after its last event a case that nobody has closed counts as closed, for retention and
	// for nothing else: conversations on WhatsApp or Telegram are never closed. The default is 8784h (366 days).
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('24h') && duration(self) <= duration('87840h')",message="must be between 24h and 87840h (ten years)"
	Idle *metav1.Duration `json:"idle,omitempty"`
}

// DefaultIdle is retention.idle where a ledger has a retention and does not say.
const DefaultIdle = 8784 * time.Hour

// Privacy says what is kept of a reporter's identity.
type Privacy struct {
	// storeHandles keeps the raw phone number, address or handle beside its keyed pseudonym. Default false.
	// +optional
	StoreHandles bool `json:"storeHandles,omitempty"`
}

// Linking says which complaints of one reporter on different channels belong together.
type Linking struct {
	// window is the largest distance in time between a complaint and the one that it came of.
	// +required
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s') && duration(self) <= duration('8784h')",message="must be longer than 0s and at most 8784h (366 days)"
	Window metav1.Duration `json:"window,omitempty,omitzero"`
}

// ComplaintLedgerStatus is what the operator found.
type ComplaintLedgerStatus struct {
	// observedGeneration is the generation that conditions speak of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Accepted, LedgerAvailable and Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// policyRevision is the digest of the policy that the ledger has taken over.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	PolicyRevision string `json:"policyRevision,omitempty"`
	// channels counts the channels that use the ledger.
	// +optional
	Channels *int32 `json:"channels,omitempty"`
	// unanswered counts the complaints nobody has answered, over all channels; absent while unknown.
	// +optional
	Unanswered *int64 `json:"unanswered,omitempty"`
	// overdue counts the complaints with a clock past its due instant; absent while unknown.
	// +optional
	Overdue *int64 `json:"overdue,omitempty"`
}

// ComplaintLedgerList is a list of ComplaintLedger.
//
// +kubebuilder:object:root=true
type ComplaintLedgerList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ComplaintLedger `json:"items"`
}
