package emergency112

import (
	"errors"
	"slices"
	"strings"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/csvdrop"
	"github.com/tanggap/tanggap/internal/field"
)

// column is what a member is called by default, and in the specification.
type column struct{ standard, specified string }

func standardColumns() [members]column {
	return [members]column{
		incidentID:     {"incident_id", "incidentID"},
		callType:       {"call_type", "callType"},
		receivedAt:     {"received_at", "receivedAt"},
		verifiedAt:     {"verified_at", "verifiedAt"},
		dispatchedAt:   {"dispatched_at", "dispatchedAt"},
		disposedAt:     {"disposed_at", "disposedAt"},
		disposition:    {"disposition", "disposition"},
		closedAt:       {"closed_at", "closedAt"},
		reopenedAt:     {"reopened_at", "reopenedAt"},
		reclassifiedAt: {"reclassified_at", "reclassifiedAt"},
		category:       {"category", "category"},
		priority:       {"priority", "priority"},
		department:     {"department", "department"},
		description:    {"description", "description"},
		callerPhone:    {"caller_phone", "callerPhone"},
		latitude:       {"lat", "latitude"},
		longitude:      {"lon", "longitude"},
	}
}

// named are the columns that the specification names; "" is none.
func named(spec *v1alpha1.Emergency112Columns) [members]v1alpha1.ColumnName {
	if spec == nil {
		spec = &v1alpha1.Emergency112Columns{}
	}
	return [members]v1alpha1.ColumnName{
		incidentID: spec.IncidentID, callType: spec.CallType, receivedAt: spec.ReceivedAt, verifiedAt: spec.VerifiedAt,
		dispatchedAt: spec.DispatchedAt, disposedAt: spec.DisposedAt, disposition: spec.Disposition, closedAt: spec.ClosedAt,
		reopenedAt: spec.ReopenedAt, reclassifiedAt: spec.ReclassifiedAt, category: spec.Category, priority: spec.Priority,
		department: spec.Department, description: spec.Description, callerPhone: spec.CallerPhone,
		latitude: spec.Latitude, longitude: spec.Longitude,
	}
}

// columnName is how a column is called in messages: by its place in the specification.
func columnName(m member) string { return "columns." + standardColumns()[m].specified }

// bind finds the columns in a header; -1 is one that is not there and need not be.
func bind(spec *v1alpha1.Emergency112Columns, header []string) (places [members]int, err error) {
	var errs []error
	wanted := named(spec)
	for m, standard := range standardColumns() {
		name, required := strings.TrimSpace(string(wanted[m])), wanted[m] != ""
		if !required {
			name, required = standard.standard, member(m) == incidentID || member(m) == receivedAt
		}
		places[m] = slices.Index(header, name)
		switch {
		case places[m] < 0 && required:
			errs = append(errs, field.Errorf(field.Path(columnName(member(m))), "there is no column %q", name))
		case places[m] >= 0 && slices.Contains(header[places[m]+1:], name):
			errs = append(errs, field.Errorf(field.Path(columnName(member(m))), "there are two columns %q", name))
		}
	}
	return places, errors.Join(errs...)
}

// understand makes the function that reads the rows of a file.
func (r *reader) understand(spec *v1alpha1.Emergency112Columns) csvdrop.Understand {
	return func(header []string) (func([]string) csvdrop.Row, error) {
		places, err := bind(spec, header)
		if err != nil {
			return nil, err
		}
		return func(fields []string) csvdrop.Row {
			rec := record{untyped: places[callType] < 0}
			for m, place := range places {
				if place >= 0 {
					rec.values[m] = fields[place]
				}
			}
			u := r.read(&rec)
			return csvdrop.Row{Events: u.events, Skipped: u.skipped, At: u.newest, Problem: u.problem}
		}, nil
	}
}
