package emergency112

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/tlstest"
	"github.com/tanggap/tanggap/test/postgres"
)

var server *postgres.Server

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	var err error
	if server, err = postgres.Start(context.Background(), postgres.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// viewer may SELECT from the view and nothing else.
const viewer = "viewer"

// calls is the database of a call centre, and a source that reads its view.
type calls struct {
	t      *testing.T
	name   string
	spec   *v1alpha1.Emergency112PostgreSQL
	clock  *channeltest.Clock
	ledger *channeltest.Ledger
	zone   *time.Location
	url    string
}

// schema is a table whose times have a zone, with a name that must be quoted, and the view of it.
const schema = `
CREATE TABLE tickets (no bigint PRIMARY KEY, jenis text, masuk timestamptz, hasil text, selesai timestamptz, lat numeric, lon double precision, ubah timestamptz);
CREATE INDEX ON tickets (ubah, no);
CREATE VIEW incidents AS SELECT no AS "No Tiket", jenis AS call_type, masuk AS received_at, hasil AS disposition, selesai AS closed_at,
	lat, lon, ubah AS updated_at FROM tickets;
GRANT SELECT ON incidents TO viewer;`

func newCalls(t *testing.T, schema string) *calls {
	t.Helper()
	name, err := server.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &calls{
		t: t, name: name, clock: channeltest.NewClock(monday), ledger: &channeltest.Ledger{}, url: server.URLAs(viewer, name),
		spec: &v1alpha1.Emergency112PostgreSQL{
			URLSecretRef: v1alpha1.SecretKeyReference{Name: "cad", Key: "url"}, View: "incidents",
			Columns: &v1alpha1.Emergency112Columns{IncidentID: "No Tiket"},
		},
	}
	c.run(`DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'viewer') THEN CREATE ROLE viewer LOGIN PASSWORD 'loopback'; END IF; END $$`)
	c.run(schema)
	return c
}

func (c *calls) run(statements ...string) {
	c.t.Helper()
	if err := server.Execute(c.t.Context(), c.name, statements...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *calls) source() channel.Poller {
	c.t.Helper()
	spec := &v1alpha1.Emergency112Source{Arrival: v1alpha1.Emergency112Arrival{Type: v1alpha1.ArrivalPostgreSQL, PostgreSQL: c.spec}}
	settings := channeltest.Settings(v1alpha1.ChannelSource{Emergency112: spec}, c.clock, nil, map[string]string{"cad/url": c.url})
	settings.AssumeTimeZone = c.zone
	source, err := Type{}.Open(settings)
	if err != nil {
		c.t.Fatal(err)
	}
	return source.(channel.Poller)
}

func (c *calls) poll() error {
	return c.source().Poll(c.t.Context(), c.ledger.Cursor(), c.ledger)
}

func (c *calls) mustPoll() {
	c.t.Helper()
	if err := c.poll(); err != nil {
		c.t.Fatal(err)
	}
}

func TestAViewIsReadAsItChanges(t *testing.T) {
	c := newCalls(t, schema)
	c.run(`INSERT INTO tickets VALUES
		(1, 'Normal', '2026-11-02 08:50+07', NULL, NULL, -6.4025, 106.7942, '2026-11-02 08:50+07'),
		(2, 'Prank', '2026-11-02 08:51+07', NULL, '2026-11-02 08:52+07', NULL, NULL, '2026-11-02 08:52+07'),
		(3, 'Normal', '2026-08-02 08:50+07', NULL, NULL, NULL, NULL, '2026-08-02 08:50+07'),
		(4, 'Normal', '2026-11-02 08:50+07', NULL, NULL, NULL, NULL, NULL)`)
	c.mustPoll()
	if diff := cmp.Diff([]string{"1/Received/2026-11-02T01:50:00Z"}, c.ledger.IDs()); diff != "" || c.ledger.Skipped() != 1 {
		t.Fatalf("skipped %d, %s", c.ledger.Skipped(), diff)
	}
	if l := c.ledger.Events()[0].Location; l == nil || l.Latitude != -6.4025 || l.Longitude != 106.7942 {
		t.Errorf("the incident is at %v", l)
	}
	if !c.ledger.Through().Equal(monday) {
		t.Errorf("read through %s", c.ledger.Through())
	}
	c.clock.Advance(time.Minute)
	c.run(`UPDATE tickets SET hasil = 'Selesai', selesai = '2026-11-02 09:00+07', ubah = '2026-11-02 09:00+07' WHERE no = 1`,
		// Committed late: its time lies before what was read.
		`INSERT INTO tickets VALUES (5, 'normal', '2026-11-02 08:49+07', NULL, NULL, NULL, NULL, '2026-11-02 08:49+07')`)
	c.mustPoll()
	c.mustPoll()
	want := []string{"1/Answered/2026-11-02T02:00:00Z", "1/Received/2026-11-02T01:50:00Z", "1/StatusChanged/2026-11-02T02:00:00Z/Resolved", "5/Received/2026-11-02T01:49:00Z"}
	if diff := cmp.Diff(want, c.ledger.IDs()); diff != "" || c.ledger.Skipped() != 1 || len(c.ledger.Messages()) > 0 {
		t.Errorf("skipped %d, said %q, %s", c.ledger.Skipped(), c.ledger.Messages(), diff)
	}
}

// TestPagesOfOneInstant: many rows that changed at once are read page by page, and a poll that is cut off goes
// on where it was.
func TestPagesOfOneInstant(t *testing.T) {
	c := newCalls(t, schema)
	c.run(fmt.Sprintf(`INSERT INTO tickets SELECT n, 'normal', '2026-11-02 08:50+07', NULL, NULL, NULL, NULL, '2026-11-02 08:50+07' FROM generate_series(1, %d) n`, 2*pageRows+10))
	c.ledger.Fault = func(n int) (before, after error) {
		if n == 2 {
			return channeltest.Away(), nil
		}
		return nil, nil
	}
	if err := c.poll(); err == nil || len(c.ledger.Events()) != pageRows {
		t.Fatalf("got %v after %d events", err, len(c.ledger.Events()))
	}
	c.ledger.Fault = nil
	before := c.ledger.Appends()
	c.mustPoll()
	if got := len(c.ledger.Events()); got != 2*pageRows+10 || c.ledger.Appends()-before != 2 {
		t.Errorf("got %d events in %d appends", got, c.ledger.Appends()-before)
	}
}

// TestTimesWithoutAZone are taken in the channel's, and refused without one.
func TestTimesWithoutAZone(t *testing.T) {
	c := newCalls(t, strings.ReplaceAll(schema, "timestamptz", "timestamp"))
	c.run(`INSERT INTO tickets VALUES (1, 'normal', '2026-11-02 08:50', NULL, NULL, NULL, NULL, '2026-11-02 08:50')`)
	c.mustPoll()
	if got := c.ledger.Messages(); len(c.ledger.Events()) != 0 || !slices.Equal(got, []string{"columns.receivedAt is a time without offset: set assumeTimeZone"}) {
		t.Errorf("got %d events and %q", len(c.ledger.Events()), got)
	}
	jakarta, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	c.zone = jakarta // the plan is another one, and begins anew
	for range 2 {
		c.mustPoll()
	}
	if diff := cmp.Diff([]string{"1/Received/2026-11-02T01:50:00Z"}, c.ledger.IDs()); diff != "" {
		t.Error(diff)
	}
}

// TestARowThatIsDatedAheadHidesNoOther: a typing error in one row's time of change must not keep the changes of
// the others from being read until that time has come.
func TestARowThatIsDatedAheadHidesNoOther(t *testing.T) {
	jakarta, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	for name, ahead := range map[string]string{
		"by minutes": "2026-11-02 09:20", "by years": "2062-11-02 08:50", "further than JSON can say": "20262-11-02 08:50", "for ever": "infinity",
	} {
		for kind, zone := range map[string]*time.Location{"timestamptz": nil, "timestamp": jakarta} {
			t.Run(name+" in a "+kind, func(t *testing.T) {
				c := newCalls(t, strings.ReplaceAll(schema, "timestamptz", kind))
				c.zone = zone
				insert := func(no int, callType, changed string) {
					c.run(`SET timezone = 'Asia/Jakarta'`, fmt.Sprintf(
						`INSERT INTO tickets VALUES (%d, '%s', '2026-11-02 08:50', NULL, NULL, NULL, NULL, '%s')`, no, callType, changed))
				}
				insert(1, "normal", ahead)
				insert(2, "prank", ahead)
				insert(3, "normal", "2026-11-02 08:50")
				c.mustPoll()
				c.clock.Advance(11 * time.Minute)
				insert(4, "normal", "2026-11-02 09:05")
				c.mustPoll()
				want := []string{"1/Received/2026-11-02T01:50:00Z", "3/Received/2026-11-02T01:50:00Z", "4/Received/2026-11-02T01:50:00Z"}
				if diff := cmp.Diff(want, c.ledger.IDs()); diff != "" {
					t.Error(diff)
				}
				if got := c.ledger.Messages(); c.ledger.Skipped() != 0 || !slices.Equal(slices.Compact(got), []string{"a row's updatedAt lies in the future"}) {
					t.Errorf("skipped %d and said %q", c.ledger.Skipped(), got)
				}
			})
		}
	}
}

// TestARowCountsWhenItsTimeHasCome, and once.
func TestARowCountsWhenItsTimeHasCome(t *testing.T) {
	c := newCalls(t, schema)
	c.run(`INSERT INTO tickets VALUES (1, 'prank', '2026-11-02 08:50+07', NULL, NULL, NULL, NULL, '2026-11-02 09:02+07')`)
	for poll, want := range []int{0, 1, 1} {
		if c.mustPoll(); c.ledger.Skipped() != want || len(c.ledger.Messages()) > 0 {
			t.Errorf("poll %d: skipped %d, want %d, and said %q", poll, c.ledger.Skipped(), want, c.ledger.Messages())
		}
		c.clock.Advance(3 * time.Minute)
	}
}

// TestACursorInTheFutureIsLeft, where an earlier version let a row take it.
func TestACursorInTheFutureIsLeft(t *testing.T) {
	c := newCalls(t, schema)
	c.run(`INSERT INTO tickets VALUES (1, 'normal', '2026-11-02 08:50+07', NULL, NULL, NULL, NULL, '2026-11-02 08:50+07')`)
	c.mustPoll()
	var at place
	if err := json.Unmarshal(c.ledger.Cursor(), &at); err != nil {
		t.Fatal(err)
	}
	at.Newest = at.Newest.AddDate(36, 0, 0)
	c.run(`INSERT INTO tickets VALUES (2, 'normal', '2026-11-02 08:51+07', NULL, NULL, NULL, NULL, '2026-11-02 08:51+07')`)
	if err := c.source().Poll(t.Context(), channel.EncodeCursor(at), c.ledger); err != nil || len(c.ledger.Events()) != 2 {
		t.Errorf("got %d events (%v)", len(c.ledger.Events()), err)
	}
}

// TestNothingIsWrittenWhateverTheNamesSay: what a specification names is a name, and a transaction can only
// read, even as a user who may write.
func TestNothingIsWrittenWhateverTheNamesSay(t *testing.T) {
	c := newCalls(t, schema)
	c.url = server.URL(c.name)
	c.run(`INSERT INTO tickets VALUES (1, 'normal', '2026-11-02 08:50+07', NULL, NULL, NULL, NULL, '2026-11-02 08:50+07')`,
		`CREATE FUNCTION mark() RETURNS text LANGUAGE sql AS $$ UPDATE tickets SET jenis = 'prank' RETURNING jenis $$`,
		`CREATE VIEW marking AS SELECT no AS "No Tiket", mark() AS call_type, masuk AS received_at, ubah AS updated_at FROM tickets`)
	c.spec.View = "marking"
	var failure *channel.Error
	if err := c.poll(); !errors.As(err, &failure) || failure.Reason != ledgerapi.ReasonInvalidResponse || !strings.Contains(failure.Message, "25006") {
		t.Errorf("got %v", err)
	}
	c.spec.View, c.spec.UpdatedAt = "incidents", `updated_at" > now(); UPDATE tickets SET jenis = 'prank'; --`
	if err := c.poll(); !errors.As(err, &failure) || failure.Reason != ledgerapi.ReasonInvalidResponse {
		t.Errorf("got %v", err)
	}
	c.spec.UpdatedAt = ""
	c.mustPoll()
	if len(c.ledger.Events()) != 1 {
		t.Error("the incident is none any more")
	}
}

func TestDatabasesThatCannotBeRead(t *testing.T) {
	second := metav1.Duration{Duration: time.Second}
	tests := map[string]struct {
		change func(*calls)
		reason ledgerapi.Reason
		said   string
	}{
		"no server":     {func(c *calls) { c.url = "postgres://viewer:x@127.0.0.1:1/x?sslmode=disable" }, ledgerapi.ReasonUnreachable, "the database cannot be reached, or its certificate is not trusted"},
		"no database":   {func(c *calls) { c.url = server.URLAs(viewer, "nowhere") }, ledgerapi.ReasonNotFound, "there is no database of this name (3D000)"},
		"no such user":  {func(c *calls) { c.url = server.URLAs("nobody", c.name) }, ledgerapi.ReasonUnauthorized, "the database refused the user or the password (28000)"},
		"no view":       {func(c *calls) { c.spec.View = "calls" }, ledgerapi.ReasonNotFound, "there is no view of this name; check view, with its schema (42P01)"},
		"no right":      {func(c *calls) { c.spec.View = "tickets" }, ledgerapi.ReasonUnauthorized, "the user may not SELECT from the view (42501)"},
		"no column":     {func(c *calls) { c.spec.Columns.Category = "kategori" }, ledgerapi.ReasonInvalidResponse, `the view lacks something: columns.category: there is no column "kategori"`},
		"no such order": {func(c *calls) { c.spec.UpdatedAt = "changed" }, ledgerapi.ReasonInvalidResponse, "the view lacks the column updatedAt (42703)"},
		"a view that takes for ever": {func(c *calls) {
			c.run(`CREATE VIEW slow AS SELECT incidents.* FROM incidents, pg_sleep(60)`, `GRANT SELECT ON slow TO viewer`,
				`INSERT INTO tickets VALUES (1, 'normal', '2026-11-02 08:50+07', NULL, NULL, NULL, NULL, '2026-11-02 08:50+07')`)
			c.spec.View, c.spec.Timeout = "public.slow", &second
		}, ledgerapi.ReasonTimeout, "the database ended the statement after postgresql.timeout; is there an index on updatedAt and incidentID? (57014)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCalls(t, schema)
			tt.change(c)
			var failure *channel.Error
			if err := c.poll(); !errors.As(err, &failure) || failure.Reason != tt.reason || failure.Message != tt.said {
				t.Errorf("got %v", err)
			}
			if through := c.ledger.Through(); !through.IsZero() {
				t.Errorf("it counts as read through %s", through)
			}
		})
	}
}

// TestURLsAreNotRepeated: neither a URL that cannot be read nor one that leads nowhere is shown.
func TestURLsAreNotRepeated(t *testing.T) {
	spec := &v1alpha1.Emergency112Source{Arrival: v1alpha1.Emergency112Arrival{Type: v1alpha1.ArrivalPostgreSQL, PostgreSQL: &v1alpha1.Emergency112PostgreSQL{
		URLSecretRef: v1alpha1.SecretKeyReference{Name: "cad", Key: "url"}, View: "incidents",
	}}}
	for _, url := range []string{
		"postgres://u:rahasia@h:port/x", "mysql://u:rahasia@h/x?x=%zz", "host=h password=rahasia sslmode=maybe", "postgres://u:rahasia@h/x?sslmode=prefer",
		"postgres://u:rahasia@h/x?sslmode=maybe",
	} {
		settings := channeltest.Settings(v1alpha1.ChannelSource{Emergency112: spec}, channeltest.NewClock(monday), nil, map[string]string{"cad/url": url})
		_, err := Type{}.Open(settings)
		var failure *channel.Error
		if !errors.As(err, &failure) || failure.Reason != ledgerapi.ReasonCredentialMissing || strings.Contains(err.Error(), "rahasia") {
			t.Errorf("got %v", err)
		}
	}
}

func TestASavedPlaceOfAnotherSpecificationIsLeft(t *testing.T) {
	d := &database{fingerprint: "b", logger: slog.New(slog.DiscardHandler)}
	saved, err := json.Marshal(place{Plan: "a", Newest: monday})
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []json.RawMessage{nil, json.RawMessage(`{`), saved} {
		if got := d.restore(raw, monday); !got.Newest.IsZero() || got.Plan != "b" {
			t.Errorf("%s: got %+v", raw, got)
		}
	}
}

// TestTheServersCertificateIsVerified by the authority that the specification names, and nothing is sent
// without TLS then, whatever the URL says.
func TestTheServersCertificateIsVerified(t *testing.T) {
	authority := tlstest.New(t)
	dir := t.TempDir()
	certificate, key := authority.Issue(t, dir, "server")
	secured, err := postgres.Start(t.Context(), postgres.Options{CertFile: certificate, KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := secured.Close(); err != nil {
			t.Error(err)
		}
	})
	for statement := range strings.SplitSeq(strings.Replace(schema, "GRANT SELECT ON incidents TO viewer;", "", 1), ";\n") {
		if err := secured.Execute(t.Context(), "postgres", statement); err != nil {
			t.Fatal(err)
		}
	}
	spec := &v1alpha1.Emergency112PostgreSQL{
		URLSecretRef: v1alpha1.SecretKeyReference{Name: "cad", Key: "url"}, View: "incidents", Columns: &v1alpha1.Emergency112Columns{IncidentID: "No Tiket"},
	}
	secrets := map[string]string{"cad/right": string(authority.PEM), "cad/wrong": string(tlstest.New(t).PEM)}
	for name, tt := range map[string]struct {
		query, ca string
		reason    ledgerapi.Reason
	}{
		"by the right authority":                    {"sslmode=verify-full", "right", ""},
		"by the right one, whatever the URL says":   {"sslmode=disable", "right", ""},
		"by another authority":                      {"sslmode=require", "wrong", ledgerapi.ReasonUnreachable},
		"by those of the system, which know it not": {"sslmode=verify-full", "", ledgerapi.ReasonUnreachable},
		"also where the URL says nothing":           {"", "", ledgerapi.ReasonUnreachable},
	} {
		spec.CASecretRef = nil
		if tt.ca != "" {
			spec.CASecretRef = &v1alpha1.SecretKeyReference{Name: "cad", Key: tt.ca}
		}
		secrets["cad/url"] = fmt.Sprintf("postgres://postgres:%s@%s/postgres?%s", secured.Password(), secured.Address(), tt.query)
		source, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Emergency112: &v1alpha1.Emergency112Source{
			Arrival: v1alpha1.Emergency112Arrival{Type: v1alpha1.ArrivalPostgreSQL, PostgreSQL: spec}}}, channeltest.NewClock(monday), nil, secrets))
		if err != nil {
			t.Fatal(err)
		}
		err = source.(channel.Poller).Poll(t.Context(), nil, &channeltest.Ledger{})
		var failure *channel.Error
		if tt.reason == "" && err != nil || tt.reason != "" && (!errors.As(err, &failure) || failure.Reason != tt.reason) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
