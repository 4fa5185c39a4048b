package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tanggap/tanggap/internal/ledger"
	store "github.com/tanggap/tanggap/internal/ledger/store/postgres"
)

// What of a row differs between a case and its copies; $1 is what the numbers of the copies are apart.
// Everything else, the state above all, is the same: a copy was received, judged and counted as its original.
var changed = map[string]map[string]string{
	"cases": {
		"ref": "o.ref + k * $1", "case_id": "o.case_id || '/' || k * $1",
		"pseudonym": "substr(sha256(o.pseudonym || convert_to((k * $1)::text, 'UTF8')), 1, 16)",
	},
	"events": {
		"case_ref": "o.case_ref + k * $1", "id": "o.id || '/' || k * $1",
		"pseudonym": "substr(sha256(o.pseudonym || convert_to((k * $1)::text, 'UTF8')), 1, 16)",
	},
}

// multiply makes copies of all cases until there are so many times as many, and brings figures and numbers
// to what the ledger would have written. No ledger may be running.
func (b *bench) multiply(ctx context.Context, times int) (err error) {
	c, err := b.database.Connect(ctx, b.schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	var step int64
	if err := c.QueryRow(ctx, "SELECT last_ref FROM ledger").Scan(&step); err != nil {
		return fmt.Errorf("reading the highest number: %w", err)
	}
	restore, err := dropIndexes(ctx, c)
	if err != nil {
		return err
	}
	const chunk = 40 // copies in one statement
	for first := 1; first < times; first += chunk {
		last := min(first+chunk, times) - 1
		for table, expressions := range changed {
			if err := copyRows(ctx, c, table, expressions, step, first, last); err != nil {
				return err
			}
		}
		fmt.Fprintf(b.progress, "%s: %d of %d copies\n", time.Now().UTC().Format(time.TimeOnly), last, times-1)
	}
	restore = append(restore,
		fmt.Sprintf("UPDATE figures SET v0 = v0 * %[1]d, v1 = v1 * %[1]d, v2 = v2 * %[1]d, v3 = v3 * %[1]d, v4 = v4 * %[1]d", times),
		fmt.Sprintf("UPDATE ledger SET last_ref = last_ref * %d", times), "VACUUM ANALYZE cases", "VACUUM ANALYZE events", "CHECKPOINT")
	for _, sql := range restore {
		if _, err := c.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// copyRows inserts the copies first to last of the rows whose number is at most step.
func copyRows(ctx context.Context, c *pgx.Conn, table string, expressions map[string]string, step int64, first, last int) error {
	rows, err := c.Query(ctx, "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position", table)
	if err != nil {
		return fmt.Errorf("reading the columns of %s: %w", table, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("reading the columns of %s: %w", table, err)
	}
	values, number := make([]string, len(names)), "ref"
	for i, name := range names {
		values[i] = "o." + name
		if e := expressions[name]; e != "" {
			values[i] = e
		}
		if name == "case_ref" {
			number = name
		}
	}
	sql := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM generate_series($2::bigint, $3::bigint) k CROSS JOIN %s o WHERE o.%s <= $1",
		table, strings.Join(names, ", "), strings.Join(values, ", "), table, number)
	if _, err := c.Exec(ctx, sql, step, first, last); err != nil {
		return fmt.Errorf("copying rows of %s: %w", table, err)
	}
	return nil
}

// dropIndexes drops what would be kept up to date row by row, but for what the copies are found by, and
// returns the statements that bring it back.
func dropIndexes(ctx context.Context, c *pgx.Conn) (restore []string, err error) {
	rows, err := c.Query(ctx, `SELECT x.relname, t.relname, pg_get_indexdef(i.indexrelid), coalesce(pg_get_constraintdef(n.oid), '')
		FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
		LEFT JOIN pg_constraint n ON n.conindid = i.indexrelid
		WHERE t.relname IN ('cases', 'events') AND x.relname NOT IN ('cases_pkey', 'events_case')`)
	if err != nil {
		return nil, fmt.Errorf("reading the indexes: %w", err)
	}
	type index struct{ name, table, definition, constraint string }
	indexes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (i index, err error) {
		err = row.Scan(&i.name, &i.table, &i.definition, &i.constraint)
		return i, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the indexes: %w", err)
	}
	for _, i := range indexes {
		drop, again := "DROP INDEX "+i.name, i.definition
		if i.constraint != "" {
			drop = fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", i.table, i.name)
			again = fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", i.table, i.name, i.constraint)
		}
		if _, err := c.Exec(ctx, drop); err != nil {
			return nil, fmt.Errorf("%s: %w", drop, err)
		}
		restore = append(restore, again)
	}
	return append([]string{"SET maintenance_work_mem = '1GB'"}, restore...), nil
}

// verify recounts every figure and judges every case anew.
func (b *bench) verify(ctx context.Context) error {
	options := b.database.Options(b.schema, b.database.Address())
	options.Shared = true
	s, err := store.Open(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	differences, err := ledger.Verify(ctx, s, nil)
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return fmt.Errorf("%d differences, the first: %s", len(differences), differences[0])
	}
	return nil
}
