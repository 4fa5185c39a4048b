package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/callcentre"
	"github.com/tanggap/tanggap/test/site"
)

// centre is a 112 call centre, whose incidents leave it in files and by a view.
type centre struct {
	t        *testing.T
	exports  *callcentre.Exports
	database *site.Database
	url      string
}

// The centre's database has a reader who may see the view and nothing else.
const (
	centreDatabase = "cad"
	centreReader   = "tanggap"
)

func newCentre(t *testing.T) *centre {
	t.Helper()
	database, err := site.StartDatabase(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := database.Close(); err != nil {
			t.Errorf("stopping the centre's database: %v", err)
		}
	})
	c := &centre{t: t, database: database}
	if err := database.Execute(t.Context(), "postgres", "CREATE DATABASE "+centreDatabase); err != nil {
		t.Fatal(err)
	}
	c.run(
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", centreReader, database.Password()),
		"CREATE TABLE tickets (no text PRIMARY KEY, type text, caller text, said text, opened timestamptz, result text, done timestamptz, changed timestamptz DEFAULT clock_timestamp())",
		"CREATE SCHEMA report",
		`CREATE VIEW report.incidents AS SELECT no AS ticket_no, type AS call_type, opened AS received_at, result AS disposition, done AS disposed_at,
			said AS description, caller AS caller_phone, changed AS updated_at FROM tickets`,
		fmt.Sprintf("GRANT USAGE ON SCHEMA report TO %[1]s; GRANT SELECT ON report.incidents TO %[1]s", centreReader),
	)
	c.url = fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=verify-full", centreReader, database.Password(), database.Address(), centreDatabase)
	return c
}

func (c *centre) run(statements ...string) {
	c.t.Helper()
	if err := c.database.Execute(c.t.Context(), centreDatabase, statements...); err != nil {
		c.t.Fatal(err)
	}
}

// authority is the certificate to trust.
func (c *centre) authority() string {
	c.t.Helper()
	text, err := os.ReadFile(c.database.Options(centreDatabase, c.database.Address()).CAFile)
	if err != nil {
		c.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

// ticket is an incident that was taken a while ago, and answered unless the disposition is "".
func ticket(n int, callType, disposition string) callcentre.Incident {
	i := callcentre.Incident{
		ID: fmt.Sprintf("112-%04d", n), CallType: callType, Description: "Pohon tumbang menutup jalan", ReceivedAt: time.Now().Add(-time.Hour).UTC(),
		Caller: &callcentre.Caller{Phone: fmt.Sprintf("+62 000 0000 %04d", n)}, Disposition: disposition,
	}
	if disposition != "" {
		i.DisposedAt = new(time.Now().Add(-time.Minute).UTC())
	}
	return i
}

// tell has the centre tell of incidents in both ways.
func (c *centre) tell(incidents ...callcentre.Incident) {
	c.t.Helper()
	if err := c.exports.Write(time.Now(), incidents...); err != nil {
		c.t.Fatal(err)
	}
	for _, i := range incidents {
		done := "NULL"
		if i.DisposedAt != nil {
			done = "'" + i.DisposedAt.Format(time.RFC3339Nano) + "'"
		}
		c.run(fmt.Sprintf(`INSERT INTO tickets (no, type, caller, said, opened, result, done) VALUES ('%s', '%s', '%s', '%s', '%s', NULLIF('%s', ''), %s)
			ON CONFLICT (no) DO UPDATE SET result = excluded.result, done = excluded.done, changed = clock_timestamp()`,
			i.ID, i.CallType, i.Caller.Phone, i.Description, i.ReceivedAt.Format(time.RFC3339Nano), i.Disposition, done))
	}
}

// awaitResult waits until so many of a channel's events have come to a result.
func (c *town) awaitResult(t *testing.T, channel, result string, want int) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("%d of %s are %s", want, channel, result), func(ctx context.Context) error {
		metrics, err := world.Scrape(ctx)
		if err != nil {
			return err
		}
		return differ(want, c.ingested(metrics, channel, result))
	})
}

// TestACallCentresFilesAndViewArrive goes the whole way of both: from the manifests by what the operator makes of them
// (volumes, credentials) to the workers, and from a file and a row to the figures.
func TestACallCentresFilesAndViewArrive(t *testing.T) {
	t.Parallel()
	c, from := newTown(t, "call-centre"), newCentre(t)
	volume := world.Node.ClaimDir(c.namespace, "cad-exports")
	for _, folder := range []string{"outgoing", "rejected"} {
		if err := os.MkdirAll(filepath.Join(volume, folder), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	from.exports = &callcentre.Exports{Directory: filepath.Join(volume, "outgoing")}
	c.apply(t, "callcentre.yaml", "url", from.url, "authority", from.authority())
	c.awaitReady(t, "exports", "view")

	from.tell(ticket(1, "normal", ""), ticket(2, "prank", ""), ticket(3, "normal", "Pohon sudah dipotong"), ticket(4, "ghost", ""))
	for _, channel := range []string{"exports", "view"} {
		c.awaitFigures(t, channel, figures{Received: 2, Answered: 1, Unanswered: 1})
		c.awaitResult(t, channel, "skipped", 2)
	}
	from.tell(ticket(1, "normal", "Petugas sudah di lokasi"), ticket(5, "normal", ""))
	for _, channel := range []string{"exports", "view"} {
		c.awaitFigures(t, channel, figures{Received: 3, Answered: 2, Unanswered: 1})
	}

	// A row that nobody understands stops no other, and is put aside where the operator has mounted the volume to be written.
	broken := "incident_id,call_type,received_at\n112-0006,normal,kemarin\n112-0007,normal," + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) + "\n"
	if err := os.WriteFile(filepath.Join(volume, "outgoing", "cad-broken.csv"), []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	c.awaitFigures(t, "exports", figures{Received: 4, Answered: 2, Unanswered: 2})
	c.awaitResult(t, "exports", "rejected", 1)
	aside, err := filepath.Glob(filepath.Join(volume, "rejected", "cad-broken.csv.*"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("put aside are %q, %v", aside, err)
	}
	if text, err := os.ReadFile(aside[0]); err != nil || !strings.Contains(string(text), "112-0006") || strings.Contains(string(text), "112-0007") {
		t.Errorf("what was put aside is %q, %v", text, err)
	}
	// The reader of the view was given nothing else.
	if err := from.database.Execute(t.Context(), centreDatabase, "SET ROLE "+centreReader, "SELECT FROM tickets"); err == nil {
		t.Error("the reader may read the table, so the test shows nothing of the view")
	}
}
