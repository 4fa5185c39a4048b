// Package emergency112 reads the incidents of a 112 call centre, which arrive as signed deliveries, as
// exports in CSV, or in a view of its database. Most calls are no complaints; which are is said by the channel's specification.
package emergency112

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/csvdrop"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/field"
)

// Defaults of the specification, which the API server fills in as well, and the largest delivery.
const (
	defaultRequestsPerSecond = 100
	defaultUsualDelay        = time.Minute
	maxBodyBytes             = 256 << 10
)

// Type is the source type emergency112. It is safe for concurrent use.
type Type struct{}

// Name implements channel.Type.
func (Type) Name() v1alpha1.SourceType { return v1alpha1.SourceEmergency112 }

// Open implements channel.Type.
func (Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.Emergency112
	if spec == nil {
		return nil, field.Errorf("emergency112", "must be set when type is emergency112")
	}
	read := reader{rules: rulesOf(settings.Channel, spec), zone: settings.AssumeTimeZone}
	switch arrival := spec.Arrival; {
	case arrival.Type == v1alpha1.ArrivalWebhook && arrival.Webhook != nil:
		return openEndpoint(arrival.Webhook, read, settings)
	case arrival.Type == v1alpha1.ArrivalCSV && arrival.CSV != nil:
		return openFiles(spec, read, settings)
	case arrival.Type == v1alpha1.ArrivalPostgreSQL && arrival.PostgreSQL != nil:
		return openDatabase(spec, read, settings)
	}
	return nil, field.Errorf("emergency112.arrival.type", "must be one of Webhook, CSV and PostgreSQL, with the member of that name")
}

func openEndpoint(spec *v1alpha1.Emergency112Webhook, read reader, settings channel.Settings) (channel.Source, error) {
	verifier, err := push.NewStandardWebhooks(&spec.StandardWebhooks, settings.Credential, settings.Now)
	if err != nil {
		return nil, err
	}
	read.name = memberName
	return &endpoint{
		reader: read, verifier: verifier, usualDelay: channel.Duration(spec.UsualDelay, defaultUsualDelay),
		Endpoint: push.NewEndpoint(maxBodyBytes, channel.Number(spec.RequestsPerSecond, defaultRequestsPerSecond), settings.Now),
	}, nil
}

func openFiles(spec *v1alpha1.Emergency112Source, read reader, settings channel.Settings) (channel.Source, error) {
	read.name, read.layout = columnName, spec.Arrival.CSV.TimeLayout
	// Whatever decides what a row means; where the files are does not.
	meaning, err := json.Marshal([]any{
		spec.CountCallTypes, spec.AnsweredBy, spec.Arrival.CSV.Columns, spec.Arrival.CSV.TimeLayout, zoneName(settings.AssumeTimeZone),
	})
	if err != nil {
		return nil, err
	}
	return csvdrop.New(csvdrop.Config{
		Files: &spec.Arrival.CSV.Files, Dir: settings.FilesDir, Quarantine: settings.QuarantineDir,
		Understand: read.understand(spec.Arrival.CSV.Columns), Fingerprint: string(meaning),
		Now: settings.Now, Logger: settings.Logger,
	})
}

func zoneName(zone *time.Location) string {
	if zone == nil {
		return ""
	}
	return zone.String()
}

// trim takes the space around a value away, and NUL bytes, which not every store takes.
func trim(value string) string { return strings.TrimSpace(strings.ReplaceAll(value, "\x00", "")) }
