package metrics

import (
	"strings"
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

func TestTheFirstSpilloverToAnUnofficialChannelIsAnIncrease(t *testing.T) {
	ledger := city()
	ledger.Policy.Linking.Window = "672h"
	for name, source := range map[string]string{"deputy": "whatsapp", "account": "x"} {
		ledger.Policy.Channels[name] = policy.Channel{Type: source}
		ledger.Summary.Channels[name] = ledgerapi.ChannelSummary{}
	}
	text := gather(t, collector(ledger))
	for pair, want := range map[string]string{
		`{from="dsw",namespace="depok",to="mayor"}`:    "2",
		`{from="silent",namespace="depok",to="mayor"}`: "0",
		`{from="dsw",namespace="depok",to="deputy"}`:   "0",
	} {
		if !strings.Contains(text, "\n"+spillovers+pair+" "+want+"\n") {
			t.Errorf("%s is not %s", pair, want)
		}
	}
	if strings.Contains(text, `to="silent"`) || strings.Contains(text, `from="mayor"`) {
		t.Error("spill-overs that nobody looks for begin")
	}
	if strings.Contains(text, `to="account"`) {
		t.Error("there are no spill-overs to where nobody could see one")
	}
	if text := gather(t, collector(city())); strings.Contains(text, `from="silent"`) {
		t.Error("spill-overs begin where complaints are not linked")
	}
}

func TestTheFirstComplaintOfACategoryIsAnIncrease(t *testing.T) {
	ledger := city()
	dsw := ledger.Policy.Channels["dsw"]
	dsw.Taxonomy = "depok"
	ledger.Policy.Channels["dsw"] = dsw
	ledger.Policy.Taxonomies = map[string]taxonomy.Spec{"depok": {
		Categories: []taxonomy.Category{
			{Name: "flood", Department: "dpupr", Priority: "high"}, {Name: "tree", Department: "dlhk"}, {Name: "other"},
		},
		Departments: []taxonomy.Department{{Name: "dpupr"}, {Name: "dlhk"}},
		Fallback:    taxonomy.Fallback{Category: "other"},
	}}
	text := gather(t, collector(ledger))
	for _, name := range []string{complaintsReceived, complaintsAnswered} {
		for labels, want := range map[string]bool{
			`{category="tree",channel="dsw",department="dlhk",namespace="depok",priority="normal"} 0`:                   true,
			`{category="other",channel="dsw",department="unassigned",namespace="depok",priority="normal"} 0`:            true,
			`{category="uncategorized",channel="silent",department="unassigned",namespace="depok",priority="normal"} 0`: true,
			`{category="flood",channel="dsw",department="dpupr",namespace="depok",priority="high"} 0`:                   false,
		} {
			if strings.Contains(text, "\n"+name+labels+"\n") != want {
				t.Errorf("%s%s is there: %t", name, labels, !want)
			}
		}
	}
	if strings.Contains(text, complaintsUnanswered+`{category="tree"`) {
		t.Error("a gauge of complaints begins before there is one")
	}
}

func TestTheFirstBreachIsAnIncrease(t *testing.T) {
	text := gather(t, collector(city()))
	// The mayor's first complaint has no verdict yet, and increase() needs the zero before it.
	for _, outcome := range []string{"met", "breached", "cancelled"} {
		want := slaClocks + `{category="garbage",channel="mayor",clock="FirstAnswer",department="dlhk",namespace="depok",outcome="` + outcome + `",priority="normal",sla="city"} 0`
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
}
