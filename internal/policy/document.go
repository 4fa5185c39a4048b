// Package policy is what a ledger needs to know of a namespace's specifications: the operator
// gathers them into one Document, the ledger compiles it. It is pure.
package policy

import (
	"maps"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// Document is everything that decides how the events of one ledger are judged. It is complete: a
// channel that is not in it is refused by the ledger's append.
type Document struct {
	// Revision is a digest of the rest (hex); two documents with one revision are equal.
	Revision   string                   `json:"revision"`
	Channels   map[string]Channel       `json:"channels"`
	SLAs       map[string]sla.Spec      `json:"slas,omitempty"`
	Calendars  map[string]calendar.Spec `json:"calendars,omitempty"`
	Taxonomies map[string]taxonomy.Spec `json:"taxonomies,omitempty"`
	// Retention says how long texts and handles are kept.
	Retention Retention `json:"retention,omitzero"`
	// Linking says which cases belong together.
	Linking Linking `json:"linking,omitzero"`
}

// Only is as much of the document as decides how the events of some of its channels are judged, without a revision.
func (d Document) Only(keep func(channel string) bool) Document {
	part := Document{
		Channels: map[string]Channel{}, SLAs: map[string]sla.Spec{}, Calendars: map[string]calendar.Spec{}, Taxonomies: map[string]taxonomy.Spec{},
		Retention: d.Retention,
	}
	slas, calendars, taxonomies := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for name, c := range d.Channels {
		if keep(name) {
			part.Channels[name] = c
			slas[c.SLA], calendars[c.Calendar], calendars[referenced(d.SLAs[c.SLA])], taxonomies[c.Taxonomy] = true, true, true, true
		}
	}
	named(part.SLAs, d.SLAs, slas)
	named(part.Calendars, d.Calendars, calendars)
	named(part.Taxonomies, d.Taxonomies, taxonomies)
	return part
}

// named copies what has one of the names.
func named[S any](into, from map[string]S, names map[string]bool) {
	maps.Copy(into, from)
	maps.DeleteFunc(into, func(name string, _ S) bool { return !names[name] })
}

// Channel is what the ledger knows of a ComplaintChannel.
type Channel struct {
	// Type is the source's type, such as "rest".
	Type string `json:"type"`
	// Official is false for a channel that complaints only spill over to.
	Official bool `json:"official"`
	// Writer is the Kubernetes user name that may append to the channel:
	// "system:serviceaccount:<namespace>:<name>".
	Writer string `json:"writer"`
	// SLA, Calendar and Taxonomy name entries of the document; "" is none. Calendar wins over the SLA's own.
	SLA      string `json:"sla,omitempty"`
	Calendar string `json:"calendar,omitempty"`
	Taxonomy string `json:"taxonomy,omitempty"`
	// Suspended channels take no events; their cases and clocks stay.
	Suspended bool `json:"suspended,omitempty"`
	// Replies says that the channel's worker may send answers to citizens.
	Replies bool `json:"replies,omitempty"`
}

// Retention says how long personal data is kept after a case is closed, or has been idle for so long that
// it counts as closed; Go durations, "" is for ever.
type Retention struct {
	// Content is for texts, locations and attributes.
	Content string `json:"content,omitempty"`
	// Handles is for raw phone numbers, addresses and handles; without StoreHandles none is ever stored.
	Handles string `json:"handles,omitempty"`
	// Idle is how long after its last event a case that nobody has closed counts as closed, here and for
	// nothing else; "" is never.
	Idle string `json:"idle,omitempty"`
	// StoreHandles keeps the raw handle beside the pseudonym.
	StoreHandles bool `json:"storeHandles,omitempty"`
}

// Linking says which cases of different channels are the same complaint.
type Linking struct {
	// Window is the largest time between two linked cases, a Go duration; "" links nothing.
	Window string `json:"window,omitempty"`
}
