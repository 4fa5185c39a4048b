// Package v1alpha1 holds the custom resources of the group tanggap.dev: what a platform team applies
// to declare a city's complaint channels and its promises. Every rule that a schema or CEL can state
// is stated on the types, so that the API server refuses a bad manifest with a sentence.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
// +groupName=tanggap.dev
package v1alpha1
