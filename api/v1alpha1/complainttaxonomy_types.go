package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ComplaintTaxonomy declares what complaints are about, which department answers for it, and how
// urgent it is.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=complainttaxonomies,scope=Namespaced,shortName=ctax,categories=tanggap
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: lower-case letters, digits and '-', at most 63 characters, as others refer to it and it becomes a label value"
type ComplaintTaxonomy struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the taxonomy.
	// +required
	Spec ComplaintTaxonomySpec `json:"spec,omitzero"`
	// status is what the operator found.
	// +optional
	Status ComplaintTaxonomyStatus `json:"status,omitempty"`
}

// ComplaintTaxonomySpec is the taxonomy.
//
// +kubebuilder:validation:XValidation:rule="self.categories.all(c, !has(c.department) || (has(self.departments) && self.departments.exists(d, d.name == c.department)))",message="categories: every department that a category names must stand in departments"
type ComplaintTaxonomySpec struct {
	// categories are tried in order; the first one that matches wins.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Categories []Category `json:"categories,omitempty"`
	// departments that categories and sources may name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Departments []Department `json:"departments,omitempty"`
	// priorities are tried in order; the first one that matches wins over the category's.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Priorities []Priority `json:"priorities,omitempty"`
	// fallback is what a complaint gets that nothing matches.
	// +optional
	Fallback *TaxonomyFallback `json:"fallback,omitempty"`
}

// LabelName becomes a label value of a metric.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must have lower-case letters, digits and '-' only, as it becomes a label value"
type LabelName string

// Keyword is a word or a phrase.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=100
type Keyword string

// SourceValue is a source's own name of something.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=200
type SourceValue string

// Category is one kind of complaint.
//
// +kubebuilder:validation:XValidation:rule="has(self.keywords) || has(self.match) || has(self.sourceValues)",message="a category needs keywords, match or sourceValues, or nothing ever falls into it"
type Category struct {
	// name is the label value.
	// +required
	Name LabelName `json:"name,omitempty"`
	// displayName is for people.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`
	// department answers for the category; it stands in departments.
	// +optional
	Department LabelName `json:"department,omitempty"`
	// priority of the category.
	// +optional
	Priority LabelName `json:"priority,omitempty"`
	// keywords are words or phrases of which any matches; case, diacritics, punctuation and common chat
	// spelling are folded. Words match as a whole, with or without -nya: for tebang, write ditebang and
	// penebangan too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=200
	Keywords []Keyword `json:"keywords,omitempty"`
	// match is a CEL expression over `complaint` (channel, text, attributes).
	// +optional
	Match Expression `json:"match,omitempty"`
	// sourceValues are the source's own names of the category; they win over the text.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	SourceValues []SourceValue `json:"sourceValues,omitempty"`
}

// Department is who has to answer.
type Department struct {
	// name is the label value.
	// +required
	Name LabelName `json:"name,omitempty"`
	// displayName is for people.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`
	// sourceValues are the source's own names of the department.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	SourceValues []SourceValue `json:"sourceValues,omitempty"`
}

// Priority is a rule that gives a priority.
//
// +kubebuilder:validation:XValidation:rule="has(self.keywords) || has(self.match) || has(self.sourceValues)",message="a priority needs keywords, match or sourceValues, or nothing ever gets it"
type Priority struct {
	// name is the label value.
	// +required
	Name LabelName `json:"name,omitempty"`
	// keywords are words or phrases of which any matches.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=200
	Keywords []Keyword `json:"keywords,omitempty"`
	// match is a CEL expression over `complaint` (channel, text, attributes).
	// +optional
	Match Expression `json:"match,omitempty"`
	// sourceValues are the source's own names of the priority.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	SourceValues []SourceValue `json:"sourceValues,omitempty"`
}

// TaxonomyFallback are the label values of what nothing matches.
type TaxonomyFallback struct {
	// category of what nothing matches, default uncategorized.
	// +optional
	// +kubebuilder:default=uncategorized
	Category LabelName `json:"category,omitempty"`
	// department of what nothing matches, default unassigned.
	// +optional
	// +kubebuilder:default=unassigned
	Department LabelName `json:"department,omitempty"`
	// priority of what nothing matches, default normal.
	// +optional
	// +kubebuilder:default=normal
	Priority LabelName `json:"priority,omitempty"`
}

// ComplaintTaxonomyStatus is what the operator found.
type ComplaintTaxonomyStatus struct {
	PolicyStatus `json:",inline"`
}

// ComplaintTaxonomyList is a list of ComplaintTaxonomy.
//
// +kubebuilder:object:root=true
type ComplaintTaxonomyList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ComplaintTaxonomy `json:"items"`
}
