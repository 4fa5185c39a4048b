package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ComplaintChannel declares one way in which complaints reach the city, and the promise it is under.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=complaintchannels,scope=Namespaced,shortName=cch,categories=tanggap
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.source.type`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Connected",type=string,JSONPath=`.status.conditions[?(@.type=="SourceConnected")].status`
// +kubebuilder:printcolumn:name="Unanswered",type=integer,JSONPath=`.status.unanswered`
// +kubebuilder:printcolumn:name="Overdue",type=integer,JSONPath=`.status.overdue`
// +kubebuilder:printcolumn:name="Oldest",type=date,JSONPath=`.status.oldestUnansweredAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: lower-case letters, digits and '-', at most 40 characters and a letter first, as names of Services and label values derive from it"
type ComplaintChannel struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the channel.
	// +required
	Spec ComplaintChannelSpec `json:"spec,omitzero"`
	// status is what the operator found.
	// +optional
	Status ComplaintChannelStatus `json:"status,omitempty"`
}

// ComplaintChannelSpec is the channel.
//
// +kubebuilder:validation:XValidation:rule="!has(self.worker) || !has(self.worker.replicas) || self.worker.replicas <= 1 || self.source.type in ['webhook', 'whatsapp', 'sms', 'meta'] || (has(self.source.x) && has(self.source.x.webhook)) || (has(self.source.telegram) && has(self.source.telegram.webhook)) || has(self.source.emergency112) && self.source.emergency112.arrival.type == 'Webhook'",message="worker.replicas: a source that is polled has one reader, so at most 1"
type ComplaintChannelSpec struct {
	// source is where the complaints come from.
	// +required
	Source ChannelSource `json:"source,omitzero"`
	// official is false for a channel that complaints only spill over to, such as a mayor's own account.
	// +optional
	// +kubebuilder:default=true
	Official *bool `json:"official,omitempty"`
	// slaRef names the ResponseSLA; without it complaints are counted and promised nothing.
	// +optional
	SLARef *LocalReference `json:"slaRef,omitempty"`
	// calendarRef names a WorkCalendar for this channel alone; it wins over the SLA's.
	// +optional
	CalendarRef *LocalReference `json:"calendarRef,omitempty"`
	// taxonomyRef names the ComplaintTaxonomy; without it every complaint is uncategorized.
	// +optional
	TaxonomyRef *LocalReference `json:"taxonomyRef,omitempty"`
	// ledgerRef names the ComplaintLedger; the default is the one called "ledger".
	// +optional
	// +kubebuilder:default={name: "ledger"}
	LedgerRef *LocalReference `json:"ledgerRef,omitempty"`
	// assumeTimeZone is the IANA zone of times that the source gives without an offset; without it such
	// times are refused.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$')",message="must be an IANA time zone such as Asia/Jakarta, not an abbreviation or an offset"
	AssumeTimeZone string `json:"assumeTimeZone,omitempty"`
	// suspend stops the worker; the channel's complaints and their clocks stay.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// worker configures the process that reads the source.
	// +optional
	Worker *WorkerSpec `json:"worker,omitempty"`
}

// WorkerSpec configures the process that reads a source.
type WorkerSpec struct {
	// replicas of the worker; without it the number is left to an autoscaler, or 1. A polled source has one.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=32
	Replicas *int32 `json:"replicas,omitempty"`
	// resources of the worker's container.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
}

// SourceType is a kind of source; it is also the name of the member that configures it.
//
// +kubebuilder:validation:Enum=rest;webhook;open311;x;whatsapp;telegram;sms;meta;email;emergency112;csv
type SourceType string

// The kinds of source.
const (
	SourceREST         SourceType = "rest"
	SourceWebhook      SourceType = "webhook"
	SourceOpen311      SourceType = "open311"
	SourceX            SourceType = "x"
	SourceWhatsApp     SourceType = "whatsapp"
	SourceTelegram     SourceType = "telegram"
	SourceSMS          SourceType = "sms"
	SourceMeta         SourceType = "meta"
	SourceEmail        SourceType = "email"
	SourceEmergency112 SourceType = "emergency112"
	SourceCSV          SourceType = "csv"
)

// ChannelSource is where complaints come from: type, and exactly the member of that name.
//
// +kubebuilder:validation:XValidation:rule="has(self.rest) == (self.type == 'rest')",message="rest must be set when type is rest, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.webhook) == (self.type == 'webhook')",message="webhook must be set when type is webhook, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.open311) == (self.type == 'open311')",message="open311 must be set when type is open311, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.x) == (self.type == 'x')",message="x must be set when type is x, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.whatsapp) == (self.type == 'whatsapp')",message="whatsapp must be set when type is whatsapp, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.telegram) == (self.type == 'telegram')",message="telegram must be set when type is telegram, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.sms) == (self.type == 'sms')",message="sms must be set when type is sms, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.meta) == (self.type == 'meta')",message="meta must be set when type is meta, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.email) == (self.type == 'email')",message="email must be set when type is email, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.emergency112) == (self.type == 'emergency112')",message="emergency112 must be set when type is emergency112, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.csv) == (self.type == 'csv')",message="csv must be set when type is csv, and only then"
// +union
type ChannelSource struct {
	// type of the source.
	// +required
	// +unionDiscriminator
	Type SourceType `json:"type,omitempty"`
	// rest polls any JSON API.
	// +optional
	REST *RESTSource `json:"rest,omitempty"`
	// webhook receives deliveries from any system that can send HTTP requests.
	// +optional
	Webhook *WebhookSource `json:"webhook,omitempty"`
	// open311 polls an Open311 GeoReport v2 server.
	// +optional
	Open311 *Open311Source `json:"open311,omitempty"`
	// x reads the mentions and the posts of an account on X (Twitter).
	// +optional
	X *XSource `json:"x,omitempty"`
	// whatsapp receives the messages of business phone numbers on WhatsApp, by the Cloud API.
	// +optional
	WhatsApp *WhatsAppSource `json:"whatsapp,omitempty"`
	// telegram reads what a Telegram bot receives.
	// +optional
	Telegram *TelegramSource `json:"telegram,omitempty"`
	// sms receives the text messages of numbers at Twilio.
	// +optional
	SMS *SMSSource `json:"sms,omitempty"`
	// meta receives comments, mentions and messages of a Facebook Page and an Instagram account.
	// +optional
	Meta *MetaSource `json:"meta,omitempty"`
	// email reads mailboxes by IMAP.
	// +optional
	Email *EmailSource `json:"email,omitempty"`
	// emergency112 reads the incidents of a 112 call centre.
	// +optional
	Emergency112 *Emergency112Source `json:"emergency112,omitempty"`
	// csv reads the CSV files that a system exports into a directory of a volume.
	// +optional
	CSV *CSVSource `json:"csv,omitempty"`
}

// Pushed reports whether others deliver to the source, so that it has an endpoint and any number of workers
// may take deliveries side by side; it may be polled besides. Of some types it depends on how the specification
// lets complaints arrive.
func (s *ChannelSource) Pushed() bool {
	switch s.Type {
	case SourceWebhook, SourceWhatsApp, SourceSMS, SourceMeta:
		return true
	case SourceX:
		return s.X != nil && s.X.Webhook != nil
	case SourceTelegram:
		return s.Telegram != nil && s.Telegram.Webhook != nil
	case SourceEmergency112:
		return s.Emergency112 != nil && s.Emergency112.Arrival.Type == ArrivalWebhook
	default:
		return false
	}
}

// Replies reports whether the source allows answers to be sent through Tanggap: its member has a reply.
func (s *ChannelSource) Replies() bool {
	switch {
	case s.WhatsApp != nil:
		return s.WhatsApp.Reply != nil
	case s.X != nil:
		return s.X.Reply != nil
	case s.Telegram != nil:
		return s.Telegram.Reply != nil
	case s.Meta != nil:
		return s.Meta.Reply != nil
	case s.SMS != nil:
		return s.SMS.Reply != nil
	case s.Email != nil:
		return s.Email.Reply != nil
	}
	return false
}

// CSVFiles are the files that the source reads, or nil.
func (s *ChannelSource) CSVFiles() *CSVFiles {
	switch {
	case s.CSV != nil:
		return &s.CSV.Files
	case s.Emergency112 != nil && s.Emergency112.Arrival.CSV != nil:
		return &s.Emergency112.Arrival.CSV.Files
	}
	return nil
}

// ComplaintChannelStatus is what the operator found.
type ComplaintChannelStatus struct {
	// observedGeneration is the generation that conditions speak of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Accepted, WorkerAvailable, SourceConnected and Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// endpoint is the URL, inside the cluster, that deliveries are posted to; an Ingress or a
	// Gateway leads to it from outside.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Endpoint string `json:"endpoint,omitempty"`
	// unanswered counts the complaints nobody has answered; absent while unknown.
	// +optional
	Unanswered *int64 `json:"unanswered,omitempty"`
	// overdue counts the complaints with a clock past its due instant; absent while unknown.
	// +optional
	Overdue *int64 `json:"overdue,omitempty"`
	// oldestUnansweredAt is when the complaint that waits longest was received.
	// +optional
	OldestUnansweredAt *metav1.Time `json:"oldestUnansweredAt,omitempty"`
	// lastEventAt is when the last event of the channel happened.
	// +optional
	LastEventAt *metav1.Time `json:"lastEventAt,omitempty"`
}

// ComplaintChannelList is a list of ComplaintChannel.
//
// +kubebuilder:object:root=true
type ComplaintChannelList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ComplaintChannel `json:"items"`
}
