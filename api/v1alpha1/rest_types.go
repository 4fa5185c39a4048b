package v1alpha1

// RESTSource polls any JSON API: it is all that a portal needs for which nobody wrote code.
//
// +kubebuilder:validation:XValidation:rule="!has(self.body) || self.method == 'POST'",message="body goes with method POST only"
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
