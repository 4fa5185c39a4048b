package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EmailSource reads mailboxes by IMAP: what citizens write, and what the staff reply. Nothing is marked, moved or
// deleted there.
type EmailSource struct {
	// host is the name of the IMAP server, such as imap.example.org.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$')",message="must be the name of a host without a scheme and a port; the port has a field of its own"
	Host string `json:"host,omitempty"`
	// port of the server; the default is 993, or 143 where tls is STARTTLS.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port *int32 `json:"port,omitempty"`
	// tls is Implicit, which is the default, or STARTTLS. There is no way without.
	// +optional
	// +kubebuilder:default=Implicit
	TLS EmailTLS `json:"tls,omitempty"`
	// caSecretRef names the key with the PEM certificates to trust instead of the system's.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`
	// usernameSecretRef names the key with the user name, mostly the address of the mailbox.
	// +required
	UsernameSecretRef SecretKeyReference `json:"usernameSecretRef,omitzero"`
	// auth is how the user logs in.
	// +required
	Auth EmailAuth `json:"auth,omitzero"`
	// mailboxes are those that citizens' messages arrive in; the default is INBOX alone. The server tells of
	// what arrives in the first one at once, the others are seen by polling.
	// +optional
	// +listType=atomic
	// +kubebuilder:default={"INBOX"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Mailboxes []string `json:"mailboxes,omitempty"`
	// sentMailbox is the one in which the staff's mail programs keep what was sent; without it the one that
	// the server marks as such (\Sent) is taken.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	SentMailbox string `json:"sentMailbox,omitempty"`
	// staff says whose messages answer and are no complaints.
	// +required
	Staff EmailStaff `json:"staff,omitzero"`
	// authservID is the name that the city's own mail server gives itself in Authentication-Results (RFC 8601).
	// With it a reply of the staff counts that arrives in mailboxes, if this server found by DMARC or DKIM
	// that it is theirs. Without it only what stands in sentMailbox counts, for anybody can write any From.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9._-]+$')",message="must be the first word of the header Authentication-Results as the city's server writes it, such as mx.example.org"
	AuthservID string `json:"authservID,omitempty"`
	// caseTokenPrefix has messages whose subject holds the same name of a case, such as [#DPK-2041] where this is
	// DPK-, belong together, even where they do not reply to each other. Whoever can guess a name can
	// write into its case.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="must have letters, digits, '_' and '-' only, as in DPK-"
	CaseTokenPrefix string `json:"caseTokenPrefix,omitempty"`
	// maxMessageBytes that are read of a message; what is beyond, mostly files, is passed over. The default is 1048576.
	// +optional
	// +kubebuilder:default=1048576
	// +kubebuilder:validation:Minimum=65536
	// +kubebuilder:validation:Maximum=16777216
	MaxMessageBytes *int32 `json:"maxMessageBytes,omitempty"`
	// polling says how often the mailboxes are read.
	// +optional
	// +kubebuilder:default={}
	Polling *EmailPolling `json:"polling,omitempty"`
	// reply allows answers to be sent through Tanggap, by SMTP with the user and the login of the mailbox; without
	// it none is. The ledger must keep handles (spec.privacy.storeHandles), as an answer needs an address.
	// +optional
	Reply *EmailReply `json:"reply,omitempty"`
}

// EmailReply is what answers are sent by.
type EmailReply struct {
	// host is the name of the submission server, such as smtp.example.org.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$')",message="must be the name of a host without a scheme and a port; the port has a field of its own"
	Host string `json:"host,omitempty"`
	// port of the server; the default is 587, or 465 where tls is Implicit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port *int32 `json:"port,omitempty"`
	// tls is STARTTLS, which is the default, or Implicit. There is no way without.
	// +optional
	// +kubebuilder:default=STARTTLS
	TLS EmailTLS `json:"tls,omitempty"`
	// from is the address that answers come from; citizens reply to it, so it must be one whose mailbox is read.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^@A-Z <>]+@[a-z0-9.-]+$')",message="must be an address in small letters, such as desk@example.org"
	From string `json:"from,omitempty"`
	// fromName is shown with the address, such as the name of the desk.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	FromName string `json:"fromName,omitempty"`
}

// EmailTLS is how a connection is encrypted.
//
// +kubebuilder:validation:Enum=Implicit;STARTTLS
type EmailTLS string

// The ways to encrypt a connection.
const (
	EmailTLSImplicit EmailTLS = "Implicit"
	EmailTLSStart    EmailTLS = "STARTTLS"
)

// EmailAuthType is a way to log in.
//
// +kubebuilder:validation:Enum=Password;Bearer;OAuth2
type EmailAuthType string

// The ways to log in.
const (
	EmailAuthPassword EmailAuthType = "Password"
	EmailAuthBearer   EmailAuthType = "Bearer"
	EmailAuthOAuth2   EmailAuthType = "OAuth2"
)

// EmailAuth is how a user logs in: type, and exactly the member of that name.
//
// +kubebuilder:validation:XValidation:rule="has(self.password) == (self.type == 'Password')",message="password must be set when type is Password, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.bearer) == (self.type == 'Bearer')",message="bearer must be set when type is Bearer, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.oauth2) == (self.type == 'OAuth2')",message="oauth2 must be set when type is OAuth2, and only then"
// +union
type EmailAuth struct {
	// type of the login.
	// +required
	// +unionDiscriminator
	Type EmailAuthType `json:"type,omitempty"`
	// password logs in by AUTH=PLAIN, or LOGIN where the server has nothing else.
	// +optional
	Password *EmailPassword `json:"password,omitempty"`
	// bearer logs in with an access token by XOAUTH2 or OAUTHBEARER (RFC 7628).
	// +optional
	Bearer *BearerAuth `json:"bearer,omitempty"`
	// oauth2 gets such a token by the client credentials grant (RFC 6749 section 4.4), as Microsoft 365 wants it.
	// +optional
	OAuth2 *OAuth2Auth `json:"oauth2,omitempty"`
}

// EmailPassword is a password.
type EmailPassword struct {
	// passwordSecretRef names the key with the password.
	// +required
	PasswordSecretRef SecretKeyReference `json:"passwordSecretRef,omitzero"`
}

// EmailStaff are those who answer.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="has(self.domains) || has(self.addresses)",message="at least one of domains and addresses must be set"
type EmailStaff struct {
	// domains whose addresses, and those of domains below them, are the staff's, such as depok.go.id.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=3
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.all(d, d.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$') && d.contains('.'))",message="must be domains in small letters, such as depok.go.id, without an @"
	Domains []string `json:"domains,omitempty"`
	// addresses of the staff elsewhere.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=3
	// +kubebuilder:validation:items:MaxLength=254
	// +kubebuilder:validation:XValidation:rule="self.all(a, a.matches('^[^@A-Z <>]+@[a-z0-9.-]+$'))",message="must be addresses in small letters, such as desk@example.org"
	Addresses []string `json:"addresses,omitempty"`
}

// EmailPolling says how often mailboxes are read.
type EmailPolling struct {
	// interval between two polls, besides those that the server's word of a new message causes (IDLE); the
	// default is 1m.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5s') && duration(self) <= duration('24h')",message="must be between 5s and 24h"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// lookback is how far back the very first poll reads; the default is 720h.
	// +optional
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('87840h')",message="must be between 0s and 87840h"
	Lookback *metav1.Duration `json:"lookback,omitempty"`
	// maxPages of one poll, of 50 messages each; the rest is read by the next one. The default is 1000.
	// +optional
	// +kubebuilder:default=1000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxPages *int32 `json:"maxPages,omitempty"`
}
