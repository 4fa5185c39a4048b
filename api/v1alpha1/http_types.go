package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HTTPURL is an absolute URL.
//
// +kubebuilder:validation:MinLength=8
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && size(url(self).getHostname()) > 0",message="must be an absolute URL that starts with https:// or http://"
// +kubebuilder:validation:XValidation:rule="!self.contains('@') || !self.matches('(?i)^https?://[^/?#]*@')",message="must not carry credentials; use auth"
type HTTPURL string

// Polling says how often a source is read.
//
// +kubebuilder:validation:XValidation:rule="!has(self.overlap) || duration(self.overlap) < duration('720h')",message="overlap: must be shorter than 720h"
type Polling struct {
	// interval between two polls; the default is 1m.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="must be between 1s and 24h"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// overlap that a poll reads again before the position of the last one, for entries that become visible
	// late; repeated events are dropped. The default is 10m.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s')",message="must not be negative"
	Overlap *metav1.Duration `json:"overlap,omitempty"`
	// lookback is how far back the very first poll reads; the default is 720h.
	// +optional
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('87840h')",message="must be between 0s and 87840h"
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
	// maxPages of one poll; the rest is read by the next one. The default is 1000.
	// +optional
	// +kubebuilder:default=1000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxPages *int32 `json:"maxPages,omitempty"`
}

// RequestParameter is a query parameter or a header: a fixed value or an expression.
//
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.expression)",message="exactly one of value and expression must be set"
type RequestParameter struct {
	// name of the parameter or header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[!-9;-~]+$')",message="must be printable ASCII without spaces and colons"
	// +kubebuilder:validation:XValidation:rule="!(self.lowerAscii() in ['authorization', 'cookie', 'host', 'content-length', 'transfer-encoding'])",message="cannot be set here; credentials belong into auth"
	Name string `json:"name,omitempty"`
	// value sent as it is.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Value *string `json:"value,omitempty"`
	// expression is CEL that yields a string; variables: since and until (timestamps, what this poll is to
	// read). formatTime(since, layout, zone) writes one as the source wants it.
	// +optional
	Expression Expression `json:"expression,omitempty"`
}

// HTTPAuthType is a way to authenticate a request.
//
// +kubebuilder:validation:Enum=Basic;Bearer;APIKey;OAuth2;Login
type HTTPAuthType string

// The ways to authenticate a request.
const (
	HTTPAuthBasic  HTTPAuthType = "Basic"
	HTTPAuthBearer HTTPAuthType = "Bearer"
	HTTPAuthAPIKey HTTPAuthType = "APIKey"
	HTTPAuthOAuth2 HTTPAuthType = "OAuth2"
	HTTPAuthLogin  HTTPAuthType = "Login"
)

// HTTPAuth is how requests to a source are authenticated: type, and exactly the member of that name.
//
// +kubebuilder:validation:XValidation:rule="has(self.basic) == (self.type == 'Basic')",message="basic must be set when type is Basic, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.bearer) == (self.type == 'Bearer')",message="bearer must be set when type is Bearer, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.apiKey) == (self.type == 'APIKey')",message="apiKey must be set when type is APIKey, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.oauth2) == (self.type == 'OAuth2')",message="oauth2 must be set when type is OAuth2, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.login) == (self.type == 'Login')",message="login must be set when type is Login, and only then"
// +union
type HTTPAuth struct {
	// type of the authentication.
	// +required
	// +unionDiscriminator
	Type HTTPAuthType `json:"type,omitempty"`
	// basic sends a user name and a password (RFC 7617).
	// +optional
	Basic *BasicAuth `json:"basic,omitempty"`
	// bearer sends a token in the Authorization header (RFC 6750).
	// +optional
	Bearer *BearerAuth `json:"bearer,omitempty"`
	// apiKey sends a key in a header or a query parameter of the vendor's choice.
	// +optional
	APIKey *APIKeyAuth `json:"apiKey,omitempty"`
	// oauth2 gets a token by the client credentials grant (RFC 6749 section 4.4).
	// +optional
	OAuth2 *OAuth2Auth `json:"oauth2,omitempty"`
	// login posts credentials to a URL and sends the token it answers with as a bearer token.
	// +optional
	Login *LoginAuth `json:"login,omitempty"`
}

// BasicAuth is a user name and a password.
type BasicAuth struct {
	// usernameSecretRef names the key with the user name.
	// +required
	UsernameSecretRef SecretKeyReference `json:"usernameSecretRef,omitzero"`
	// passwordSecretRef names the key with the password.
	// +required
	PasswordSecretRef SecretKeyReference `json:"passwordSecretRef,omitzero"`
}

// BearerAuth is a bearer token.
type BearerAuth struct {
	// tokenSecretRef names the key with the token.
	// +required
	TokenSecretRef SecretKeyReference `json:"tokenSecretRef,omitzero"`
}

// APIKeyAuth is a key in a header or a query parameter.
//
// +kubebuilder:validation:XValidation:rule="has(self.header) != has(self.queryParameter)",message="exactly one of header and queryParameter must be set"
// +kubebuilder:validation:XValidation:rule="!has(self.prefix) || has(self.header)",message="prefix goes with header only"
type APIKeyAuth struct {
	// header that carries the key, such as X-API-Key.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-_]+$')",message="must be the name of a header"
	Header string `json:"header,omitempty"`
	// queryParameter that carries the key; a header is better, as URLs end up in logs.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	QueryParameter string `json:"queryParameter,omitempty"`
	// prefix before the key in the header, such as "Token ".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Prefix string `json:"prefix,omitempty"`
	// keySecretRef names the key of the Secret with the API key.
	// +required
	KeySecretRef SecretKeyReference `json:"keySecretRef,omitzero"`
}

// OAuth2Auth is the client credentials grant.
type OAuth2Auth struct {
	// tokenURL of the authorization server.
	// +required
	TokenURL HTTPURL `json:"tokenURL,omitempty"`
	// clientIDSecretRef names the key with the client's id.
	// +required
	ClientIDSecretRef SecretKeyReference `json:"clientIDSecretRef,omitzero"`
	// clientSecretSecretRef names the key with the client's secret.
	// +required
	ClientSecretSecretRef SecretKeyReference `json:"clientSecretSecretRef,omitzero"`
	// scopes asked for.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Scopes []string `json:"scopes,omitempty"`
}

// LoginAuth gets a token by posting credentials as JSON.
type LoginAuth struct {
	// url the credentials are posted to.
	// +required
	URL HTTPURL `json:"url,omitempty"`
	// usernameField is the member of the JSON body with the user name; the default is username.
	// +optional
	// +kubebuilder:default=username
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UsernameField string `json:"usernameField,omitempty"`
	// passwordField is the member of the JSON body with the password; the default is password.
	// +optional
	// +kubebuilder:default=password
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	PasswordField string `json:"passwordField,omitempty"`
	// usernameSecretRef names the key with the user name.
	// +required
	UsernameSecretRef SecretKeyReference `json:"usernameSecretRef,omitzero"`
	// passwordSecretRef names the key with the password.
	// +required
	PasswordSecretRef SecretKeyReference `json:"passwordSecretRef,omitzero"`
	// token is a CEL expression over `response` (the decoded JSON) that yields the token.
	// +required
	Token Expression `json:"token,omitempty"`
	// lifetime after which a new token is got; a 401 gets one at once. The default is 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('8784h')",message="must be between 1m and 8784h"
	Lifetime *metav1.Duration `json:"lifetime,omitempty"`
}

// PaginationType is a way to ask for further pages.
//
// +kubebuilder:validation:Enum=Page;Offset;Cursor;Link
type PaginationType string

// The ways to ask for further pages.
const (
	PaginationPage   PaginationType = "Page"
	PaginationOffset PaginationType = "Offset"
	PaginationCursor PaginationType = "Cursor"
	PaginationLink   PaginationType = "Link"
)

// Pagination is how further pages are asked for.
//
// +kubebuilder:validation:XValidation:rule="has(self.parameter) == (self.type != 'Link')",message="parameter must be set unless type is Link"
// +kubebuilder:validation:XValidation:rule="has(self.next) == (self.type == 'Cursor')",message="next must be set when type is Cursor, and only then"
// +kubebuilder:validation:XValidation:rule="!has(self.first) || self.type == 'Page'",message="first goes with type Page only"
// +kubebuilder:validation:XValidation:rule="!has(self.sizeParameter) || has(self.size)",message="size must be set with sizeParameter"
type Pagination struct {
	// type of the pagination: Page counts pages, Offset counts items, Cursor passes on a value of the answer, Link follows
	// the Link header (RFC 8288) or a next URL on the same host.
	// +required
	Type PaginationType `json:"type,omitempty"`
	// parameter is the query parameter of the page number, offset or cursor.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Parameter string `json:"parameter,omitempty"`
	// first page's number; the default is 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1
	First *int32 `json:"first,omitempty"`
	// sizeParameter is the query parameter of the page's size.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	SizeParameter string `json:"sizeParameter,omitempty"`
	// size of a page; a page with fewer items is the last one. Without it an empty page is.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Size *int32 `json:"size,omitempty"`
	// next is a CEL expression over `response` that yields the next cursor, or "" or null at the end.
	// +optional
	Next Expression `json:"next,omitempty"`
}
