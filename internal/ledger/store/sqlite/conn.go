package sqlite

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// conn is one connection with its prepared statements and the channels it has seen. It is used by one
// goroutine at a time.
type conn struct {
	db    *sqlite3.Conn
	stmts map[string]*sqlite3.Stmt
	// ids and names are the channels known; channels are never renamed or deleted.
	ids   map[string]int64
	names map[int64]string
}

func newConn(db *sqlite3.Conn) *conn {
	return &conn{db: db, stmts: map[string]*sqlite3.Stmt{}, ids: map[string]int64{}, names: map[int64]string{}}
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		// A statement's own error was reported when it ran.
		_ = s.Close()
	}
	c.stmts = nil
	return classify(c.db.Close())
}

// query runs a statement, prepared once per connection, with the arguments that bind binds, and calls
// each with every row. Without rows each may be nil.
func (c *conn) query(sql string, bind func(*binder), each func(*row) error) (err error) {
	stmt, ok := c.stmts[sql]
	if !ok {
		if stmt, _, err = c.db.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT); err != nil {
			return classify(err)
		}
		c.stmts[sql] = stmt
	}
	if bind != nil {
		b := binder{stmt: stmt}
		if bind(&b); b.err != nil {
			return classify(b.err)
		}
	}
	if each == nil {
		return classify(stmt.Exec())
	}
	r := row{stmt: stmt}
	for stmt.Step() {
		r.column = 0
		if err := each(&r); err != nil {
			// What the statement did is rolled back with the transaction; the caller's error counts.
			_ = stmt.Reset()
			return err
		}
		if r.err != nil {
			_ = stmt.Reset()
			return r.err
		}
	}
	stepErr := stmt.Err()
	if err := stmt.Reset(); stepErr == nil {
		stepErr = err
	}
	return classify(stepErr)
}

// binder binds the arguments of a statement in their order and keeps the first error.
type binder struct {
	stmt *sqlite3.Stmt
	n    int
	err  error
	// scratch is used again for every text that is made.
	scratch []byte
}

func (b *binder) next(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *binder) int(v int64) { b.n++; b.next(b.stmt.BindInt64(b.n, v)) }

func (b *binder) bool(v bool) { b.n++; b.next(b.stmt.BindBool(b.n, v)) }

func (b *binder) text(v string) { b.n++; b.next(b.stmt.BindText(b.n, v)) }

func (b *binder) null() { b.n++; b.next(b.stmt.BindNull(b.n)) }

// optional binds a text, or NULL for "".
func (b *binder) optional(v string) {
	if v == "" {
		b.null()
		return
	}
	b.text(v)
}

// blob binds bytes, or NULL for nil.
func (b *binder) blob(v []byte) { b.n++; b.next(b.stmt.BindBlob(b.n, v)) }

// time binds microseconds since 1970, or NULL for the zero time.
func (b *binder) time(v time.Time) {
	if v.IsZero() {
		b.null()
		return
	}
	b.int(v.UnixMicro())
}

// json binds a JSON text.
func (b *binder) json(v any) {
	text, err := json.Marshal(v)
	b.n++
	if err != nil {
		b.next(fmt.Errorf("encoding a column: %w", err))
		return
	}
	b.next(b.stmt.BindRawText(b.n, text))
}

// texts binds a JSON object, or NULL for none.
func (b *binder) texts(v map[string]string) {
	if len(v) == 0 {
		b.null()
		return
	}
	b.scratch = store.AppendObject(b.scratch[:0], v)
	b.n++
	b.next(b.stmt.BindRawText(b.n, b.scratch))
}

func (b *binder) float(v float64) { b.n++; b.next(b.stmt.BindFloat(b.n, v)) }

// row reads the columns of a row in their order and keeps the first error.
type row struct {
	stmt   *sqlite3.Stmt
	column int
	err    error
}

func (r *row) advance() int { r.column++; return r.column - 1 }

func (r *row) int() int64 { return r.stmt.ColumnInt64(r.advance()) }

func (r *row) bool() bool { return r.int() != 0 }

func (r *row) text() string { return r.stmt.ColumnText(r.advance()) }

func (r *row) float() float64 { return r.stmt.ColumnFloat(r.advance()) }

// null reports whether the next column is NULL and, if so, passes over it.
func (r *row) null() bool {
	if r.stmt.ColumnType(r.column) != sqlite3.NULL {
		return false
	}
	r.column++
	return true
}

// blob is a copy; nil for NULL.
func (r *row) blob() []byte {
	if r.null() {
		return nil
	}
	return r.stmt.ColumnBlob(r.advance(), []byte{})
}

func (r *row) time() time.Time {
	if r.null() {
		return time.Time{}
	}
	return time.UnixMicro(r.int()).UTC()
}

func (r *row) json(into any) {
	if r.null() {
		return
	}
	if err := json.Unmarshal(r.stmt.ColumnRawText(r.advance()), into); err != nil && r.err == nil {
		// The value is not named: it is personal data.
		r.err = fmt.Errorf("%w: a column does not hold the JSON that was written", errDamaged)
	}
}

// channel is the id of a channel; 0 when there is none of the name.
func (c *conn) channel(name string) (int64, error) {
	if id, ok := c.ids[name]; ok {
		return id, nil
	}
	var id int64
	err := c.query("SELECT id FROM channels WHERE name = ?", func(b *binder) { b.text(name) }, func(r *row) error {
		id = r.int()
		return nil
	})
	if err == nil && id != 0 {
		c.ids[name], c.names[id] = id, name
	}
	return id, err
}

// channelName is the name of a channel that some row names.
func (c *conn) channelName(id int64) (string, error) {
	if name, ok := c.names[id]; ok {
		return name, nil
	}
	var name string
	err := c.query("SELECT name FROM channels WHERE id = ?", func(b *binder) { b.int(id) }, func(r *row) error {
		name = r.text()
		return nil
	})
	if err == nil && name != "" {
		c.ids[name], c.names[id] = id, name
	}
	return name, err
}
