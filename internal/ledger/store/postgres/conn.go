package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// conn is a connection with its prepared statements and the channels it has seen. It is used by one
// goroutine at a time.
type conn struct {
	pg *pgconn.PgConn
	// prepares says that statements are prepared once and kept, which a pooler may not be able to do.
	prepares bool
	prepared map[string]*pgconn.StatementDescription
	// ids and names are the channels known; channels are never renamed or deleted.
	ids   map[string]int32
	names map[int32]string
	// revision is the highest seen: a database that has a lower one was restored to an earlier state.
	revision int64
	// named numbers the names given to statements, whatever came of their preparation.
	named int
	args  args
}

// connKey is where a conn is kept with its connection.
const connKey = "tanggap"

// connOf is what is known of a pool's connection.
func connOf(c *pgxpool.Conn) *conn {
	pg := c.Conn().PgConn()
	if known, ok := pg.CustomData()[connKey].(*conn); ok {
		return known
	}
	known := &conn{
		pg: pg, prepares: c.Conn().Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement,
		prepared: map[string]*pgconn.StatementDescription{},
	}
	known.forget()
	pg.CustomData()[connKey] = known
	return known
}

// forget drops the channels, which may be others in a database that was restored.
func (c *conn) forget() { c.ids, c.names, c.revision = map[string]int32{}, map[int32]string{}, 0 }

func (c *conn) learn(id int32, name string) { c.ids[name], c.names[id] = id, name }

// answerLimit bounds the wait for an answer: past it the server, or the way to it, is given up. It is
// longer than what the server itself bounds.
const answerLimit = 45 * time.Second

// exchange is the conversation of one transaction. Statements are queued; they travel together with the
// first one whose answer is waited for, in one round trip.
type exchange struct {
	*conn
	pipeline *pgconn.Pipeline
	cancel   context.CancelFunc
	queued   []statement
	// failed is the first error of the server or of the connection: the transaction cannot go on.
	failed error
	// reading says that a row is being looked at, which the server has not sent all of.
	reading bool
	// open queues what begins the transaction; it is called before the first statement, so that the
	// transaction begins in the same round trip.
	open func() error
	// head is nil until it is known; guess is what it is taken for until it was read.
	head, guess *head
	// writer is read with the head.
	writer writer
	// store is the id of the Store whose transaction it is.
	store []byte
	// verified says that the head was read: the transaction has begun and, in an Update, has its lock. moved
	// says that it is not what was guessed, or that the database was restored: the transaction has to start anew.
	verified, moved bool
	// now is compared with the database's clock when the head is read, unless it is nil; amiss is that they are too far apart.
	now   func() time.Time
	amiss error
}

// statement is one that was sent.
type statement struct {
	sql string
	// name is given to it in its preparation; "" when it was prepared before.
	name string
	// each is called with every row; nil when there are none.
	each func(*row) error
}

// converse starts the conversation of a transaction. Until detach is called, the end of ctx breaks the
// connection.
func (c *conn) converse(ctx context.Context, begin string, lock bool) (x *exchange, detach func() bool) {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	x = &exchange{conn: c, pipeline: c.pg.StartPipeline(working), cancel: cancel}
	x.open = func() error { return x.begin(begin, lock) }
	return x, context.AfterFunc(ctx, cancel)
}

// resultFormats asks for every column in the binary format.
var resultFormats = []int16{1}

// queue adds a statement, with the arguments that bind adds, and what its rows are given to when the
// answer comes.
func (x *exchange) queue(sql string, bind func(*args), each func(*row) error) error {
	if x.failed != nil {
		return x.failed
	}
	if open := x.open; open != nil {
		x.open = nil
		if err := open(); err != nil {
			return err
		}
	}
	x.args.reset()
	if bind != nil {
		if bind(&x.args); x.args.err != nil {
			return x.args.err
		}
	}
	x.pg.Frontend().Send(room(2 * len(x.args.buffer)))
	name := ""
	if description := x.prepared[sql]; description != nil {
		x.pipeline.SendQueryStatement(description, x.args.values, resultFormats, resultFormats)
	} else if !x.prepares {
		x.pipeline.SendQueryParams(sql, x.args.values, nil, resultFormats, resultFormats)
	} else {
		name = fmt.Sprintf("tanggap%d", x.named)
		x.named++
		x.pipeline.SendPrepare(name, sql, nil)
		x.pipeline.SendQueryPrepared(name, x.args.values, resultFormats, resultFormats)
	}
	x.queued = append(x.queued, statement{sql, name, each})
	return nil
}

// room is no message: it has no bytes. It makes room for those that follow in the buffer in which pgx gathers
// them, which begins empty after every flush and would be copied each time that it grows.
type room int

// Frontend implements pgproto3.FrontendMessage.
func (room) Frontend() {}

// Decode implements pgproto3.FrontendMessage.
func (room) Decode([]byte) error { return errors.ErrUnsupported }

// Encode implements pgproto3.FrontendMessage.
func (r room) Encode(buffer []byte) ([]byte, error) { return slices.Grow(buffer, int(r)), nil }

// query queues a statement and waits for it and everything queued before.
func (x *exchange) query(sql string, bind func(*args), each func(*row) error) error {
	if err := x.queue(sql, bind, each); err != nil {
		return err
	}
	return x.flush()
}

// flush sends what is queued and reads the answers. An error of what a row is given to is returned, and
// leaves the conversation as it is; any other ends it.
func (x *exchange) flush() error {
	if x.failed != nil || len(x.queued) == 0 {
		return x.failed
	}
	limit := time.AfterFunc(answerLimit, x.cancel)
	defer limit.Stop()
	queued := x.queued
	x.queued = x.queued[:0]
	if err := x.pipeline.Sync(); err != nil {
		return x.fail(err)
	}
	var refused error
	for {
		result, err := x.pipeline.GetResults()
		switch result := result.(type) {
		case *pgconn.StatementDescription:
			result.Name = queued[0].name
			x.prepared[queued[0].sql] = result
			continue
		case *pgconn.ResultReader:
			var mistaken error
			if mistaken, err = x.read(result, queued[0].each); refused == nil {
				refused = mistaken
			}
			queued = queued[1:]
		case *pgconn.PipelineSync:
			if x.failed != nil {
				return x.failed
			}
			return refused
		default:
			if err == nil {
				err = errors.New("the server answered less than it was asked")
			}
		}
		if err != nil {
			if failed := x.fail(err); broken(err) {
				return failed
			}
		}
	}
}

// read gives all rows to each until it returns an error, which is the first one returned; the second is
// the server's.
func (x *exchange) read(result *pgconn.ResultReader, each func(*row) error) (mistaken, err error) {
	x.reading = true
	r := row{}
	for result.NextRow() {
		if mistaken != nil || each == nil {
			continue
		}
		r.values, r.column = result.Values(), 0
		if mistaken = each(&r); mistaken == nil {
			mistaken = r.err
		}
	}
	x.reading = false
	_, err = result.Close()
	return mistaken, err
}

// fail keeps the first error.
func (x *exchange) fail(err error) error {
	if x.failed == nil {
		x.failed = classify(err)
	}
	return x.failed
}

// end ends the conversation. A connection whose transaction is not at its end, or that broke, is closed.
func (x *exchange) end() {
	defer x.cancel()
	if x.reading || len(x.queued) > 0 {
		// A panic, or a mistake before anything was sent: what the server would answer is not awaited.
		x.cancel()
	}
	// What failed was returned by flush.
	_ = x.pipeline.Close()
	if x.pg.TxStatus() != 'I' && !x.pg.IsClosed() {
		x.shut()
	}
}

// shut closes the connection; the server rolls back what was not committed.
func (x *exchange) shut() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // without a farewell that could block
	_ = x.pg.Close(ctx)
}

// rollback ends the transaction, which is worth a round trip: the connection can be used again.
func (x *exchange) rollback() {
	if x.open != nil || x.pg.IsClosed() || x.reading || x.failed != nil && broken(x.failed) {
		return
	}
	limit := time.AfterFunc(answerLimit, x.cancel)
	defer limit.Stop()
	x.pipeline.SendQueryParams("ROLLBACK", nil, nil, nil, nil)
	if x.pipeline.Sync() != nil {
		return
	}
	for {
		result, err := x.pipeline.GetResults()
		if _, done := result.(*pgconn.PipelineSync); done || err != nil && broken(err) || err == nil && result == nil {
			break
		}
	}
	x.queued = x.queued[:0]
}
