package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WebhookSource receives deliveries on the worker's Service at /hooks/<name of the channel>. A
// delivery is answered with success only once the ledger has its events durably.
type WebhookSource struct {
	// verification is how the sender is verified, over the raw bytes and before anything is parsed.
	// +required
	Verification WebhookVerification `json:"verification,omitzero"`
	// maxBodyBytes of a delivery; the default is 262144.
	// +optional
	// +kubebuilder:default=262144
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=4194304
	MaxBodyBytes *int32 `json:"maxBodyBytes,omitempty"`
	// requestsPerSecond at most, beyond which deliveries are answered 429; the default is 500.
	// +optional
	// +kubebuilder:default=500
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	RequestsPerSecond *int32 `json:"requestsPerSecond,omitempty"`
	// usualDelay is how late the platform's deliveries usually are: the channel counts as read completely
	// up to now less this. The default is 1m.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be between 0s and 24h"
	UsualDelay *metav1.Duration `json:"usualDelay,omitempty"`
	// mapping turns a delivery into events. Bodies are JSON or CloudEvents in the binary, structured and
	// batched modes; of a CloudEvent, `item` is {id, source, type, subject, time, data}.
	// +required
	Mapping EventMapping `json:"mapping,omitzero"`
}

// VerificationType is a way to verify a sender.
//
// +kubebuilder:validation:Enum=StandardWebhooks;HMAC;Bearer;None
type VerificationType string

// The ways to verify a sender.
const (
	VerificationStandardWebhooks VerificationType = "StandardWebhooks"
	VerificationHMAC             VerificationType = "HMAC"
	VerificationBearer           VerificationType = "Bearer"
	VerificationNone             VerificationType = "None"
)

// WebhookVerification is how a sender is verified: type, and exactly the member of that name.
//
// +kubebuilder:validation:XValidation:rule="has(self.standardWebhooks) == (self.type == 'StandardWebhooks')",message="standardWebhooks must be set when type is StandardWebhooks, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.hmac) == (self.type == 'HMAC')",message="hmac must be set when type is HMAC, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.bearer) == (self.type == 'Bearer')",message="bearer must be set when type is Bearer, and only then"
// +union
type WebhookVerification struct {
	// type of the verification. None must be spelled out and shows as the condition Unauthenticated.
	// +required
	// +unionDiscriminator
	Type VerificationType `json:"type,omitempty"`
	// standardWebhooks verifies the webhook-id, webhook-timestamp and webhook-signature headers
	// (Standard Webhooks 1.0.0).
	// +optional
	StandardWebhooks *StandardWebhooksVerification `json:"standardWebhooks,omitempty"`
	// hmac verifies a header with an HMAC over the raw body, in the common shapes of vendors.
	// +optional
	HMAC *HMACVerification `json:"hmac,omitempty"`
	// bearer compares the Authorization header with a token.
	// +optional
	Bearer *BearerVerification `json:"bearer,omitempty"`
}

// StandardWebhooksVerification is Standard Webhooks 1.0.0.
type StandardWebhooksVerification struct {
	// secretRefs name the keys with the signing secrets (whsec_…) or public keys (whpk_…); any may match,
	// so that they can be rotated.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	SecretRefs []SecretKeyReference `json:"secretRefs,omitempty"`
	// tolerance between the delivery's timestamp and now; the default is 5m.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="must be between 1s and 24h"
	Tolerance *metav1.Duration `json:"tolerance,omitempty"`
}

// HMACVerification is an HMAC over the raw body.
//
// +kubebuilder:validation:XValidation:rule="!self.signedContent.contains('{timestamp}') || has(self.timestampHeader) || has(self.timestampField)",message="timestampHeader or timestampField must be set when signedContent has {timestamp}"
// +kubebuilder:validation:XValidation:rule="!(has(self.timestampHeader) || has(self.timestampField)) || self.signedContent.contains('{timestamp}')",message="signedContent must have {timestamp} when timestampHeader or timestampField is set, as anybody could change a time that is not signed"
// +kubebuilder:validation:XValidation:rule="!has(self.timestampHeader) || !has(self.timestampField)",message="only one of timestampHeader and timestampField may be set"
// +kubebuilder:validation:XValidation:rule="!self.signedContent.contains('{id}') || has(self.idHeader)",message="idHeader must be set when signedContent has {id}"
// +kubebuilder:validation:XValidation:rule="has(self.timestampField) == has(self.signatureField)",message="timestampField and signatureField must be set together"
type HMACVerification struct {
	// header that carries the signature, such as X-Hub-Signature-256.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-_]+$')",message="must be the name of a header"
	Header string `json:"header,omitempty"`
	// algorithm of the hash; the default is SHA256.
	// +optional
	// +kubebuilder:default=SHA256
	// +kubebuilder:validation:Enum=SHA256;SHA512;SHA1
	Algorithm string `json:"algorithm,omitempty"`
	// encoding of the signature; the default is Hex.
	// +optional
	// +kubebuilder:default=Hex
	// +kubebuilder:validation:Enum=Hex;Base64
	Encoding string `json:"encoding,omitempty"`
	// prefix before the signature, such as "sha256=".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Prefix string `json:"prefix,omitempty"`
	// signedContent is what is signed: {body}, {timestamp} and {id} are replaced. The default is {body}.
	// +optional
	// +kubebuilder:default="{body}"
	// +kubebuilder:validation:MinLength=6
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.endsWith('{body}')",message="must end with {body}"
	SignedContent string `json:"signedContent,omitempty"`
	// timestampHeader carries the time of the delivery in unix seconds.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	TimestampHeader string `json:"timestampHeader,omitempty"`
	// timestampField is the name of the timestamp within the header, for "t=…,s=…" shapes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	TimestampField string `json:"timestampField,omitempty"`
	// signatureField is the name of the signature within the header, for "t=…,s=…" shapes.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	SignatureField string `json:"signatureField,omitempty"`
	// idHeader carries the identifier of the delivery.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	IDHeader string `json:"idHeader,omitempty"`
	// tolerance between the delivery's timestamp and now, where there is one; the default is 5m.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="must be between 1s and 24h"
	Tolerance *metav1.Duration `json:"tolerance,omitempty"`
	// secretRefs name the keys with the shared secrets; any may match, so that they can be rotated.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	SecretRefs []SecretKeyReference `json:"secretRefs,omitempty"`
}

// BearerVerification compares the Authorization header with a token.
type BearerVerification struct {
	// tokenSecretRefs name the keys with the tokens; any may match, so that they can be rotated.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	TokenSecretRefs []SecretKeyReference `json:"tokenSecretRefs,omitempty"`
}
