package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Emergency112Source reads the incidents of a 112 call centre. Most calls are no complaints: calls of
// other types than countCallTypes are counted as skipped and become none.
type Emergency112Source struct {
	// arrival is how incidents arrive.
	// +required
	Arrival Emergency112Arrival `json:"arrival,omitzero"`
	// countCallTypes are the types of calls that are complaints, whatever the case of their letters; the
	// default is normal.
	// +optional
	// +listType=atomic
	// +kubebuilder:default={"normal"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	CountCallTypes []string `json:"countCallTypes,omitempty"`
	// answeredBy is what answers an incident; the default is Disposition. An incident that ends without it
	// is answered when it is closed.
	// +optional
	// +kubebuilder:default=Disposition
	AnsweredBy Emergency112Answer `json:"answeredBy,omitempty"`
}

// Emergency112Answer is what answers an incident: that somebody is sent (Dispatch), what became of it
// (Disposition), or its end (Closing).
//
// +kubebuilder:validation:Enum=Disposition;Closing;Dispatch
type Emergency112Answer string

// What answers an incident.
const (
	AnsweredByDisposition Emergency112Answer = "Disposition"
	AnsweredByClosing     Emergency112Answer = "Closing"
	AnsweredByDispatch    Emergency112Answer = "Dispatch"
)

// Emergency112ArrivalType is a way in which incidents arrive.
//
// +kubebuilder:validation:Enum=Webhook;CSV;PostgreSQL
type Emergency112ArrivalType string

// The ways in which incidents arrive.
const (
	ArrivalWebhook Emergency112ArrivalType = "Webhook"
	ArrivalCSV     Emergency112ArrivalType = "CSV"
	// ArrivalPostgreSQL is a view of the call centre's database.
	ArrivalPostgreSQL Emergency112ArrivalType = "PostgreSQL"
)

// Emergency112Arrival is how incidents arrive: type, and exactly the member of that name.
//
// +kubebuilder:validation:XValidation:rule="has(self.webhook) == (self.type == 'Webhook')",message="webhook must be set when type is Webhook, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.csv) == (self.type == 'CSV')",message="csv must be set when type is CSV, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.postgresql) == (self.type == 'PostgreSQL')",message="postgresql must be set when type is PostgreSQL, and only then"
// +union
type Emergency112Arrival struct {
	// type of the arrival.
	// +required
	// +unionDiscriminator
	Type Emergency112ArrivalType `json:"type,omitempty"`
	// webhook receives each change of an incident as a signed delivery.
	// +optional
	Webhook *Emergency112Webhook `json:"webhook,omitempty"`
	// csv reads exports of the call centre's system.
	// +optional
	CSV *Emergency112CSV `json:"csv,omitempty"`
	// postgresql polls a view of the call centre's database. It is only read.
	// +optional
	PostgreSQL *Emergency112PostgreSQL `json:"postgresql,omitempty"`
}

// Emergency112Webhook receives deliveries on the worker's Service at /hooks/<name of the channel>, in the
// form of docs/channels/emergency112.md.
type Emergency112Webhook struct {
	// standardWebhooks verifies the sender.
	// +required
	StandardWebhooks StandardWebhooksVerification `json:"standardWebhooks,omitzero"`
	// requestsPerSecond at most, beyond which deliveries are answered 429; the default is 100.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	RequestsPerSecond *int32 `json:"requestsPerSecond,omitempty"`
	// usualDelay is how late deliveries usually are: the channel counts as read completely up to now less
	// this. The default is 1m.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be between 0s and 24h"
	UsualDelay *metav1.Duration `json:"usualDelay,omitempty"`
}

// Emergency112CSV reads exports: a row is an incident as it was at the time of the export.
type Emergency112CSV struct {
	// files are where the files are and how they are written.
	// +required
	Files CSVFiles `json:"files,omitzero"`
	// columns name what a file calls its columns.
	// +optional
	Columns *Emergency112Columns `json:"columns,omitempty"`
	// timeLayout is how times are written, in Go's notation, such as "02/01/2006 15:04:05"; without it
	// they are in RFC 3339. Times without an offset need the channel's assumeTimeZone.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	TimeLayout string `json:"timeLayout,omitempty"`
}

// Emergency112PostgreSQL polls a view, or a table, of which a row is an incident as it is now, in transactions
// that can only read.
type Emergency112PostgreSQL struct {
	// urlSecretRef names the key of the Secret with the URL of the database, such as
	// postgres://user:password@host:5432/database. Without an sslmode the server's certificate is verified. The
	// user need not be able to do more than SELECT from the view.
	// +required
	URLSecretRef SecretKeyReference `json:"urlSecretRef,omitzero"`
	// caSecretRef names the key of the Secret with the certificates (PEM) that sign the server's; without it
	// those of the system are trusted.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`
	// view is the name of the view, with its schema if that is not public.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=127
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]{0,62}([.][A-Za-z_][A-Za-z0-9_]{0,62})?$')",message="must be the name of a view, or schema.view, of letters, digits and '_'"
	View string `json:"view,omitempty"`
	// columns name what the view calls its columns.
	// +optional
	Columns *Emergency112Columns `json:"columns,omitempty"`
	// updatedAt is the column with the time of the last change, by which the view is read; the default is
	// updated_at. Rows without it are not seen.
	// +optional
	// +kubebuilder:default=updated_at
	UpdatedAt ColumnName `json:"updatedAt,omitempty"`
	// interval between two polls; the default is 30s.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="must be between 1s and 24h"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// overlap that a poll reads again, for transactions that are committed later than the time in their rows
	// says; the default is 10m.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('720h')",message="must be between 0s and 720h"
	Overlap *metav1.Duration `json:"overlap,omitempty"`
	// lookback is how far back the very first poll reads; the default is 720h.
	// +optional
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('87840h')",message="must be between 0s and 87840h"
	Lookback *metav1.Duration `json:"lookback,omitempty"`
	// timeout of one statement, which the server ends; the default is 30s.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('5m')",message="must be between 1s and 5m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// ColumnName is the name of a column.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
type ColumnName string

// Emergency112Columns are the columns of an incident. One that is named here must be there; of the others
// those are read that are there under their default name, and incidentID and receivedAt must be.
type Emergency112Columns struct {
	// incidentID identifies the incident; the default is incident_id.
	// +optional
	IncidentID ColumnName `json:"incidentID,omitempty"`
	// callType is the type of the call; the default is call_type. Without such a column every row counts.
	// +optional
	CallType ColumnName `json:"callType,omitempty"`
	// receivedAt is when the call came in; the default is received_at.
	// +optional
	ReceivedAt ColumnName `json:"receivedAt,omitempty"`
	// verifiedAt is when the call taker had understood it, which acknowledges it; the default is verified_at.
	// +optional
	VerifiedAt ColumnName `json:"verifiedAt,omitempty"`
	// dispatchedAt is when somebody was sent; the default is dispatched_at.
	// +optional
	DispatchedAt ColumnName `json:"dispatchedAt,omitempty"`
	// disposedAt is when the disposition was given; the default is disposed_at.
	// +optional
	DisposedAt ColumnName `json:"disposedAt,omitempty"`
	// disposition says what became of the incident; the default is disposition.
	// +optional
	Disposition ColumnName `json:"disposition,omitempty"`
	// closedAt is when the incident was closed; the default is closed_at.
	// +optional
	ClosedAt ColumnName `json:"closedAt,omitempty"`
	// reopenedAt is when a closed incident was opened again; the default is reopened_at.
	// +optional
	ReopenedAt ColumnName `json:"reopenedAt,omitempty"`
	// reclassifiedAt is when the call got another type than it had at first; the default is
	// reclassified_at. An incident that has turned into a prank is closed as spam then.
	// +optional
	ReclassifiedAt ColumnName `json:"reclassifiedAt,omitempty"`
	// category of the incident; the default is category.
	// +optional
	Category ColumnName `json:"category,omitempty"`
	// priority of the incident; the default is priority.
	// +optional
	Priority ColumnName `json:"priority,omitempty"`
	// department that was sent; the default is department.
	// +optional
	Department ColumnName `json:"department,omitempty"`
	// description of the incident; the default is description.
	// +optional
	Description ColumnName `json:"description,omitempty"`
	// callerPhone is the number of the caller, of which the ledger keeps a pseudonym; the default is
	// caller_phone.
	// +optional
	CallerPhone ColumnName `json:"callerPhone,omitempty"`
	// latitude in degrees north; the default is lat.
	// +optional
	Latitude ColumnName `json:"latitude,omitempty"`
	// longitude in degrees east; the default is lon.
	// +optional
	Longitude ColumnName `json:"longitude,omitempty"`
}
