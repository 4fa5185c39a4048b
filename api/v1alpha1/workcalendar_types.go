package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WorkCalendar declares when a desk works: weekly hours, holidays, special days and seasons in one
// IANA time zone.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=workcalendars,scope=Namespaced,shortName=wcal,categories=tanggap
// +kubebuilder:printcolumn:name="Time Zone",type=string,JSONPath=`.spec.timeZone`
// +kubebuilder:printcolumn:name="Covers Until",type=string,JSONPath=`.spec.coversUntil`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: lower-case letters, digits and '-', at most 63 characters, as others refer to it and it becomes a label value"
type WorkCalendar struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is the calendar.
	// +required
	Spec WorkCalendarSpec `json:"spec,omitzero"`
	// status is what the operator found.
	// +optional
	Status WorkCalendarStatus `json:"status,omitempty"`
}

// WorkCalendarSpec is the calendar. Times are local wall time in timeZone, so daylight saving needs no care.
//
// +kubebuilder:validation:XValidation:rule="size(self.weekly) > 0 || (has(self.specialDays) && size(self.specialDays) > 0)",message="weekly: a calendar needs at least one open day"
type WorkCalendarSpec struct {
	// timeZone is an IANA name such as Asia/Jakarta; a fixed offset such as UTC+7 is refused.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$')",message="must be an IANA time zone such as Asia/Jakarta, not an abbreviation or an offset"
	TimeZone string `json:"timeZone,omitempty"`
	// weekly are the hours of an ordinary week; a day that no entry names is closed.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=7
	// +kubebuilder:validation:XValidation:rule="self.map(w, size(w.days)).sum() <= 7 && self.all(w, w.days.all(d, self.filter(o, d in o.days).size() == 1))",message="each day of the week may stand in one entry only"
	Weekly []WeeklyHours `json:"weekly,omitempty"`
	// seasons replace the weekly hours between two dates, such as Ramadan; they must not overlap.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(s, self.all(o, o.name == s.name || o.to < s.from || o.from > s.to))",message="seasons must not overlap"
	Seasons []Season `json:"seasons,omitempty"`
	// holidays are local dates on which nobody works.
	// +optional
	// +listType=map
	// +listMapKey=date
	// +kubebuilder:validation:MaxItems=366
	Holidays []Holiday `json:"holidays,omitempty"`
	// specialDays are local dates with hours of their own; they win over holidays, seasons and weekly hours.
	// +optional
	// +listType=map
	// +listMapKey=date
	// +kubebuilder:validation:MaxItems=128
	SpecialDays []SpecialDay `json:"specialDays,omitempty"`
	// coversUntil is the last date for which the holidays are entered. Due instants beyond it are still
	// computed, flagged and alerted on: a calendar without next year's holidays makes each a working day.
	// +optional
	CoversUntil Date `json:"coversUntil,omitempty"`
}

// Date is a local date such as 2026-12-31.
//
// +kubebuilder:validation:MinLength=10
// +kubebuilder:validation:MaxLength=10
// +kubebuilder:validation:Format=date
type Date string

// Weekday is an English name of a day.
//
// +kubebuilder:validation:Enum=Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
type Weekday string

// WeeklyHours are the open intervals of some days of the week.
type WeeklyHours struct {
	// days the hours are for.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=7
	Days []Weekday `json:"days,omitempty"`
	// hours are the open intervals of each of the days; a lunch break makes two.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Hours []Interval `json:"hours,omitempty"`
}

// Interval is a span of local wall time. An end at or before the start crosses midnight and belongs
// to the day it starts on.
type Interval struct {
	// start is the opening, HH:MM from 00:00 to 23:59.
	// +required
	// +kubebuilder:validation:MinLength=5
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:XValidation:rule="self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')",message="must be a time of day from 00:00 to 23:59"
	Start string `json:"start,omitempty"`
	// end is the closing, HH:MM from 00:00 to 24:00.
	// +required
	// +kubebuilder:validation:MinLength=5
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:XValidation:rule="self.matches('^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$')",message="must be a time of day from 00:00 to 24:00"
	End string `json:"end,omitempty"`
}

// Season replaces the weekly hours between two dates, both included.
//
// +kubebuilder:validation:XValidation:rule="self.from <= self.to",message="from must not be after to"
type Season struct {
	// name tells people what the season is.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
	// from is the first date.
	// +required
	From Date `json:"from,omitempty"`
	// to is the last date.
	// +required
	To Date `json:"to,omitempty"`
	// weekly are the hours of a week of the season; a day that no entry names is closed.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=7
	// +kubebuilder:validation:XValidation:rule="self.map(w, size(w.days)).sum() <= 7 && self.all(w, w.days.all(d, self.filter(o, d in o.days).size() == 1))",message="each day of the week may stand in one entry only"
	Weekly []WeeklyHours `json:"weekly,omitempty"`
}

// Holiday is a local date on which nobody works.
type Holiday struct {
	// date of the holiday.
	// +required
	Date Date `json:"date,omitempty"`
	// name tells people what the day is.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	Name string `json:"name,omitempty"`
}

// SpecialDay is a local date with hours of its own.
type SpecialDay struct {
	// date of the day.
	// +required
	Date Date `json:"date,omitempty"`
	// name tells people what the day is.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	Name string `json:"name,omitempty"`
	// hours of the day; none is a closed day.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Hours []Interval `json:"hours,omitempty"`
}

// PolicyStatus is the status of the kinds whose specification is judged and handed to the ledgers.
type PolicyStatus struct {
	// observedGeneration is the generation that conditions speak of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Accepted and Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// casesRederived counts the open cases judged again under the latest change.
	// +optional
	CasesRederived *int64 `json:"casesRederived,omitempty"`
	// casesToRederive counts the open cases still to be judged again.
	// +optional
	CasesToRederive *int64 `json:"casesToRederive,omitempty"`
}

// WorkCalendarStatus is what the operator found.
type WorkCalendarStatus struct {
	PolicyStatus `json:",inline"`
}

// WorkCalendarList is a list of WorkCalendar.
//
// +kubebuilder:object:root=true
type WorkCalendarList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WorkCalendar `json:"items"`
}
