package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CSVSource reads the CSV files that a system exports into a directory of a volume.
type CSVSource struct {
	// files are where the files are and how they are written.
	// +required
	Files CSVFiles `json:"files,omitzero"`
	// mapping turns a row into events. `item` is the row: a map of its columns, by the names in the file's
	// header, each value a text without the space around it. `items` may be set to leave rows out, over `row`.
	// +required
	Mapping EventMapping `json:"mapping,omitzero"`
}

// CSVCompletion is how a writer shows that a file is complete.
//
// +kubebuilder:validation:Enum=Renamed;Marker
type CSVCompletion string

// The ways to show that a file is complete.
const (
	// CSVRenamed is a file that got its name when it was complete.
	CSVRenamed CSVCompletion = "Renamed"
	// CSVMarker is a second file beside it that was made afterwards.
	CSVMarker CSVCompletion = "Marker"
)

// CSVDelimiter stands between two columns.
//
// +kubebuilder:validation:Enum=Comma;Semicolon;Tab;Pipe
type CSVDelimiter string

// The delimiters.
const (
	CSVComma     CSVDelimiter = "Comma"
	CSVSemicolon CSVDelimiter = "Semicolon"
	CSVTab       CSVDelimiter = "Tab"
	CSVPipe      CSVDelimiter = "Pipe"
)

// CSVEncoding is how the characters of a file are encoded. A byte order mark is passed over.
//
// +kubebuilder:validation:Enum=UTF8;Windows1252
type CSVEncoding string

// The encodings.
const (
	CSVUTF8        CSVEncoding = "UTF8"
	CSVWindows1252 CSVEncoding = "Windows1252"
)

// CSVFiles are files in a directory of a volume. Each content is read once; what a file held that could
// not be understood is counted, and shown with its line.
//
// +kubebuilder:validation:XValidation:rule="!has(self.quarantine) || self.quarantine.claimName != self.volume.claimName || (has(self.quarantine.subPath) ? self.quarantine.subPath : '.').replace('/', ' ').trim() != (has(self.volume.subPath) ? self.volume.subPath : '.').replace('/', ' ').trim()",message="quarantine: must be another directory than volume, or what was rejected is read again"
type CSVFiles struct {
	// volume is the directory. The worker only reads it.
	// +required
	Volume ClaimDirectory `json:"volume,omitzero"`
	// pattern of the names of the files; the default is *.csv. Names that begin with a dot are passed over,
	// and so are directories.
	// +optional
	// +kubebuilder:default="*.csv"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="!self.contains('/') && !self.contains('[')",message="must be a name with * and ?, without a directory"
	Pattern string `json:"pattern,omitempty"`
	// completion is how the writer shows that a file is complete. Renamed (the default) expects that it is
	// written under another name and renamed, and that it does not change any more during settleTime. Marker
	// expects a second file beside it, of the same name and markerSuffix.
	// +optional
	// +kubebuilder:default=Renamed
	Completion CSVCompletion `json:"completion,omitempty"`
	// markerSuffix ends the name of the marker; the default is .done.
	// +optional
	// +kubebuilder:default=".done"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="!self.contains('/')",message="must be the end of a name, without a directory"
	MarkerSuffix string `json:"markerSuffix,omitempty"`
	// settleTime is how long a file must have had one size and time of change before it is read; the
	// default is 10s.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('1h')",message="must be between 0s and 1h"
	SettleTime *metav1.Duration `json:"settleTime,omitempty"`
	// interval between two looks at the directory; the default is 30s.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="must be between 1s and 24h"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// delimiter between two columns; the default is Comma.
	// +optional
	// +kubebuilder:default=Comma
	Delimiter CSVDelimiter `json:"delimiter,omitempty"`
	// encoding of the characters; the default is UTF8.
	// +optional
	// +kubebuilder:default=UTF8
	Encoding CSVEncoding `json:"encoding,omitempty"`
	// header names the columns of files whose first row is none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Header []string `json:"header,omitempty"`
	// maxFileBytes is the size of a file beyond which it is refused, as a whole; the default is 33554432.
	// A file is held in memory while it is read: raise the worker's memory with it.
	// +optional
	// +kubebuilder:default=33554432
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=536870912
	MaxFileBytes *int32 `json:"maxFileBytes,omitempty"`
	// quarantine is a directory that rows which could not be understood are written to, as they were and
	// with the reason, in a file for each file. They hold what the dropped files hold; without it they are
	// counted and shown only.
	// +optional
	Quarantine *ClaimDirectory `json:"quarantine,omitempty"`
}

// ClaimDirectory is a directory of the volume of a PersistentVolumeClaim.
type ClaimDirectory struct {
	// claimName is the name of a PersistentVolumeClaim in the channel's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="must be the name of a PersistentVolumeClaim: lower-case letters, digits, '-' and '.'"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^data-.+-ledger-[0-9]+$')",message="must not be the volume of a ledger"
	ClaimName string `json:"claimName,omitempty"`
	// subPath within the volume; the default is its root.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.split('/').exists(part, part == '..')",message="must be a relative path without '..'"
	SubPath string `json:"subPath,omitempty"`
}
