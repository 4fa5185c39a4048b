package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SMSSource receives the text messages of the city's numbers at Twilio, on the worker's Service at
// /hooks/<name of the channel>: what citizens write, and the statuses of what the city sends. It reads the
// list of messages from time to time for what deliveries missed and for what the city answered. A delivery is
// answered with success only once the ledger has its events durably.
type SMSSource struct {
	// publicURL is the URL that Twilio delivers to, exactly as it is set there, with its query if it has one:
	// Twilio signs it, and a proxy in between may have changed what arrives here.
	// +required
	// +kubebuilder:validation:XValidation:rule="!self.contains('#')",message="must not have a fragment: Twilio neither sends nor signs what follows a #"
	PublicURL HTTPURL `json:"publicURL,omitempty"`
	// accountSIDSecretRef names the key with the SID of the account (AC…).
	// +required
	AccountSIDSecretRef SecretKeyReference `json:"accountSIDSecretRef,omitzero"`
	// authTokenSecretRefs name the keys with the account's auth token, which Twilio signs with
	// (X-Twilio-Signature); any may match, so that it can be rotated.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	AuthTokenSecretRefs []SecretKeyReference `json:"authTokenSecretRefs,omitempty"`
	// numbers are the city's numbers or short codes whose messages belong to the channel; those of other
	// numbers of the same account are ignored.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Numbers []SMSNumber `json:"numbers,omitempty"`
	// optOutKeywords are messages that stop or start a subscription and are no complaint, whatever their case.
	// The default is STOP, STOPALL, UNSUBSCRIBE, CANCEL, END, QUIT, OPTOUT, REVOKE, START, UNSTOP, BERHENTI and UNREG.
	// +optional
	// +listType=set
	// +kubebuilder:default={"STOP","STOPALL","UNSUBSCRIBE","CANCEL","END","QUIT","OPTOUT","REVOKE","START","UNSTOP","BERHENTI","UNREG"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	OptOutKeywords []string `json:"optOutKeywords,omitempty"`
	// caseWindow is how long after the last message of either side a person's next message still belongs
	// to the same case. The default is 24h.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('744h')",message="must be between 1m and 744h"
	CaseWindow *metav1.Duration `json:"caseWindow,omitempty"`
	// usualDelay is how late Twilio's deliveries usually are: the channel counts as read completely up to now
	// less this, or less reconcile.interval where that is longer. The default is 1m.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be between 0s and 24h"
	UsualDelay *metav1.Duration `json:"usualDelay,omitempty"`
	// maxBodyBytes of a delivery; the default is 65536.
	// +optional
	// +kubebuilder:default=65536
	// +kubebuilder:validation:Minimum=8192
	// +kubebuilder:validation:Maximum=1048576
	MaxBodyBytes *int32 `json:"maxBodyBytes,omitempty"`
	// requestsPerSecond at most, beyond which deliveries are answered 429; the default is 500.
	// +optional
	// +kubebuilder:default=500
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	RequestsPerSecond *int32 `json:"requestsPerSecond,omitempty"`
	// reconcile says how the list of messages is read.
	// +optional
	// +kubebuilder:default={}
	Reconcile *SMSReconcile `json:"reconcile,omitempty"`
	// reply allows answers to be sent through Tanggap, from the number that was written to; without it none
	// is. Twilio sells each. The ledger must keep handles (spec.privacy.storeHandles), as an answer needs the
	// citizen's number.
	// +optional
	Reply *SMSReply `json:"reply,omitempty"`
}

// SMSReply allows answers. It has no members: the account's auth token is all that is needed.
type SMSReply struct{}

// SMSReconcile says how the list of messages is read.
type SMSReconcile struct {
	// url of the API; the default is https://api.twilio.com.
	// +optional
	// +kubebuilder:default="https://api.twilio.com"
	URL HTTPURL `json:"url,omitempty"`
	// interval between two readings, besides those that a status of a message causes; the default is 2m.
	// +optional
	// +kubebuilder:default="2m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="must be between 10s and 24h"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// lookback is how far back the very first reading goes; the default is 168h.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('9600h')",message="must be between 0s and 9600h, as Twilio keeps messages for 13 months"
	Lookback *metav1.Duration `json:"lookback,omitempty"`
	// requestsPerMinute at most; the default is 60.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=6000
	RequestsPerMinute *int32 `json:"requestsPerMinute,omitempty"`
}

// SMSNumber is a phone number, a short code or a sender's name.
//
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:XValidation:rule="self.matches('^([+][1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 ]*[A-Za-z][A-Za-z0-9 ]*)$')",message="must be a phone number with its country code such as +622129402200, a short code, or a sender's name, as Twilio shows it"
type SMSNumber string
