package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MetaSource receives the webhooks of a Facebook Page and of an Instagram professional account on the worker's
// Service at /hooks/<name of the channel>: comments, posts of visitors, mentions and messages, and what the
// city answers. It reads the Graph API from time to time for what deliveries missed, and asks it whether Meta
// still delivers. A delivery is answered with success only once the ledger has its events durably.
//
// +kubebuilder:validation:XValidation:rule="has(self.pageID) || has(self.instagramAccountID)",message="pageID, instagramAccountID or both must be set"
type MetaSource struct {
	// url of the Graph API; the default is https://graph.facebook.com. An app with Instagram Login has
	// https://graph.instagram.com.
	// +optional
	// +kubebuilder:default="https://graph.facebook.com"
	URL HTTPURL `json:"url,omitempty"`
	// version of the Graph API; the default is v26.0. Meta ends each about two years after it appeared.
	// +optional
	// +kubebuilder:default="v26.0"
	// +kubebuilder:validation:MinLength=4
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:XValidation:rule="self.matches('^v[1-9][0-9]*[.][0-9]+$')",message="must be a version of the Graph API such as v26.0"
	Version string `json:"version,omitempty"`
	// appID is the id, quoted as a string, of the app that Meta delivers to.
	// +required
	AppID MetaID `json:"appID,omitempty"`
	// pageID is the id, quoted as a string, of the Facebook Page.
	// +optional
	PageID MetaID `json:"pageID,omitempty"`
	// instagramAccountID is the id, quoted as a string, of the Instagram professional account.
	// +optional
	InstagramAccountID MetaID `json:"instagramAccountID,omitempty"`
	// appSecretSecretRefs name the keys with the app secret that Meta signs deliveries with
	// (X-Hub-Signature-256), and that requests to the Graph API prove (appsecret_proof); any may match, so
	// that it can be rotated.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	AppSecretSecretRefs []SecretKeyReference `json:"appSecretSecretRefs,omitempty"`
	// verifyTokenSecretRef names the key with the token that Meta shows when the webhook is set up.
	// +required
	VerifyTokenSecretRef SecretKeyReference `json:"verifyTokenSecretRef,omitzero"`
	// accessTokenSecretRef names the key with the access token of the Page, or of the Instagram account
	// where there is no Page.
	// +required
	AccessTokenSecretRef SecretKeyReference `json:"accessTokenSecretRef,omitzero"`
	// botAppIDs are the ids, quoted as strings, of apps that answer messages by themselves; what they send
	// is a bot's answer and not an official's.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	BotAppIDs []MetaID `json:"botAppIDs,omitempty"`
	// caseWindow is how long after the last message of either side a person's next message still belongs
	// to the same case. The default is 24h. Comments belong to the case of their thread.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('744h')",message="must be between 1m and 744h"
	CaseWindow *metav1.Duration `json:"caseWindow,omitempty"`
	// usualDelay is how late Meta's deliveries usually are: the channel counts as read completely up to now
	// less this. The default is 1m.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be between 0s and 24h"
	UsualDelay *metav1.Duration `json:"usualDelay,omitempty"`
	// maxBodyBytes of a delivery; the default is 4194304, as Meta sends up to 1000 changes at once.
	// +optional
	// +kubebuilder:default=4194304
	// +kubebuilder:validation:Minimum=3145728
	// +kubebuilder:validation:Maximum=16777216
	MaxBodyBytes *int32 `json:"maxBodyBytes,omitempty"`
	// requestsPerSecond at most, beyond which deliveries are answered 429; the default is 500.
	// +optional
	// +kubebuilder:default=500
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	RequestsPerSecond *int32 `json:"requestsPerSecond,omitempty"`
	// reconcile says how the Graph API is read for what deliveries missed.
	// +optional
	// +kubebuilder:default={}
	Reconcile *MetaReconcile `json:"reconcile,omitempty"`
	// reply allows answers to be sent through Tanggap, with the access token; without it none is. Comments are
	// answered below them. A message needs to know the person, so that the ledger must keep handles
	// (spec.privacy.storeHandles); Meta takes answers to messages for 24 hours, and by people for 7 days.
	// +optional
	Reply *MetaReply `json:"reply,omitempty"`
}

// MetaReply allows answers. It has no members: the access token is all that is needed.
type MetaReply struct{}

// MetaReconcile says how the Graph API is read.
type MetaReconcile struct {
	// interval between two readings, each of which asks whether Meta still delivers. The default is 10m; Meta
	// ends the subscription of an app whose deliveries failed for an hour.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="must be between 1m and 24h"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// overlap that a reading goes back before the beginning of the last one, for what becomes visible late;
	// repeated events are dropped. The default is 10m.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('168h')",message="must be between 0s and 168h"
	Overlap *metav1.Duration `json:"overlap,omitempty"`
	// lookback is how old a post may be for its comments to be read, and how far back the very first reading
	// goes. The default is 168h.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8784h')",message="must be between 1h and 8784h"
	Lookback *metav1.Duration `json:"lookback,omitempty"`
	// timeout of one request; the default is 30s.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('5m')",message="must be between 1s and 5m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// requestsPerMinute at most; the default is 60.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=6000
	RequestsPerMinute *int32 `json:"requestsPerMinute,omitempty"`
	// maxPages of one reading; the rest is read by the next one. The default is 500.
	// +optional
	// +kubebuilder:default=500
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxPages *int32 `json:"maxPages,omitempty"`
}

// MetaID is an id of the Graph API.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+$')",message="must be an id as Meta's tools show it: digits only, in quotes, not a name"
type MetaID string
