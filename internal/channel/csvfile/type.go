// Package csvfile reads complaints from the CSV files that any system exports: what a row means is said by
// the expressions of the channel's specification.
package csvfile

import (
	"encoding/json"
	"fmt"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/csvdrop"
	"github.com/tanggap/tanggap/internal/channel/mapping"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Type is the source type csv. It is safe for concurrent use.
type Type struct{ mapping *mapping.Compiler }

// New makes the type. An error is a mistake of the program.
func New() (*Type, error) {
	compiler, err := mapping.NewCompiler(mapping.Row)
	if err != nil {
		return nil, fmt.Errorf("preparing the source type csv: %w", err)
	}
	return &Type{mapping: compiler}, nil
}

// Name implements channel.Type.
func (t *Type) Name() v1alpha1.SourceType { return v1alpha1.SourceCSV }

// Validate checks what of a specification its schema cannot: every expression. The error is of
// field.Errors with paths such as `mapping.events[1].at`.
func (t *Type) Validate(spec *v1alpha1.CSVSource) error {
	_, err := t.mapping.Compile(&spec.Mapping, mapping.Options{})
	return field.Within("mapping", err)
}

// Open implements channel.Type.
func (t *Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.CSV
	if spec == nil {
		return nil, field.Errorf("csv", "must be set when type is csv")
	}
	compiled, err := t.mapping.Compile(&spec.Mapping, mapping.Options{Channel: settings.Channel, Zone: settings.AssumeTimeZone})
	if err != nil {
		return nil, field.Within("csv.mapping", err)
	}
	zone := ""
	if settings.AssumeTimeZone != nil {
		zone = settings.AssumeTimeZone.String()
	}
	meaning, err := json.Marshal([]any{spec.Mapping, zone})
	if err != nil {
		return nil, fmt.Errorf("encoding the mapping: %w", err)
	}
	return csvdrop.New(csvdrop.Config{
		Files: &spec.Files, Dir: settings.FilesDir, Quarantine: settings.QuarantineDir,
		Understand: understand(compiled), Fingerprint: string(meaning),
		Now: settings.Now, Logger: settings.Logger,
	})
}

// understand makes the function that reads the rows of a file: each is a document of its own.
func understand(compiled *mapping.Mapping) csvdrop.Understand {
	return func(header []string) (func([]string) csvdrop.Row, error) {
		return func(fields []string) csvdrop.Row {
			document := make(map[string]any, len(header))
			for i, name := range header {
				document[name] = fields[i]
			}
			result, err := compiled.Apply(document)
			row := csvdrop.Row{Events: result.Events, Skipped: err == nil && result.Items == 0}
			switch {
			case err != nil:
				row.Problem = &channel.Error{Reason: ledgerapi.ReasonMappingFailed, Message: err.Error()}
			case len(result.Problems) > 0:
				row.Problem = &channel.Error{Reason: result.Problems[0].Reason, Message: result.Problems[0].Message}
			}
			for i := range result.Events {
				if at := result.Events[i].OccurredAt; at.After(row.At) {
					row.At = at
				}
			}
			return row
		}, nil
	}
}
