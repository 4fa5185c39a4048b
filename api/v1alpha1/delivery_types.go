package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DeliveryLimits bound what a platform delivers to a source that is read otherwise.
type DeliveryLimits struct {
	// usualDelay is how late deliveries usually are: the channel counts as read completely up to now less this.
	// The default is 1m.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="must be between 0s and 24h"
	UsualDelay *metav1.Duration `json:"usualDelay,omitempty"`
	// maxBodyBytes of a delivery; the default is 1048576.
	// +optional
	// +kubebuilder:default=1048576
	// +kubebuilder:validation:Minimum=65536
	// +kubebuilder:validation:Maximum=16777216
	MaxBodyBytes *int32 `json:"maxBodyBytes,omitempty"`
	// requestsPerSecond at most, beyond which deliveries are answered 429; the default is 500.
	// +optional
	// +kubebuilder:default=500
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	RequestsPerSecond *int32 `json:"requestsPerSecond,omitempty"`
}
