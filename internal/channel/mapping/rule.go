package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/field"
)

// apply adds the events that a rule finds in an item, and reports its first fault.
func (m *Mapping) apply(r *rule, caseID string, vars map[string]any, events *[]complaint.Event) error {
	if r.forEach == nil {
		return m.event(r, caseID, vars, events)
	}
	entries, err := r.forEach.program.List(vars)
	if err != nil {
		return r.forEach.failed(err)
	}
	var fault error
	within := maps.Clone(vars)
	for _, entry := range entries {
		within[entryVariable] = entry
		if err := m.event(r, caseID, within, events); err != nil && fault == nil {
			fault = err
		}
	}
	return fault
}

// event adds the event that the rule sees, if it sees one.
func (m *Mapping) event(r *rule, caseID string, vars map[string]any, events *[]complaint.Event) error {
	if r.when != nil {
		if there, err := r.when.program.Bool(vars); err != nil || !there {
			return r.when.failed(err)
		}
	}
	e := complaint.Event{Channel: m.options.Channel, CaseID: caseID, Kind: r.kind, Actor: r.actor}
	if r.to != nil {
		to, err := r.to.text(vars)
		if err != nil || to == "" {
			return err
		}
		if e.To = complaint.Status(to); !e.To.Valid() {
			return r.to.fault("must yield one of %v, or nothing", complaint.Statuses())
		}
	}
	var err error
	if e.OccurredAt, err = m.time(r.at, vars); err != nil {
		return err
	}
	if r.who != nil {
		who, err := r.who.text(vars)
		if err != nil {
			return err
		}
		if e.Actor = complaint.Actor(who); !e.Actor.Valid() {
			return r.who.fault("must yield one of %v", complaint.Actors())
		}
	}
	if e.Into, err = r.into.text(vars); err != nil {
		return err
	}
	if e.Text, err = r.text.text(vars); err != nil {
		return err
	}
	own, err := r.id.text(vars)
	if err != nil {
		return err
	}
	e.ID = identifier(&e, own, r.forEach != nil)
	// Normalize at the event's own time cuts the text and clamps nothing: the mapping has no clock.
	e = e.Normalize(e.OccurredAt)
	if err := e.Validate(); err != nil {
		return field.Errorf("mapping."+r.path, "%v", err)
	}
	*events = append(*events, e)
	return nil
}

// escape keeps the parts of an identifier apart.
func escape(part string) string {
	if !strings.ContainsAny(part, "%/") {
		return part
	}
	return strings.NewReplacer("%", "%25", "/", "%2F").Replace(part)
}

// identifier makes the event's ID, which is unique within the channel and the same each time the event
// is read: case, kind, and the source's own identifier where it has one; else the instant, the status
// or the other case, and who did it if that is unusual. Entries of a list may well have all of that in
// common, so they also have four bytes of a hash of their text: enough to tell two answers of one
// second apart, and too few to tell what a deleted text was.
func identifier(e *complaint.Event, own string, entry bool) string {
	parts := []string{escape(e.CaseID), string(e.Kind)}
	if own != "" {
		parts = append(parts, escape(own))
	} else {
		parts = append(parts, e.OccurredAt.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano))
		if e.To != "" {
			parts = append(parts, string(e.To))
		}
		if e.Into != "" {
			parts = append(parts, escape(e.Into))
		}
		if e.Actor != defaultActor(e.Kind) {
			parts = append(parts, string(e.Actor))
		}
		if entry && e.Text != "" {
			sum := sha256.Sum256([]byte(e.Text))
			parts = append(parts, hex.EncodeToString(sum[:4]))
		}
	}
	id := strings.Join(parts, "/")
	if len(id) > complaint.MaxIDBytes {
		sum := sha256.Sum256([]byte(id))
		return "sha256/" + hex.EncodeToString(sum[:])
	}
	return id
}
