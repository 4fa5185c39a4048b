package csvfile

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/test/golden"
)

var friday = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)

func newType(t *testing.T) *Type {
	t.Helper()
	made, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// manifest is the channel of a file of manifests, or of the first block of a page.
func manifest(t *testing.T, path string) *v1alpha1.ComplaintChannel {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	if filepath.Ext(path) == ".md" {
		_, text, _ = strings.Cut(text, "```yaml\n")
		text, _, _ = strings.Cut(text, "```")
	}
	for document := range strings.SplitSeq(text, "---\n") {
		if strings.Contains(document, "kind: ComplaintChannel") {
			c := &v1alpha1.ComplaintChannel{}
			if err := yaml.UnmarshalStrict([]byte(document), c); err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatalf("%s has no channel", path)
	return nil
}

// drop reads a file by a channel.
func drop(t *testing.T, c *v1alpha1.ComplaintChannel, content []byte) *channeltest.Ledger {
	t.Helper()
	clock, ledger := channeltest.NewClock(friday), &channeltest.Ledger{}
	settings := channeltest.Settings(c.Spec.Source, clock, nil, nil)
	settings.FilesDir = t.TempDir()
	if c.Spec.AssumeTimeZone != "" {
		zone, err := time.LoadLocation(c.Spec.AssumeTimeZone)
		if err != nil {
			t.Fatal(err)
		}
		settings.AssumeTimeZone = zone
	}
	source, err := newType(t).Open(settings)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	if err := os.WriteFile(filepath.Join(settings.FilesDir, "export.csv"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := source.(channel.Poller).Poll(t.Context(), ledger.Cursor(), ledger); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute)
	}
	return ledger
}

// TestTheProfileOfLAPORsExports reads a sample export into the events that a person has read.
func TestTheProfileOfLAPORsExports(t *testing.T) {
	sample, err := os.ReadFile(filepath.Join("testdata", "lapor.csv"))
	if err != nil {
		t.Fatal(err)
	}
	ledger := drop(t, manifest(t, "config/samples/profiles/lapor-export.yaml"), sample)
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, e := range ledger.Events() {
		if err := encoder.Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	golden.Text(t, "lapor.events.ndjson", lines.Bytes())
	if got := ledger.Messages(); len(got) != 1 || !strings.HasPrefix(got[0], "the file export.csv, line 5: mapping.events[0].at: ") || strings.Contains(got[0], "kemarin") {
		t.Errorf("said %q", got)
	}
}

// TestTheManifestInTheDocumentationReadsItsSample: what the page shows works as it stands there.
func TestTheManifestInTheDocumentationReadsItsSample(t *testing.T) {
	page, err := os.ReadFile("../../../docs/channels/csv.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sample, _ := strings.Cut(string(page), "```csv\n")
	sample, _, _ = strings.Cut(sample, "```")
	ledger := drop(t, manifest(t, "docs/channels/csv.md"), []byte(sample))
	const c1 = "PNG-1/"
	want := []string{c1 + "Answered/2026-11-03T03:00:00Z", c1 + "Received/2026-11-02T02:00:00Z", c1 + "StatusChanged/Selesai"}
	if diff := cmp.Diff(want, ledger.IDs()); diff != "" || len(ledger.Messages()) > 0 || ledger.Skipped() != 1 {
		t.Errorf("skipped %d, said %q, %s", ledger.Skipped(), ledger.Messages(), diff)
	}
}

func TestRowsThatCannotBeMapped(t *testing.T) {
	c := &v1alpha1.ComplaintChannel{}
	c.Spec.Source.CSV = &v1alpha1.CSVSource{Mapping: v1alpha1.EventMapping{
		CaseID: "item.id", Events: []v1alpha1.EventRule{{Kind: "Received", At: "item.at", Text: "item.text"}},
	}}
	ledger := drop(t, c, []byte("id,at\n1,2026-11-02T08:00:00Z\n"))
	want := map[ledgerapi.Reason]int{ledgerapi.ReasonMappingFailed: 1}
	if diff := cmp.Diff(want, ledger.Problems()); diff != "" {
		t.Errorf("%q %s", ledger.Messages(), diff)
	}
	ledger = drop(t, c, []byte("id,at,text\n1,2026-11-02T08:00:00,x\n"))
	if got := ledger.Messages(); !slices.Equal(got, []string{"the file export.csv, line 2: mapping.events[0].at: time without offset: set assumeTimeZone"}) {
		t.Errorf("said %q", got)
	}
}

func TestFaultsOfASpecificationNameTheirField(t *testing.T) {
	spec := &v1alpha1.CSVSource{Mapping: v1alpha1.EventMapping{
		CaseID: "payload.id", Events: []v1alpha1.EventRule{{Kind: "Received", At: "item.at"}},
	}}
	faults := field.All(newType(t).Validate(spec))
	if len(faults) != 1 || faults[0].Error() != `mapping.caseID: line 1, column 1: there is no variable or function "payload"; the variables are item, row` {
		t.Errorf("got %v", faults)
	}
}
