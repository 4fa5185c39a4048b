// Command benthos is Benthos with an output that writes complaints to PostgreSQL in batches: what `make bench`
// compares the ledger with. Benthos' own SQL output is no part of its core. A module of its own, so that none
// of this reaches the project's go.mod.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "benthos:", err)
		os.Exit(1)
	}
}

func run() error {
	spec := service.NewConfigSpec().Fields(
		service.NewStringField("url"),
		service.NewBatchPolicyField("batching"),
		service.NewIntField("max_in_flight").Default(1),
	)
	err := service.RegisterBatchOutput("complaints", spec, func(c *service.ParsedConfig, _ *service.Resources) (
		out service.BatchOutput, policy service.BatchPolicy, inFlight int, err error,
	) {
		url, err := c.FieldString("url")
		if err != nil {
			return nil, policy, 0, err
		}
		if policy, err = c.FieldBatchPolicy("batching"); err != nil {
			return nil, policy, 0, err
		}
		inFlight, err = c.FieldInt("max_in_flight")
		return &output{url: url}, policy, inFlight, err
	})
	if err != nil {
		return fmt.Errorf("registering the output: %w", err)
	}
	service.RunCLI(context.Background())
	return nil
}

// output inserts a batch into the tables of a ledger: each complaint as an event and a case, with the indexes
// that the ledger has, and nothing that the ledger works out.
type output struct {
	url        string
	connection *pgx.Conn
	// ref is the highest number given to a case.
	ref int64
}

const insertCases = `INSERT INTO cases (ref, received_at, waiting_since, unanswered_since, due_at, next_at, channel, events, holds, open,
	overdue, live, case_id, status, category, department, priority, pseudonym, state)
	SELECT ref, at, at, at, at + 2592000000000, at + 1944000000000, 1, 1, 1, true, false, true, id, 'Open', 'flood', 'dpupr', 'high',
	sha256(convert_to(phone, 'UTF8')), $4 FROM unnest($1::bigint[], $2::text[], $3::bigint[], $5::text[]) AS n (ref, id, at, phone)
	ON CONFLICT DO NOTHING`

const insertEvents = `INSERT INTO events (case_ref, at, received_at, latitude, longitude, channel, marks, id, kind, actor, text, attributes, pseudonym)
	SELECT ref, at, at, latitude, longitude, 1, 0, id, 'Received', 'citizen', text, attributes, sha256(convert_to(phone, 'UTF8'))
	FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::float8[], $7::float8[], $8::text[])
	AS n (ref, id, at, phone, attributes, latitude, longitude, text) ON CONFLICT DO NOTHING`

// Connect implements service.BatchOutput.
func (o *output) Connect(ctx context.Context) (err error) {
	if o.connection, err = pgx.Connect(ctx, o.url); err != nil {
		return err
	}
	return o.connection.QueryRow(ctx, "SELECT coalesce(max(ref), 0) FROM cases").Scan(&o.ref)
}

// delivery is the body of a delivery.
type delivery struct {
	ID, Phone, Address, Source, Text string
	At                               time.Time
	Location                         struct{ Lat, Lon float64 }
}

// WriteBatch implements service.BatchOutput.
func (o *output) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	n := len(batch)
	ref, at, latitude, longitude := make([]int64, n), make([]int64, n), make([]float64, n), make([]float64, n)
	id, phone, attributes, text := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, message := range batch {
		body, err := message.AsBytes()
		if err != nil {
			return err
		}
		var d delivery
		if err := json.Unmarshal(body, &d); err != nil {
			return err
		}
		kept, err := json.Marshal(map[string]string{"address": d.Address, "source": d.Source})
		if err != nil {
			return err
		}
		o.ref++
		ref[i], id[i], phone[i], attributes[i], text[i], at[i] = o.ref, d.ID, d.Phone, string(kept), d.Text, d.At.UnixMicro()
		latitude[i], longitude[i] = d.Location.Lat, d.Location.Lon
	}
	return pgx.BeginFunc(ctx, o.connection, func(tx pgx.Tx) error {
		state := make([]byte, 150)
		both := &pgx.Batch{}
		both.Queue(insertCases, ref, id, at, state, phone)
		both.Queue(insertEvents, ref, id, at, phone, attributes, latitude, longitude, text)
		return tx.SendBatch(ctx, both).Close()
	})
}

// Close implements service.BatchOutput.
func (o *output) Close(ctx context.Context) error {
	if o.connection == nil {
		return nil
	}
	return o.connection.Close(ctx)
}
