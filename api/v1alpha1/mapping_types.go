package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EventMapping turns an answer or a delivery into canonical events by CEL expressions. Variables:
// `response` (rest) or `payload` (webhook) is the decoded JSON; `item` is one item of it; `entry` is
// one element of an event rule's forEach. Functions beyond CEL's own: parseTime, formatTime,
// unixSeconds, unixMillis.
//
// +kubebuilder:validation:XValidation:rule="!has(self.caseWindow) || has(self.reporter)",message="reporter must be set with caseWindow: it says whose messages belong together"
type EventMapping struct {
	// items yields the list of items; without it the whole JSON is one item, or its items if it is a list.
	// +optional
	Items Expression `json:"items,omitempty"`
	// caseID yields the identifier of the item's case, over `item`.
	// +required
	CaseID Expression `json:"caseID,omitempty"`
	// caseWindow is for systems that have messages of people and no cases, such as a gateway of text messages:
	// an item belongs to the case of its reporter in which either side wrote within this time, and caseID
	// only names a case that begins. Of an answer the reporter is who gets it. Without it caseID decides alone.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('744h')",message="must be between 1m and 744h"
	CaseWindow *metav1.Duration `json:"caseWindow,omitempty"`
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
	// each element of its forEach. A complaint begins with Received.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.exists(e, e.kind == 'Received')",message="at least one rule must be of kind Received, or no complaint ever begins"
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
