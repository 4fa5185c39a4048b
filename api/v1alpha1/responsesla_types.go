package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ResponseSLA declares the city's promises: which clocks a complaint gets, and how long each may run.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=responseslas,scope=Namespaced,shortName=sla,categories=tanggap
// +kubebuilder:printcolumn:name="Calendar",type=string,JSONPath=`.spec.calendarRef.name`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Rederiving",type=integer,JSONPath=`.status.casesToRederive`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: lower-case letters, digits and '-', at most 63 characters, as others refer to it and it becomes a label value"
type ResponseSLA struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the promise.
	// +required
	Spec ResponseSLASpec `json:"spec,omitzero"`
	// status is what the operator found.
	// +optional
	Status ResponseSLAStatus `json:"status,omitempty"`
}

// ResponseSLASpec is the promise.
type ResponseSLASpec struct {
	// calendarRef names the WorkCalendar of targets in working time; a channel may name another one.
	// +optional
	CalendarRef *LocalReference `json:"calendarRef,omitempty"`
	// rules are tried in order; the first one that matches gives a complaint its clocks. Only the last one may be
	// without a match.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.filter(r, !has(r.match)).size() <= (has(self[self.size() - 1].match) ? 0 : 1)",message="a rule without a match is for every complaint: it must be the last one, as those after it would never be tried"
	Rules []SLARule `json:"rules,omitempty"`
	// answeredBy are the actors whose answers count; the default is official alone.
	// +optional
	// +listType=set
	// +kubebuilder:default={"official"}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	AnsweredBy []AnsweringActor `json:"answeredBy,omitempty"`
	// acknowledgement recognises an answer that only says thanks and so is none.
	// +optional
	Acknowledgement *Acknowledgement `json:"acknowledgement,omitempty"`
	// objective is the share of clocks to be met over a window; the alert rules use it.
	// +optional
	Objective *Objective `json:"objective,omitempty"`
	// enforceFrom keeps complaints received before it from having clocks, so that a new SLA does not
	// begin with the breaches of the past.
	// +optional
	EnforceFrom *metav1.Time `json:"enforceFrom,omitempty"`
}

// AnsweringActor is an actor who can answer a complaint.
//
// +kubebuilder:validation:Enum=official;bot;system
type AnsweringActor string

// Acknowledgement recognises an answer that is none.
type Acknowledgement struct {
	// match is a CEL expression over `event` (kind, actor, text, attributes); an answer for which it is
	// true counts as an acknowledgement only.
	// +required
	Match Expression `json:"match,omitempty"`
}

// Expression is a CEL expression. The operator compiles it and reports line and column of a fault in
// the condition Accepted.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=2048
type Expression string

// Objective is a service level objective.
type Objective struct {
	// ratio of clocks that must be met, a decimal above 0 and at most 1 such as "0.95".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0[.][0-9]{1,6}|1([.]0{1,6})?)$') && double(self) > 0.0",message="must be a decimal above 0 and at most 1, such as \"0.95\""
	Ratio string `json:"ratio,omitempty"`
	// window the ratio is taken over, such as 720h.
	// +required
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8784h')",message="must be between 1h and 8784h (366 days)"
	Window metav1.Duration `json:"window,omitempty,omitzero"`
}

// SLARule gives its clocks to the complaints it matches.
type SLARule struct {
	// name of the rule.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// match is a CEL expression over `complaint` (channel, official, category, department, priority,
	// attributes); without it the rule matches every complaint.
	// +optional
	Match Expression `json:"match,omitempty"`
	// clocks of a complaint that the rule matches; none is a rule that promises nothing.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Clocks []Clock `json:"clocks,omitempty"`
}

// Measure is what a clock measures.
//
// +kubebuilder:validation:Enum=Acknowledgement;FirstAnswer;NextReply;FirstResolution;TotalResolution
type Measure string

// ClockStart is what starts a clock.
//
// +kubebuilder:validation:Enum=Received;Assigned
type ClockStart string

// PausingStatus is a status that may pause a clock.
//
// +kubebuilder:validation:Enum=AwaitingCitizen;AwaitingThirdParty
type PausingStatus string

// Clock is one promise.
//
// +kubebuilder:validation:XValidation:rule="!has(self.startsOn) || self.startsOn == 'Received' || self.measures != 'NextReply'",message="startsOn: a NextReply clock starts at the citizen's message, not on Assigned"
// +kubebuilder:validation:XValidation:rule="!has(self.resolvedCountsAsAnswer) || self.measures == 'FirstAnswer'",message="resolvedCountsAsAnswer: only a FirstAnswer clock has it"
// +kubebuilder:validation:XValidation:rule="!has(self.warnBefore) || self.warnBefore.endsWith('%') || !has(self.target.within) || duration(self.warnBefore) <= duration(self.target.within)",message="warnBefore must not be longer than the target"
// +kubebuilder:validation:XValidation:rule="!has(self.warnBefore) || self.warnBefore.endsWith('%') || !has(self.target.workingTime) || duration(self.warnBefore) <= duration(self.target.workingTime)",message="warnBefore must not be longer than the target"
type Clock struct {
	// name of the clock, the label value of its metrics.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_-]*$')",message="must start with a letter and have letters, digits, '_' and '-' only"
	Name string `json:"name,omitempty"`
	// measures says from what to what the clock runs.
	// +required
	Measures Measure `json:"measures,omitempty"`
	// startsOn is Received, the citizen's clock (default), or Assigned, the department's.
	// +optional
	StartsOn ClockStart `json:"startsOn,omitempty"`
	// target is how long the clock may run.
	// +required
	Target Target `json:"target,omitzero"`
	// pauseWhile lists the statuses in which the clock stands still.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=2
	PauseWhile []PausingStatus `json:"pauseWhile,omitempty"`
	// warnBefore is when a clock becomes due soon: a share of the target such as 25%, or a duration such
	// as 30m, counted like the target itself.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([1-9][0-9]?|100)%$') || (self.matches('^([0-9]+(h|m|s))+$') && duration(self) > duration('0s'))",message="must be a percentage from 1% to 100% or a duration such as 30m"
	WarnBefore string `json:"warnBefore,omitempty"`
	// resolvedCountsAsAnswer says whether an official's Resolved stops a FirstAnswer clock; default true.
	// +optional
	ResolvedCountsAsAnswer *bool `json:"resolvedCountsAsAnswer,omitempty"`
}

// Target is how long a clock may run, in exactly one of three measures.
//
// +kubebuilder:validation:XValidation:rule="(has(self.within) ? 1 : 0) + (has(self.workingTime) ? 1 : 0) + (has(self.workingDays) ? 1 : 0) == 1",message="exactly one of within, workingTime and workingDays must be set"
// +kubebuilder:validation:XValidation:rule="!has(self.dayOne) || has(self.workingDays)",message="dayOne goes with workingDays only"
// +kubebuilder:validation:XValidation:rule="!has(self.dueAt) || has(self.workingDays)",message="dueAt goes with workingDays only"
type Target struct {
	// within is wall-clock time, such as 15m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s') && duration(self) <= duration('17568h')",message="must be longer than 0s and at most 17568h (two years)"
	Within *metav1.Duration `json:"within,omitempty"`
	// workingTime is time inside the calendar's open hours, such as 8h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s') && duration(self) <= duration('8784h')",message="must be longer than 0s and at most 8784h"
	WorkingTime *metav1.Duration `json:"workingTime,omitempty"`
	// workingDays is a number of working dates.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=366
	WorkingDays *int32 `json:"workingDays,omitempty"`
	// dayOne is the first date that counts: NextWorkingDay (default) or SameDay, which is the date of the
	// start if it is a working day and the start lies before its last closing.
	// +optional
	DayOne DayOne `json:"dayOne,omitempty"`
	// dueAt is the instant of the last date: EndOfWorkingDay (default, its last closing) or EndOfDay
	// (the midnight that follows).
	// +optional
	DueAt DueAt `json:"dueAt,omitempty"`
}

// DayOne is the first working day that counts.
//
// +kubebuilder:validation:Enum=NextWorkingDay;SameDay
type DayOne string

// DueAt is when on the last working day a clock is due.
//
// +kubebuilder:validation:Enum=EndOfWorkingDay;EndOfDay
type DueAt string

// ResponseSLAStatus is what the operator found.
type ResponseSLAStatus struct {
	PolicyStatus `json:",inline"`
}

// ResponseSLAList is a list of ResponseSLA.
//
// +kubebuilder:object:root=true
type ResponseSLAList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ResponseSLA `json:"items"`
}
