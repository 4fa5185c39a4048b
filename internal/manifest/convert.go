// Package manifest turns the custom resources, as the API server or a file holds them, into the pure
// specifications that the clocks and the ledger work on, and says what is wrong with them in words for
// the person who wrote them.
package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// Calendar is the pure specification of a WorkCalendar.
func Calendar(object *v1alpha1.WorkCalendar) (calendar.Spec, error) {
	return convert[calendar.Spec](object.Spec)
}

// SLA is the pure specification of a ResponseSLA.
func SLA(object *v1alpha1.ResponseSLA) (sla.Spec, error) {
	return convert[sla.Spec](object.Spec)
}

// Taxonomy is the pure specification of a ComplaintTaxonomy.
func Taxonomy(object *v1alpha1.ComplaintTaxonomy) (taxonomy.Spec, error) {
	return convert[taxonomy.Spec](object.Spec)
}

// Channel is what a ledger knows of a ComplaintChannel. writer is the Kubernetes user name that may
// append to it.
func Channel(object *v1alpha1.ComplaintChannel, writer string) policy.Channel {
	spec := &object.Spec
	return policy.Channel{
		Type:      string(spec.Source.Type),
		Official:  spec.Official == nil || *spec.Official,
		Writer:    writer,
		SLA:       name(spec.SLARef),
		Calendar:  name(spec.CalendarRef),
		Taxonomy:  name(spec.TaxonomyRef),
		Suspended: spec.Suspend,
		Replies:   spec.Source.Replies(),
	}
}

func name(ref *v1alpha1.LocalReference) string {
	if ref == nil {
		return ""
	}
	return ref.Name
}

// Retention is what a ComplaintLedger says of the keeping of personal data.
func Retention(object *v1alpha1.ComplaintLedger) policy.Retention {
	var retention policy.Retention
	if r := object.Spec.Retention; r != nil {
		if r.Content != nil {
			retention.Content = r.Content.Duration.String()
		}
		if r.Handles != nil {
			retention.Handles = r.Handles.Duration.String()
		}
		idle := v1alpha1.DefaultIdle
		if r.Idle != nil {
			idle = r.Idle.Duration
		}
		retention.Idle = idle.String()
	}
	if p := object.Spec.Privacy; p != nil {
		retention.StoreHandles = p.StoreHandles
	}
	return retention
}

// Linking is what a ComplaintLedger says of cases that belong together.
func Linking(object *v1alpha1.ComplaintLedger) policy.Linking {
	if object.Spec.Linking == nil {
		return policy.Linking{}
	}
	return policy.Linking{Window: object.Spec.Linking.Window.Duration.String()}
}

// convert relies on the JSON form of both being the same: a member that the pure specification does not
// know is an error, so that none is ever dropped in silence.
func convert[T any](spec any) (pure T, err error) {
	encoded, err := json.Marshal(spec)
	if err != nil {
		return pure, fmt.Errorf("encoding a specification: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&pure); err != nil {
		return pure, fmt.Errorf("reading a specification: %w", err)
	}
	return pure, nil
}
