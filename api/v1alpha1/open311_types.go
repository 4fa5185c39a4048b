package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
