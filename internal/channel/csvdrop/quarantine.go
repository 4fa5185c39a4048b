package csvdrop

import (
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// rejected is a row that could not be understood.
type rejected struct {
	line   int
	reason string
	fields []string
}

// quarantine writes the rows that could not be understood to a file of their own, in one step. If that
// fails they are counted all the same, and the others are read: complaints do not wait for a full disk.
func (r *reading) quarantine() {
	if r.config.Quarantine == "" || len(r.rejected) == 0 {
		return
	}
	if err := r.write(); err != nil {
		r.config.Logger.Warn("Could not write rows to the quarantine", "rows", len(r.rejected))
		r.problems = append(r.problems, problem{reason: ledgerapi.ReasonInternal, message: "the rows that were not understood could not be written to files.quarantine"})
	}
}

func (r *reading) write() (err error) {
	root, err := os.OpenRoot(r.config.Quarantine)
	if err != nil {
		return fmt.Errorf("opening the quarantine: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	name := r.file.name + "." + hex.EncodeToString(r.file.content[:4]) + ".rejected.csv"
	// A name that begins with a dot is read by nobody, should both directories be one.
	temporary := "." + name
	// What citizens said is for those who may read the directory's other files, and not for everybody on the volume.
	f, err := root.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("creating a file in the quarantine: %w", err)
	}
	w := csv.NewWriter(f)
	w.Comma = r.comma
	w.Write(append([]string{"rejected_line", "rejected_reason"}, r.header...)) //nolint:errcheck // Flush tells
	for _, row := range r.rejected {
		w.Write(append([]string{strconv.Itoa(row.line), row.reason}, row.fields...)) //nolint:errcheck // Flush tells
	}
	w.Flush()
	if err := errors.Join(w.Error(), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing to the quarantine: %w", err)
	}
	if err := root.Rename(temporary, name); err != nil {
		return fmt.Errorf("naming a file in the quarantine: %w", err)
	}
	return nil
}
