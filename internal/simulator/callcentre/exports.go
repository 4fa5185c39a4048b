package callcentre

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Exports writes incidents as CSV files into a directory, as systems do that know no other way: each file
// gets its name when it is complete.
type Exports struct {
	Directory string

	mu     sync.Mutex
	serial int
}

// Columns of an export; none of a vendor, as no schema of one is public.
func Columns() []string {
	return []string{
		"incident_id", "call_type", "category", "received_at", "verified_at", "dispatched_at", "disposed_at", "disposition", "closed_at",
		"caller_phone", "lat", "lon", "description",
	}
}

// Write exports incidents as they are at the instant, into a file of their own.
func (e *Exports) Write(at time.Time, incidents ...Incident) error {
	e.mu.Lock()
	e.serial++
	name := fmt.Sprintf("cad-%s-%06d.csv", at.UTC().Format("20060102T150405"), e.serial)
	e.mu.Unlock()
	temporary := filepath.Join(e.Directory, "."+name+".part")
	f, err := os.Create(temporary)
	if err != nil {
		return fmt.Errorf("exporting incidents: %w", err)
	}
	w := csv.NewWriter(f)
	_ = w.Write(Columns()) // Flush tells
	for i := range incidents {
		_ = w.Write(incidents[i].row()) // Flush tells
	}
	w.Flush()
	if err := w.Error(); err != nil {
		_ = f.Close()
		return fmt.Errorf("exporting incidents: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("exporting incidents: %w", err)
	}
	if err := os.Rename(temporary, filepath.Join(e.Directory, name)); err != nil {
		return fmt.Errorf("exporting incidents: %w", err)
	}
	return nil
}

func (i *Incident) row() []string {
	instant := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format(time.RFC3339Nano)
	}
	phone, lat, lon := "", "", ""
	if i.Caller != nil {
		phone = i.Caller.Phone
	}
	if i.Location != nil {
		lat, lon = strconv.FormatFloat(i.Location.Latitude, 'f', -1, 64), strconv.FormatFloat(i.Location.Longitude, 'f', -1, 64)
	}
	return []string{
		i.ID, i.CallType, i.Category, instant(&i.ReceivedAt), instant(i.VerifiedAt), instant(i.DispatchedAt), instant(i.DisposedAt), i.Disposition,
		instant(i.ClosedAt), phone, lat, lon, i.Description,
	}
}
