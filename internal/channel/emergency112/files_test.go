package emergency112

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/test/golden"
)

// drop reads one file and returns the ledger that has it.
func drop(t *testing.T, content string, change func(*v1alpha1.Emergency112Source)) *channeltest.Ledger {
	t.Helper()
	dir, clock, ledger := t.TempDir(), channeltest.NewClock(monday.Add(time.Hour)), &channeltest.Ledger{}
	spec := &v1alpha1.Emergency112Source{Arrival: v1alpha1.Emergency112Arrival{Type: v1alpha1.ArrivalCSV, CSV: &v1alpha1.Emergency112CSV{}}}
	if change != nil {
		change(spec)
	}
	source := open(t, spec, clock, dir).(channel.Poller)
	if err := os.WriteFile(filepath.Join(dir, "cad.csv"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := source.Poll(t.Context(), ledger.Cursor(), ledger); err != nil {
			t.Fatal(err)
		}
		clock.Advance(10 * time.Second)
	}
	return ledger
}

// TestExports reads the sample export into the events that a person has read.
func TestExports(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "cad_drop.csv"))
	if err != nil {
		t.Fatal(err)
	}
	ledger := drop(t, string(raw), func(s *v1alpha1.Emergency112Source) {
		s.Arrival.CSV.Columns = &v1alpha1.Emergency112Columns{
			VerifiedAt: "answered_at", CallerPhone: "caller_number", Department: "dispatched_unit",
		}
	})
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, e := range ledger.Events() {
		if err := encoder.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	golden.Text(t, "cad_drop.events.ndjson", lines.Bytes())
	if problems := ledger.Problems(); len(problems) > 0 {
		t.Error(ledger.Messages())
	}
}

func TestColumns(t *testing.T) {
	jakarta, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("named in Indonesian, with times as people write them", func(t *testing.T) {
		spec := &v1alpha1.Emergency112Source{Arrival: v1alpha1.Emergency112Arrival{Type: v1alpha1.ArrivalCSV, CSV: &v1alpha1.Emergency112CSV{
			TimeLayout: "02/01/2006 15:04:05", Files: v1alpha1.CSVFiles{Delimiter: v1alpha1.CSVSemicolon},
			Columns: &v1alpha1.Emergency112Columns{IncidentID: "No Tiket", CallType: "Jenis", ReceivedAt: "Masuk", ClosedAt: "Selesai"},
		}}}
		dir, clock, ledger := t.TempDir(), channeltest.NewClock(monday.Add(time.Hour)), &channeltest.Ledger{}
		settings := channeltest.Settings(v1alpha1.ChannelSource{Emergency112: spec}, clock, nil, nil)
		settings.FilesDir, settings.AssumeTimeZone = dir, jakarta
		source, err := Type{}.Open(settings)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = source.Close() }()
		content := "No Tiket;Jenis;Masuk;Selesai\n112-1;Normal;02/11/2026 08:59:00;\n112-2;Prank;02/11/2026 08:00:00;02/11/2026 08:01:00\n112-1;Normal;02/11/2026 08:59:00;02/11/2026 09:40:00\n"
		if err := os.WriteFile(filepath.Join(dir, "x.csv"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := source.(channel.Poller).Poll(t.Context(), ledger.Cursor(), ledger); err != nil {
				t.Fatal(err)
			}
			clock.Advance(10 * time.Second)
		}
		want := []string{"Answered/2026-11-02T02:40:00Z", received, "StatusChanged/2026-11-02T02:40:00Z/Resolved"}
		if diff := cmp.Diff(want, ids(ledger)); diff != "" || ledger.Skipped() != 1 {
			t.Errorf("skipped %d, %s", ledger.Skipped(), diff)
		}
	})
	t.Run("times with the abbreviation of their zone, or the name of their month", func(t *testing.T) {
		ledger := drop(t, "incident_id,call_type,received_at\n1,normal,2 November 2026 08:59 WIB\n2,normal,2 November 2026 09:59 wita\n"+
			"3,normal,2 Nopember 2026 01:59 UTC\n4,normal,2 November 2026 08:59 CST\n", func(s *v1alpha1.Emergency112Source) {
			s.Arrival.CSV.TimeLayout = "2 January 2006 15:04 MST"
		})
		for _, e := range ledger.Events() {
			if want := monday.Add(-time.Minute); !e.OccurredAt.Equal(want) {
				t.Errorf("%s is at %s, want %s", e.CaseID, e.OccurredAt, want)
			}
		}
		if got := ledger.Messages(); len(ledger.Events()) != 3 || !slices.Equal(got, []string{"the file cad.csv, line 5: columns.receivedAt is no time of timeLayout"}) {
			t.Errorf("got %d events and %q", len(ledger.Events()), got)
		}
	})
	t.Run("one that is named must be there, and so must the first two", func(t *testing.T) {
		ledger := drop(t, "incident_id,call_type,closed_at\n1,normal,x\n", func(s *v1alpha1.Emergency112Source) {
			s.Arrival.CSV.Columns = &v1alpha1.Emergency112Columns{Category: "Kategori"}
		})
		want := []string{"the file cad.csv: has a header that lacks something: columns.receivedAt: there is no column \"received_at\"\n" +
			"columns.category: there is no column \"Kategori\""}
		if diff := cmp.Diff(want, ledger.Messages()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a type of call that is missing in one row is no reason to count it", func(t *testing.T) {
		ledger := drop(t, "incident_id,call_type,received_at\n112-1,,2026-11-02T08:59:00+07:00\n112-2,normal,2026-11-02T08:59:00+07:00\n", nil)
		if got := ledger.Messages(); len(ledger.Events()) != 1 || !slices.Equal(got, []string{"the file cad.csv, line 2: columns.callType is missing"}) {
			t.Errorf("got %d events and %q", len(ledger.Events()), got)
		}
	})
	t.Run("without a column of types every row is an incident", func(t *testing.T) {
		if ledger := drop(t, "incident_id,received_at\n112-1,2026-11-02T08:59:00+07:00\n", nil); len(ledger.Events()) != 1 {
			t.Errorf("got %q", ledger.Messages())
		}
	})
}

// TestAnyOrderOfAnIncidentsStatesIsOneCase: exports and deliveries come late, twice and out of order.
func TestAnyOrderOfAnIncidentsStatesIsOneCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reader{rules: rulesOf("112", &v1alpha1.Emergency112Source{
			AnsweredBy: rapid.SampledFrom([]v1alpha1.Emergency112Answer{"Dispatch", "Disposition", "Closing"}).Draw(t, "answeredBy"),
		}), name: memberName}
		// Each state of the incident has the steps of the ones before.
		steps := []member{verifiedAt, dispatchedAt, disposedAt, closedAt}
		var states []record
		state := record{}
		state.values[incidentID], state.values[callType], state.values[receivedAt] = "112-1", "normal", "2026-11-02T08:59:00+07:00"
		states = append(states, state)
		for i, step := range steps[:rapid.IntRange(0, len(steps)).Draw(t, "steps")] {
			state.values[step] = monday.Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
			states = append(states, state)
		}
		want := events(&r, states)
		arrived := rapid.SliceOfN(rapid.SampledFrom(states), 0, 12).Draw(t, "again")
		arrived = rapid.Permutation(append(arrived, states...)).Draw(t, "order")
		if diff := cmp.Diff(want, events(&r, arrived)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func events(r *reader, states []record) []complaint.Event {
	var all []complaint.Event
	for i := range states {
		all = append(all, r.read(&states[i]).events...)
	}
	return complaint.Sort(all)
}

// FuzzDelivery: whatever is delivered, what comes of it is valid.
func FuzzDelivery(f *testing.F) {
	f.Add([]byte(delivery("")))
	f.Add([]byte(delivery(`"closed_at":"2026-11-02T09:40:00+07:00","location":{"lat":"-6,4","lon":106}`)))
	f.Add([]byte(`{"type":"incident.created","data":{"incident_id":1e400,"call_type":["normal"]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		rec, err := decode(body)
		if err != nil {
			return
		}
		r := reader{rules: rulesOf("112", &v1alpha1.Emergency112Source{}), name: memberName}
		u := r.read(rec)
		if u.problem == nil && !u.skipped && len(u.events) == 0 {
			t.Error("nothing became of it, and nothing was said")
		}
		for i := range u.events {
			if err := u.events[i].Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
