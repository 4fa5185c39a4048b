package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WhatsAppSource receives the webhooks of the WhatsApp Business Cloud API on the worker's Service at
// /hooks/<name of the channel>: what citizens write, and what the city's staff answer in the WhatsApp
// Business app. A delivery is answered with success only once the ledger has its events durably.
type WhatsAppSource struct {
	// appSecretSecretRefs name the keys with the app secret that Meta signs deliveries with
	// (X-Hub-Signature-256), and that replies prove (appsecret_proof); any may match, so that it can be rotated.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	AppSecretSecretRefs []SecretKeyReference `json:"appSecretSecretRefs,omitempty"`
	// verifyTokenSecretRef names the key with the token that Meta shows when the webhook is set up.
	// +required
	VerifyTokenSecretRef SecretKeyReference `json:"verifyTokenSecretRef,omitzero"`
	// phoneNumberIDs are the ids, quoted as strings, of the business phone numbers whose messages belong to the
	// channel; those of other numbers of the same app are ignored.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	PhoneNumberIDs []WhatsAppPhoneNumberID `json:"phoneNumberIDs,omitempty"`
	// caseWindow is how long after the last message of either side a person's next message still belongs
	// to the same case. The default is 24h.
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
	// maxBodyBytes of a delivery; the default is 4194304, as Meta sends up to 3 MB.
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
	// reply allows answers to be sent through Tanggap; without it none is. Meta takes what the city likes for 24
	// hours after a citizen's message, and templates only after that. The ledger must keep handles
	// (spec.privacy.storeHandles), as an answer needs the citizen's number.
	// +optional
	Reply *WhatsAppReply `json:"reply,omitempty"`
}

// WhatsAppReply is what answers are sent with.
type WhatsAppReply struct {
	// url of the Graph API with its version; the default is https://graph.facebook.com/v26.0.
	// +optional
	// +kubebuilder:default="https://graph.facebook.com/v26.0"
	URL HTTPURL `json:"url,omitempty"`
	// accessTokenSecretRef names the key with the access token of a system user that may send messages
	// (whatsapp_business_messaging).
	// +required
	AccessTokenSecretRef SecretKeyReference `json:"accessTokenSecretRef,omitzero"`
	// template is sent in the place of an answer that comes more than 24 hours after the citizen's last
	// message; without it such an answer is refused.
	// +optional
	Template *WhatsAppTemplate `json:"template,omitempty"`
}

// WhatsAppTemplate is a message that Meta has approved. Its body has one parameter, {{1}}, in which the
// answer is put.
type WhatsAppTemplate struct {
	// name of the template.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9_]+$')",message="must be the name of a template as Meta shows it: lower-case letters, digits and '_'"
	Name string `json:"name,omitempty"`
	// language is the code of the template's language; the default is id.
	// +optional
	// +kubebuilder:default="id"
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]{2,3}(_[A-Z]{2,3})?$')",message="must be a language code such as id or en_US"
	Language string `json:"language,omitempty"`
}

// WhatsAppPhoneNumberID is Meta's id of a business phone number.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+$')",message="must be the id of a phone number as Meta's console shows it: digits only, in quotes, not the phone number itself"
type WhatsAppPhoneNumberID string
