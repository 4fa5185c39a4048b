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
// +kubebuilder:validation:XValidation:rule="!has(self.worker) || !has(self.worker.replicas) || self.worker.replicas <= 1 || self.source.type == 'webhook'",message="worker.replicas: a source that is polled has one reader, so at most 1"
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
// +kubebuilder:validation:Enum=rest;webhook;open311
type SourceType string

// The kinds of source.
const (
	SourceREST    SourceType = "rest"
	SourceWebhook SourceType = "webhook"
	SourceOpen311 SourceType = "open311"
)

// ChannelSource is where complaints come from: type, and exactly the member of that name.
//
// +kubebuilder:validation:XValidation:rule="has(self.rest) == (self.type == 'rest')",message="rest must be set when type is rest, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.webhook) == (self.type == 'webhook')",message="webhook must be set when type is webhook, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.open311) == (self.type == 'open311')",message="open311 must be set when type is open311, and only then"
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
}

// HTTPURL is an absolute URL.
//
// +kubebuilder:validation:MinLength=8
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && size(url(self).getHostname()) > 0",message="must be an absolute URL that starts with https:// or http://"
// +kubebuilder:validation:XValidation:rule="!self.contains('@') || !self.matches('^https?://[^/]*@')",message="must not carry credentials; use auth"
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

// RESTSource polls any JSON API: it is all that a portal needs for which nobody wrote code.
type RESTSource struct {
	// url of the list of complaints.
	// +required
	URL HTTPURL `json:"url,omitempty"`
	// method of the request; the default is GET.
	// +optional
	// +kubebuilder:default=GET
	// +kubebuilder:validation:Enum=GET;POST
	Method string `json:"method,omitempty"`
	// query parameters added to the url.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Query []RequestParameter `json:"query,omitempty"`
	// headers added to the request.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Headers []RequestParameter `json:"headers,omitempty"`
	// body is a CEL expression that yields the body of a POST: a map, sent as JSON, or a string, sent as a
	// form. Variables are those of a parameter's expression.
	// +optional
	Body Expression `json:"body,omitempty"`
	// auth is how the request is authenticated; without it, not at all.
	// +optional
	Auth *HTTPAuth `json:"auth,omitempty"`
	// pagination is how further pages are asked for; without it there is one.
	// +optional
	Pagination *Pagination `json:"pagination,omitempty"`
	// polling says how often the source is read.
	// +optional
	// +kubebuilder:default={}
	Polling *Polling `json:"polling,omitempty"`
	// caSecretRef names a key with PEM certificates to trust instead of the system's.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`
	// mapping turns an answer into events.
	// +required
	Mapping EventMapping `json:"mapping,omitzero"`
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
	// type: Page counts pages, Offset counts items, Cursor passes on a value of the answer, Link follows
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

// EventMapping turns an answer or a delivery into canonical events by CEL expressions. Variables:
// `response` (rest) or `payload` (webhook) is the decoded JSON; `item` is one item of it; `entry` is
// one element of an event rule's forEach. Functions beyond CEL's own: parseTime, formatTime,
// unixSeconds, unixMillis.
type EventMapping struct {
	// items yields the list of items; without it the whole JSON is one item, or its items if it is a list.
	// +optional
	Items Expression `json:"items,omitempty"`
	// caseID yields the identifier of the item's case, over `item`.
	// +required
	CaseID Expression `json:"caseID,omitempty"`
	// updatedAt yields when the item changed last, over `item`; the newest is where the next poll begins.
	// Without it the next poll begins where this one was started.
	// +optional
	UpdatedAt Expression `json:"updatedAt,omitempty"`
	// reporter identifies the citizen.
	// +optional
	Reporter *ReporterMapping `json:"reporter,omitempty"`
	// location yields where the complaint is about.
	// +optional
	Location *LocationMapping `json:"location,omitempty"`
	// attributes yields further fields of the complaint, each a string; category, department and priority
	// are looked up in the taxonomy.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Attributes []AttributeMapping `json:"attributes,omitempty"`
	// events are the events that an item may hold; each rule whose `when` is true yields one, or one for
	// each element of its forEach.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Events []EventRule `json:"events,omitempty"`
}

// ReporterMapping identifies the citizen; each expression yields a string over `item`, "" or null for none.
//
// +kubebuilder:validation:XValidation:rule="has(self.phone) || has(self.email) || has(self.handle)",message="at least one of phone, email and handle must be set"
type ReporterMapping struct {
	// phone yields the telephone number.
	// +optional
	Phone Expression `json:"phone,omitempty"`
	// email yields the address.
	// +optional
	Email Expression `json:"email,omitempty"`
	// handle yields the name of the account on the channel.
	// +optional
	Handle Expression `json:"handle,omitempty"`
}

// LocationMapping yields a WGS 84 position in decimal degrees; each expression yields a number or a string.
type LocationMapping struct {
	// latitude in degrees north.
	// +required
	Latitude Expression `json:"latitude,omitempty"`
	// longitude in degrees east.
	// +required
	Longitude Expression `json:"longitude,omitempty"`
}

// AttributeMapping yields one attribute.
type AttributeMapping struct {
	// name of the attribute.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_-]*$')",message="must start with a letter and have letters, digits, '_' and '-' only"
	Name string `json:"name,omitempty"`
	// value yields a string over `item`; "" or null for none.
	// +required
	Value Expression `json:"value,omitempty"`
}

// EventKind is what happened.
//
// +kubebuilder:validation:Enum=Received;CitizenMessage;Acknowledged;Answered;Assigned;StatusChanged;Merged;ReplyNotNeeded;Edited;Redacted
type EventKind string

// EventActor is who did it.
//
// +kubebuilder:validation:Enum=citizen;official;bot;system
type EventActor string

// EventRule yields events of one kind. Expressions are over `item` and, with forEach, `entry`.
//
// +kubebuilder:validation:XValidation:rule="has(self.to) == (self.kind == 'StatusChanged')",message="to must be set when kind is StatusChanged, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.into) == (self.kind == 'Merged')",message="into must be set when kind is Merged, and only then"
// +kubebuilder:validation:XValidation:rule="!has(self.actor) || !has(self.actorExpression)",message="only one of actor and actorExpression may be set"
type EventRule struct {
	// kind of the events.
	// +required
	Kind EventKind `json:"kind,omitempty"`
	// forEach yields a list; the rule is applied to each element as `entry`.
	// +optional
	ForEach Expression `json:"forEach,omitempty"`
	// when yields whether there is an event; without it there is.
	// +optional
	When Expression `json:"when,omitempty"`
	// at yields when it happened: a timestamp, or a string in RFC 3339 (without offset only if the channel
	// sets assumeTimeZone).
	// +required
	At Expression `json:"at,omitempty"`
	// actor who did it; the default is citizen for Received and CitizenMessage, else official.
	// +optional
	Actor EventActor `json:"actor,omitempty"`
	// actorExpression yields the actor, where it depends on the item.
	// +optional
	ActorExpression Expression `json:"actorExpression,omitempty"`
	// id yields a string that is unique within the case; without it one is made of kind, instant and status.
	// +optional
	ID Expression `json:"id,omitempty"`
	// text yields what was written; "" or null for none.
	// +optional
	Text Expression `json:"text,omitempty"`
	// to yields the status: Open, AwaitingCitizen, AwaitingThirdParty, Resolved, Reopened, Rejected,
	// Duplicate or Spam; "" or null for no event.
	// +optional
	To Expression `json:"to,omitempty"`
	// into yields the identifier of the case this one was merged into.
	// +optional
	Into Expression `json:"into,omitempty"`
}

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

// Open311Source polls an Open311 GeoReport v2 server.
type Open311Source struct {
	// url of the endpoint, without /requests.json.
	// +required
	URL HTTPURL `json:"url,omitempty"`
	// jurisdictionID of the endpoint, where it serves several.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	JurisdictionID string `json:"jurisdictionID,omitempty"`
	// format of the answers; the default is JSON, which is optional in the specification; XML is mandatory.
	// +optional
	// +kubebuilder:default=JSON
	// +kubebuilder:validation:Enum=JSON;XML
	Format string `json:"format,omitempty"`
	// apiKeySecretRef names the key with the api_key, where the server wants one for reading.
	// +optional
	APIKeySecretRef *SecretKeyReference `json:"apiKeySecretRef,omitempty"`
	// polling says how often the source is read.
	// +optional
	// +kubebuilder:default={}
	Polling *Polling `json:"polling,omitempty"`
	// recheckInterval is how often the requests still open are read again, as the list cannot be filtered
	// by the time of an update. The default is 15m.
	// +optional
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('168h')",message="must be between 1s and 168h"
	RecheckInterval *metav1.Duration `json:"recheckInterval,omitempty"`
	// statusNotesAreAnswers says whether a change of status_notes on an open request is an answer to the
	// citizen. Default true.
	// +optional
	// +kubebuilder:default=true
	StatusNotesAreAnswers *bool `json:"statusNotesAreAnswers,omitempty"`
	// caSecretRef names a key with PEM certificates to trust instead of the system's.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`
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
	// endpoint is the URL, inside the cluster, that a webhook's deliveries are posted to; an Ingress or a
	// Gateway leads to it from outside.
	// +optional
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
