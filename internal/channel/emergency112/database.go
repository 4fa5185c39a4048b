package emergency112

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/mapping"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Defaults of Emergency112PostgreSQL, which the API server fills in as well.
const (
	defaultUpdatedAt = "updated_at"
	defaultInterval  = 30 * time.Second
	defaultOverlap   = 10 * time.Minute
	defaultLookback  = 720 * time.Hour
	defaultTimeout   = 30 * time.Second
)

const (
	// pageRows is how many rows are asked for at once, and maxPages how often in one poll.
	pageRows = 500
	maxPages = 200
	// connectTimeout is for a connection, sign-in included.
	connectTimeout = 10 * time.Second
	// maxYear is the last that a time in JSON can have, and so a cursor.
	maxYear = 9999
)

// database is a source that is a view of a database. It implements channel.Poller.
type database struct {
	reader                               reader
	config                               *pgx.ConnConfig
	columns                              *v1alpha1.Emergency112Columns
	view                                 pgx.Identifier
	updatedAt, fingerprint               string
	interval, overlap, lookback, timeout time.Duration
	now                                  func() time.Time
	logger                               *slog.Logger
}

func openDatabase(spec *v1alpha1.Emergency112Source, read reader, settings channel.Settings) (channel.Source, error) {
	from := spec.Arrival.PostgreSQL
	read.name = columnName
	d := &database{
		reader: read, columns: from.Columns, view: strings.Split(from.View, "."), updatedAt: defaultUpdatedAt,
		interval: channel.Duration(from.Interval, defaultInterval), overlap: channel.Duration(from.Overlap, defaultOverlap),
		lookback: channel.Duration(from.Lookback, defaultLookback), timeout: channel.Duration(from.Timeout, defaultTimeout),
		now: settings.Now, logger: settings.Logger,
	}
	if from.UpdatedAt != "" {
		d.updatedAt = string(from.UpdatedAt)
	}
	meaning, err := json.Marshal([]any{spec.CountCallTypes, spec.AnsweredBy, from.View, from.Columns, from.UpdatedAt, zoneName(settings.AssumeTimeZone)})
	if err != nil {
		return nil, fmt.Errorf("encoding the specification: %w", err)
	}
	d.fingerprint = string(meaning)
	secret, err := settings.Credential(from.URLSecretRef)
	if err != nil {
		return nil, err
	}
	if d.config, err = parseURL(strings.TrimSpace(string(secret))); err != nil {
		return nil, push.Unusable(from.URLSecretRef, err.Error())
	}
	d.config.ConnectTimeout = connectTimeout
	// A statement is prepared nowhere, as a pooler may give each to another server.
	d.config.DefaultQueryExecMode = pgx.QueryExecModeExec
	if from.CASecretRef != nil {
		if err := d.trust(from.CASecretRef, settings.Credential); err != nil {
			return nil, err
		}
	}
	return d, nil
}

var (
	errURL     = errors.New("holds no URL of a PostgreSQL database: postgres://user:password@host:5432/database?sslmode=verify-full is expected")
	errSSLMode = errors.New("holds a URL with an sslmode of prefer or allow, by which the server is spoken to without TLS where it offers none: " +
		"verify-full, verify-ca or require is expected, or disable where no TLS is wanted")
)

// parseURL reads the URL of a database. Without an sslmode the server's certificate is verified, as by the driver's own
// default anybody on the way could ask for the password and read along. The errors hold nothing of the URL.
func parseURL(text string) (*pgx.ConnConfig, error) {
	address, err := url.Parse(text)
	if err != nil || address.Scheme != "postgres" && address.Scheme != "postgresql" {
		return nil, errURL
	}
	switch address.Query().Get("sslmode") {
	case "":
		// What is there stays as it is written: the driver takes a plus sign for one, not for a space.
		address.RawQuery = strings.TrimPrefix(address.RawQuery+"&sslmode=verify-full", "&")
	case "prefer", "allow":
		return nil, errSSLMode
	}
	config, err := pgx.ParseConfig(address.String())
	if err != nil {
		return nil, errURL
	}
	return config, nil
}

// trust has the server's certificate verified by the given authorities, and nothing sent without TLS.
func (d *database) trust(ref *v1alpha1.SecretKeyReference, credential push.Credential) error {
	pem, err := credential(*ref)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return push.Unusable(*ref, "holds no certificate in PEM")
	}
	d.config.TLSConfig = &tls.Config{RootCAs: roots, ServerName: d.config.Host, MinVersion: tls.VersionTLS12}
	d.config.Fallbacks = nil
	return nil
}

// Interval implements channel.Poller.
func (d *database) Interval() time.Duration { return d.interval }

// Close implements channel.Source. Each poll has a connection of its own.
func (d *database) Close() error { return nil }

// place is where the view has been read to, as the ledger keeps it. Instants are those of the view, in wall
// time where its column has no zone.
type place struct {
	Plan string `json:"plan"`
	// Newest is the newest time of change that was read and had come: a row that is dated ahead would
	// hide all that change before that date.
	Newest time.Time `json:"newest,omitzero"`
	// From and ID are the last row of a poll that is not complete.
	From time.Time `json:"from,omitzero"`
	ID   string    `json:"id,omitempty"`
}

// restore reads a saved cursor, or begins with the lookback; so it does where the cursor lies in the future
// wherever the view's clocks are, as earlier versions let a row take it there.
func (d *database) restore(saved json.RawMessage, now time.Time) place {
	fresh := place{Plan: d.fingerprint}
	at := channel.OpenCursor(saved, fresh, func(p *place) string { return p.Plan }, d.logger)
	if at.Newest.After(now.Add(24 * time.Hour)) {
		d.logger.Warn("Began from the lookback as the saved cursor lies in the future")
		return fresh
	}
	return at
}

// Poll implements channel.Poller. The events of a page are with the ledger, and the cursor with them, before
// the next one is asked for.
func (d *database) Poll(ctx context.Context, saved json.RawMessage, sink channel.Sink) error {
	started := d.now()
	conn, err := pgx.ConnectConfig(ctx, d.config)
	if err != nil {
		return d.failure(ctx, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	at := d.restore(saved, started)
	known := at.Newest
	if at.From.IsZero() {
		at.From = at.Newest.Add(-d.overlap)
		if at.Newest.IsZero() {
			at.From = started.Add(-d.lookback).In(d.zone())
		}
		at.ID = ""
	}
	for range maxPages {
		read, err := d.page(ctx, conn, &at)
		if err != nil {
			return d.failure(ctx, err)
		}
		batch := channel.Batch{}
		last := len(read) < pageRows
		for i := range read {
			row := &read[i]
			u := d.reader.read(&row.record)
			batch.Events = append(batch.Events, u.events...)
			if row.never {
				last = true // only such rows are left, as they are the last in order
				continue
			}
			at.From, at.ID = row.updatedAt, row.id
			if row.updatedAt.After(d.wall(started, row.local)) {
				continue // it is read again until its time has come, and counts for something then
			}
			// What is read again has been counted.
			if u.skipped && row.updatedAt.After(known) {
				batch.Skipped++
			}
			if u.problem != nil && row.updatedAt.After(known) {
				sink.Problem(u.problem.Reason, u.problem.Message, 1)
			}
			if row.updatedAt.After(at.Newest) {
				at.Newest = row.updatedAt
			}
		}
		if n := len(read); n > 0 && (read[n-1].never || read[n-1].updatedAt.After(d.wall(started.Add(complaint.MaxFutureSkew), read[n-1].local))) {
			sink.Problem(ledgerapi.ReasonInvalidEvent, "a row's updatedAt lies in the future", 0)
		}
		if last {
			at.From, at.ID = time.Time{}, ""
			batch.ObservedThrough = &started
		}
		batch.Cursor = channel.EncodeCursor(at)
		if err := sink.Append(ctx, batch); err != nil || last {
			return err
		}
	}
	return &channel.Error{Reason: ledgerapi.ReasonConnected, Message: fmt.Sprintf("read %d rows in one poll; the next one goes on", maxPages*pageRows)}
}

// zone is that of times without an offset.
func (d *database) zone() *time.Location {
	if d.reader.zone == nil {
		return time.UTC
	}
	return d.reader.zone
}

// easternmost is the offset of the clocks that are furthest ahead.
const easternmost = 14 * time.Hour

// wall is an instant as a column has it: where that has no zone, as if its clocks showed UTC, and the latest that
// any of the world's show where the channel has none either.
func (d *database) wall(at time.Time, local bool) time.Time {
	switch {
	case !local:
		return at
	case d.reader.zone == nil:
		return at.Add(easternmost)
	}
	return mapping.In(at.In(d.reader.zone), time.UTC)
}

// row is a row of the view.
type row struct {
	record
	id        string
	updatedAt time.Time
	// local says that updatedAt has no zone, never that its time will not come.
	local, never bool
}

// changed takes in the row's time of change, and reports whether it is one.
func (r *row) changed(value any, kind uint32) bool {
	r.local = kind != pgtype.TimestamptzOID
	switch v := value.(type) {
	case time.Time:
		r.updatedAt, r.never = v, v.Year() > maxYear
		return true
	case pgtype.InfinityModifier:
		r.never = true
		return true
	}
	return false
}

// page reads the rows after a place.
func (d *database) page(ctx context.Context, conn *pgx.Conn, after *place) (rows []row, err error) {
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		limit := fmt.Sprintf("%dms", d.timeout.Milliseconds())
		if _, err := tx.Exec(ctx, "SELECT set_config('statement_timeout', $1, true)", limit); err != nil {
			return err
		}
		header, err := d.header(ctx, tx)
		if err != nil {
			return err
		}
		places, err := bind(d.columns, header)
		if err != nil {
			return err
		}
		rows, err = d.query(ctx, tx, header, places, after)
		return err
	})
	return rows, err
}

// header is the names of the view's columns.
func (d *database) header(ctx context.Context, tx pgx.Tx) ([]string, error) {
	found, err := tx.Query(ctx, "SELECT * FROM "+d.view.Sanitize()+" LIMIT 0")
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var names []string
	for _, column := range found.FieldDescriptions() {
		names = append(names, column.Name)
	}
	found.Close()
	return names, found.Err()
}

// query asks for the rows after a place. Names are quoted by the driver, and what stands in rows travels as
// parameters only.
func (d *database) query(ctx context.Context, tx pgx.Tx, header []string, places [members]int, after *place) ([]row, error) {
	// With the name of the view before it, a name is that of a column and never that of a result.
	quoted := func(name string) string { return pgx.Identifier{"v", name}.Sanitize() }
	id, updated := quoted(header[places[incidentID]]), quoted(d.updatedAt)
	selected := []string{updated, id + "::text"}
	var of []member
	for m, place := range places {
		if place >= 0 {
			selected, of = append(selected, quoted(header[place])), append(of, member(m))
		}
	}
	where, parameters := updated+" >= $1", []any{after.From}
	if after.ID != "" {
		where, parameters = "("+updated+", "+id+") > ($1, $2)", append(parameters, after.ID)
	}
	found, err := tx.Query(ctx, "SELECT "+strings.Join(selected, ", ")+" FROM "+d.view.Sanitize()+
		" AS v WHERE "+where+" ORDER BY "+updated+", "+id+fmt.Sprintf(" LIMIT %d", pageRows), parameters...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var rows []row
	for found.Next() {
		values, err := found.Values()
		if err != nil {
			return nil, err
		}
		r := row{record: record{untyped: places[callType] < 0}}
		if !r.changed(values[0], found.FieldDescriptions()[0].DataTypeOID) {
			return nil, errNoTime
		}
		r.id, _ = values[1].(string)
		for i, m := range of {
			var ok bool
			r.values[m], ok = cell(values[i+2], found.FieldDescriptions()[i+2].DataTypeOID)
			r.strange[m] = !ok
		}
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// cell is a value as a text. A time without a zone gets no offset, so that it is taken or refused as any
// other.
func cell(value any, kind uint32) (string, bool) {
	switch v := value.(type) {
	case time.Time:
		if kind == pgtype.TimestamptzOID {
			return v.Format(time.RFC3339Nano), true
		}
		return v.Format("2006-01-02T15:04:05.999999999"), true
	case int16, int32, bool:
		return fmt.Sprint(v), true
	case pgtype.Numeric:
		raw, err := v.MarshalJSON()
		return strings.Trim(string(raw), `"`), err == nil && v.Valid
	case [16]byte:
		return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:]), true
	}
	return text(value)
}
