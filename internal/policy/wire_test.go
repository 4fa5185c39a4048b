package policy_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
	"github.com/tanggap/tanggap/test/golden"
)

// everything is a document with every member set.
func everything() policy.Document {
	hours := []calendar.WeeklyHours{{Days: []string{"Monday"}, Hours: []calendar.Interval{{Start: "08:00", End: "16:00"}}}}
	from := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	return policy.Document{
		Channels: map[string]policy.Channel{"dsw": {
			Type: "rest", Official: true, Writer: "system:serviceaccount:depok:dsw-worker", SLA: "city", Calendar: "office", Taxonomy: "words",
			Suspended: true, Replies: true,
		}},
		SLAs: map[string]sla.Spec{"city": {
			CalendarRef: &sla.Reference{Name: "office"}, AnsweredBy: []string{"official"},
			Acknowledgement: &sla.Acknowledgement{Match: `event.text.contains("terima kasih")`},
			Objective:       &sla.Objective{Ratio: "0.9", Window: "720h"}, EnforceFrom: &from,
			Rules: []sla.Rule{{Name: "floods", Match: `complaint.category == "flood"`, Clocks: []sla.Clock{
				{
					Name: "answer", Measures: "FirstAnswer", StartsOn: "Assigned", Target: sla.Target{WorkingDays: 3, DayOne: "SameDay", DueAt: "EndOfDay"},
					PauseWhile: []string{"AwaitingCitizen"}, WarnBefore: "25%", ResolvedCountsAsAnswer: new(false),
				},
				{Name: "thanks", Measures: "Acknowledgement", Target: sla.Target{Within: "15m"}},
				{Name: "end", Measures: "TotalResolution", Target: sla.Target{WorkingTime: "8h"}},
			}}},
		}},
		Calendars: map[string]calendar.Spec{"office": {
			TimeZone: "Asia/Jakarta", Weekly: hours, CoversUntil: "2026-12-31",
			Seasons:     []calendar.Season{{Name: "Ramadan", From: "2026-02-18", To: "2026-03-19", Weekly: hours}},
			Holidays:    []calendar.Holiday{{Date: "2026-08-17", Name: "Independence Day"}},
			SpecialDays: []calendar.SpecialDay{{Date: "2026-12-24", Name: "Christmas Eve", Hours: hours[0].Hours}},
		}},
		Taxonomies: map[string]taxonomy.Spec{"words": {
			Categories: []taxonomy.Category{{
				Name: "flood", DisplayName: "Banjir", Department: "water", Priority: "high", Keywords: []string{"banjir"},
				Match: `complaint.text.contains("air")`, SourceValues: []string{"Banjir"},
			}},
			Departments: []taxonomy.Department{{Name: "water", DisplayName: "Dinas PUPR", SourceValues: []string{"PUPR"}}},
			Priorities:  []taxonomy.Priority{{Name: "high", Keywords: []string{"darurat"}, Match: `complaint.text.contains("mendesak")`, SourceValues: []string{"1"}}},
			Fallback:    taxonomy.Fallback{Category: "flood", Department: "water", Priority: "high"},
		}},
		Retention: policy.Retention{Content: "720h", Handles: "24h", Idle: "8784h", StoreHandles: true},
		Linking:   policy.Linking{Window: "48h"},
	}.Seal()
}

// TestAPolicyOfTheVersionBeforeIsTaken: an operator hands a document over with its digest, and a ledger keeps it. A
// member that was renamed is refused by a peer, and one that is new must be left out while it is not set, or the
// digest of a document without it is another in each version.
func TestAPolicyOfTheVersionBeforeIsTaken(t *testing.T) {
	written, err := json.MarshalIndent(everything(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Text(t, "document.json", append(written, '\n'))
	if missing := golden.Unset(everything()); len(missing) > 0 {
		t.Errorf("%v are not set, so that nothing is said of them", missing)
	}
	var read policy.Document
	decoder := json.NewDecoder(bytes.NewReader(golden.Read(t, "document.json")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(everything(), read); diff != "" {
		t.Errorf("It is read as (-want +got):\n%s", diff)
	}
	if _, err := policy.Compile(read); err != nil {
		t.Errorf("It does not compile: %v", err)
	}
}
