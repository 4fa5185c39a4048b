package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// XSource reads an account on X (Twitter) by the X API v2: the posts that mention it and its own. It asks for
// them, or is delivered to where webhook is set, and then asks for what was missed.
//
// +kubebuilder:validation:XValidation:rule="!has(self.agencyUserIDs) || !(self.userID in self.agencyUserIDs)",message="agencyUserIDs: names further accounts; the one of userID answers in any case"
type XSource struct {
	// url of the API; the default is https://api.x.com.
	// +optional
	// +kubebuilder:default="https://api.x.com"
	URL HTTPURL `json:"url,omitempty"`
	// userID is the numeric id of the account that citizens mention, quoted as a string. It stays when the
	// account's @name changes.
	// +required
	UserID XUserID `json:"userID,omitempty"`
	// agencyUserIDs are the numeric ids of further accounts of the city, such as those of departments, whose
	// replies answer as well.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	AgencyUserIDs []XUserID `json:"agencyUserIDs,omitempty"`
	// bearerTokenSecretRef names the key with the bearer token of the app.
	// +required
	BearerTokenSecretRef SecretKeyReference `json:"bearerTokenSecretRef,omitzero"`
	// polling says how often the source is read.
	// +optional
	// +kubebuilder:default={}
	Polling *Polling `json:"polling,omitempty"`
	// webhook has X deliver posts to the worker's Service at /hooks/<name of the channel>, by the X Activity API;
	// the timelines are then read every webhook.checkInterval for what was missed, and polling.interval means
	// nothing.
	// +optional
	Webhook *XWebhook `json:"webhook,omitempty"`
	// reply allows answers to be sent through Tanggap, as the account of userID; without it none is. X sells
	// each post that is made.
	// +optional
	Reply *XReply `json:"reply,omitempty"`
}

// XWebhook has X deliver posts by the X Activity API.
type XWebhook struct {
	DeliveryLimits `json:",inline"`
	// consumerSecretSecretRefs name the keys with the consumer secret of the app (its API key secret), by which X
	// signs deliveries and is shown that the address is yours; any may match, so that it can be changed. The
	// first answers X's challenge.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	ConsumerSecretSecretRefs []SecretKeyReference `json:"consumerSecretSecretRefs,omitempty"`
	// checkInterval is how often X is asked whether it delivers, and the timelines are read for what was
	// missed. The default is 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="must be between 1m and 24h"
	CheckInterval *metav1.Duration `json:"checkInterval,omitempty"`
}

// XReply is what answers are sent with: the keys of an app and the tokens by which the account of userID
// lets it write (OAuth 1.0a, which does not expire).
type XReply struct {
	// consumerKeySecretRef names the key of a Secret with the app's API key.
	// +required
	ConsumerKeySecretRef SecretKeyReference `json:"consumerKeySecretRef,omitzero"`
	// consumerSecretSecretRef names the key of a Secret with the app's API key secret.
	// +required
	ConsumerSecretSecretRef SecretKeyReference `json:"consumerSecretSecretRef,omitzero"`
	// accessTokenSecretRef names the key of a Secret with the account's access token.
	// +required
	AccessTokenSecretRef SecretKeyReference `json:"accessTokenSecretRef,omitzero"`
	// accessTokenSecretSecretRef names the key of a Secret with the account's access token secret.
	// +required
	AccessTokenSecretSecretRef SecretKeyReference `json:"accessTokenSecretSecretRef,omitzero"`
}

// XUserID is the numeric id of an account on X.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=19
// +kubebuilder:validation:XValidation:rule="self.matches('^[1-9][0-9]*$')",message="must be the numeric id of an account, in quotes, not its @name"
type XUserID string
