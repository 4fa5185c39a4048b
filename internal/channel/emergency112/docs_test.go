package emergency112

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
)

// page is the documentation of this type.
func page(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../../docs/channels/emergency112.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// block is the first block of a language after a heading.
func block(t *testing.T, heading, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(page(t), "\n## "+heading+"\n")
	_, rest, opened := strings.Cut(rest, "```"+language+"\n")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !opened || !closed {
		t.Fatalf("the page has no %q below %q", language, heading)
	}
	return text
}

func manifest(t *testing.T, heading string) *v1alpha1.ComplaintChannel {
	t.Helper()
	_, text, _ := strings.Cut(block(t, heading, "yaml"), "---\n")
	c := &v1alpha1.ComplaintChannel{}
	if err := yaml.UnmarshalStrict([]byte(text), c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTheManifestsInTheDocumentationTakeTheirSamples: what the page shows works as it stands there.
func TestTheManifestsInTheDocumentationTakeTheirSamples(t *testing.T) {
	t.Run("deliveries", func(t *testing.T) {
		c := manifest(t, "Signed deliveries")
		r := newRig(t, func(s *v1alpha1.Emergency112Source) {
			*s = *c.Spec.Source.Emergency112
			s.Arrival.Webhook.StandardWebhooks.SecretRefs[0] = v1alpha1.SecretKeyReference{Name: "112", Key: "secret"}
		})
		if answer := r.post(block(t, "Signed deliveries", "json")); answer.Code != http.StatusNoContent {
			t.Fatalf("got %d %s", answer.Code, answer.Body)
		}
		const c1 = "112-2026-000045/"
		want := []string{c1 + "Acknowledged/2026-11-02T03:00:20Z", c1 + "Answered/2026-11-02T03:02:00Z", c1 + "Assigned/2026-11-02T03:02:00Z", c1 + "Received/2026-11-02T03:00:00Z"}
		if diff := cmp.Diff(want, r.ledger.IDs()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("files", func(t *testing.T) {
		c := manifest(t, "CSV files")
		clock, ledger := channeltest.NewClock(monday.Add(4*time.Hour)), &channeltest.Ledger{}
		settings := channeltest.Settings(c.Spec.Source, clock, nil, nil)
		settings.FilesDir, settings.QuarantineDir = t.TempDir(), t.TempDir()
		zone, err := time.LoadLocation(c.Spec.AssumeTimeZone)
		if err != nil {
			t.Fatal(err)
		}
		settings.AssumeTimeZone = zone
		source, err := Type{}.Open(settings)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = source.Close() }()
		content, err := charmap.Windows1252.NewEncoder().String(block(t, "CSV files", "csv"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(settings.FilesDir, "cad-20261102.csv"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := source.(channel.Poller).Poll(t.Context(), ledger.Cursor(), ledger); err != nil {
				t.Fatal(err)
			}
			clock.Advance(10 * time.Second)
		}
		const c1 = "112-0001/"
		want := []string{c1 + "Acknowledged/2026-11-02T01:00:05Z", c1 + "Answered/2026-11-02T02:10:00Z", c1 + "Received/2026-11-02T01:00:00Z", c1 + "StatusChanged/2026-11-02T02:10:00Z/Resolved"}
		if diff := cmp.Diff(want, ledger.IDs()); diff != "" || ledger.Skipped() != 1 || len(ledger.Messages()) > 0 {
			t.Errorf("skipped %d, said %q, %s", ledger.Skipped(), ledger.Messages(), diff)
		}
	})
}

// TestTheViewInTheDocumentationIsRead: its manifest reads a view of the default names.
func TestTheViewInTheDocumentationIsRead(t *testing.T) {
	c := newCalls(t, `CREATE SCHEMA report;
		CREATE VIEW report.incidents AS SELECT '1'::text AS incident_id, 'normal' AS call_type, '2026-11-02 08:50+07'::timestamptz AS received_at, now() AS updated_at;
		GRANT USAGE ON SCHEMA report TO viewer; GRANT SELECT ON report.incidents TO viewer`)
	c.spec = manifest(t, "A view of the database").Spec.Source.Emergency112.Arrival.PostgreSQL
	c.spec.URLSecretRef = v1alpha1.SecretKeyReference{Name: "cad", Key: "url"}
	c.mustPoll()
	if diff := cmp.Diff([]string{"1/Received/2026-11-02T01:50:00Z"}, c.ledger.IDs()); diff != "" {
		t.Error(diff)
	}
}

// TestTheDocumentationNamesEveryColumn: the page lists the default names as they are.
func TestTheDocumentationNamesEveryColumn(t *testing.T) {
	for _, column := range standardColumns() {
		if !strings.Contains(page(t), "`"+column.standard+"`") {
			t.Errorf("the page does not name %q", column.standard)
		}
	}
}
