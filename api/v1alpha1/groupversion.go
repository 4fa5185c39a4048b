package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of every kind of this package.
var GroupVersion = schema.GroupVersion{Group: "tanggap.dev", Version: "v1alpha1"}

// SchemeGroupVersion is GroupVersion under the name that generated apply configurations use.
var SchemeGroupVersion = GroupVersion

// SchemeBuilder registers the kinds of this package.
var SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme adds the kinds of this package to a scheme.
func AddToScheme(s *runtime.Scheme) error { return SchemeBuilder.AddToScheme(s) }

func addKnownTypes(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&ComplaintChannel{}, &ComplaintChannelList{},
		&ResponseSLA{}, &ResponseSLAList{},
		&WorkCalendar{}, &WorkCalendarList{},
		&ComplaintTaxonomy{}, &ComplaintTaxonomyList{},
		&ComplaintLedger{}, &ComplaintLedgerList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
