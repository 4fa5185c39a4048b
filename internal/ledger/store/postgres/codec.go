package postgres

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

// args are the parameters of a statement in PostgreSQL's binary format. Whole columns are written as
// arrays, value by value into one buffer: this is the path that every event takes.
type args struct {
	values [][]byte
	buffer []byte
	err    error
}

func (a *args) reset() { a.values, a.buffer, a.err = a.values[:0], a.buffer[:0], nil }

// add makes a parameter of what was appended to the buffer since start.
func (a *args) add(start int) {
	value := a.buffer[start:len(a.buffer):len(a.buffer)]
	if value == nil {
		value = []byte{} // nil would be NULL
	}
	a.values = append(a.values, value)
}

func (a *args) null() { a.values = append(a.values, nil) }

func (a *args) int8(v int64) {
	start := len(a.buffer)
	a.buffer = binary.BigEndian.AppendUint64(a.buffer, uint64(v))
	a.add(start)
}

func (a *args) int4(v int32) {
	start := len(a.buffer)
	a.buffer = binary.BigEndian.AppendUint32(a.buffer, uint32(v))
	a.add(start)
}

func (a *args) text(v string) {
	start := len(a.buffer)
	a.buffer = append(a.buffer, v...)
	a.add(start)
}

// bytea is bytes, or NULL for nil.
func (a *args) bytea(v []byte) {
	if v == nil {
		a.null()
		return
	}
	start := len(a.buffer)
	a.buffer = append(a.buffer, v...)
	a.add(start)
}

func (a *args) time(v time.Time) {
	if v.IsZero() {
		a.null()
		return
	}
	a.int8(v.UnixMicro())
}

// array writes an array of one value for each row. put appends a value to the buffer, or reports false
// for NULL. An array of nothing but NULLs is written as an empty one: see columns.
func array[R any](a *args, element uint32, rows []R, put func(buffer []byte, row *R) ([]byte, bool)) {
	start, values := len(a.buffer), 0
	a.buffer = binary.BigEndian.AppendUint32(a.buffer, 1) // dimensions
	a.buffer = binary.BigEndian.AppendUint32(a.buffer, 0) // whether there are NULLs
	a.buffer = binary.BigEndian.AppendUint32(a.buffer, element)
	a.buffer = binary.BigEndian.AppendUint32(a.buffer, uint32(len(rows)))
	a.buffer = binary.BigEndian.AppendUint32(a.buffer, 1) // the index of the first
	for i := range rows {
		at := len(a.buffer)
		a.buffer = append(a.buffer, 0xff, 0xff, 0xff, 0xff) // the length: -1 is NULL
		var some bool
		if a.buffer, some = put(a.buffer, &rows[i]); some {
			binary.BigEndian.PutUint32(a.buffer[at:], uint32(len(a.buffer)-at-4))
			values++
		} else {
			binary.BigEndian.PutUint32(a.buffer[start+4:], 1)
		}
	}
	if values == 0 {
		a.buffer = binary.BigEndian.AppendUint64(a.buffer[:start], 0)
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, element)
	}
	a.add(start)
}

func int8s[R any](a *args, rows []R, of func(*R) int64) {
	array(a, pgtype.Int8OID, rows, func(b []byte, r *R) ([]byte, bool) { return binary.BigEndian.AppendUint64(b, uint64(of(r))), true })
}

func int4s[R any](a *args, rows []R, of func(*R) int32) {
	array(a, pgtype.Int4OID, rows, func(b []byte, r *R) ([]byte, bool) { return binary.BigEndian.AppendUint32(b, uint32(of(r))), true })
}

func int2s[R any](a *args, rows []R, of func(*R) int16) {
	array(a, pgtype.Int2OID, rows, func(b []byte, r *R) ([]byte, bool) { return binary.BigEndian.AppendUint16(b, uint16(of(r))), true })
}

func bools[R any](a *args, rows []R, of func(*R) bool) {
	array(a, pgtype.BoolOID, rows, func(b []byte, r *R) ([]byte, bool) {
		if of(r) {
			return append(b, 1), true
		}
		return append(b, 0), true
	})
}

// times writes microseconds since 1970; the zero time is NULL.
func times[R any](a *args, rows []R, of func(*R) time.Time) {
	array(a, pgtype.Int8OID, rows, func(b []byte, r *R) ([]byte, bool) {
		at := of(r)
		if at.IsZero() {
			return b, false
		}
		return binary.BigEndian.AppendUint64(b, uint64(at.UnixMicro())), true
	})
}

func texts[R any](a *args, rows []R, of func(*R) string) {
	array(a, pgtype.TextOID, rows, func(b []byte, r *R) ([]byte, bool) { return append(b, of(r)...), true })
}

// optionals writes texts; "" is NULL.
func optionals[R any](a *args, rows []R, of func(*R) string) {
	array(a, pgtype.TextOID, rows, func(b []byte, r *R) ([]byte, bool) {
		v := of(r)
		return append(b, v...), v != ""
	})
}

// byteas writes bytes; nil is NULL.
func byteas[R any](a *args, rows []R, of func(*R) []byte) {
	array(a, pgtype.ByteaOID, rows, func(b []byte, r *R) ([]byte, bool) {
		v := of(r)
		return append(b, v...), v != nil
	})
}

func floats[R any](a *args, rows []R, of func(*R) (float64, bool)) {
	array(a, pgtype.Float8OID, rows, func(b []byte, r *R) ([]byte, bool) {
		v, some := of(r)
		if !some {
			return b, false
		}
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v)), true
	})
}

// documents writes values as JSON texts; nil is NULL.
func documents[R, V any](a *args, rows []R, of func(*R) *V) {
	array(a, pgtype.TextOID, rows, func(b []byte, r *R) ([]byte, bool) {
		v := of(r)
		if v == nil {
			return b, false
		}
		text, err := json.Marshal(v)
		if err != nil && a.err == nil {
			a.err = fmt.Errorf("encoding a column: %w", err)
		}
		return append(b, text...), true
	})
}

// objects writes maps as JSON objects; an empty one is NULL.
func objects[R any](a *args, rows []R, of func(*R) map[string]string) {
	array(a, pgtype.TextOID, rows, func(b []byte, r *R) ([]byte, bool) {
		object := of(r)
		if len(object) == 0 {
			return b, false
		}
		return store.AppendObject(b, object), true
	})
}

// row reads the columns of a row in their order, in the binary format, and keeps the first error. What it
// returns is a copy.
type row struct {
	values [][]byte
	column int
	err    error
}

// next is the next column; nil for NULL. A column of another length than want, if that is not 0, is an error.
func (r *row) next(want int) []byte {
	if r.column >= len(r.values) {
		r.fail()
		return nil
	}
	v := r.values[r.column]
	r.column++
	if want != 0 && v != nil && len(v) != want {
		r.fail()
		return nil
	}
	return v
}

func (r *row) fail() {
	if r.err == nil {
		// The value is not named: it may be personal data.
		r.err = fmt.Errorf("%w: a column is not of the type that was written", store.ErrDamaged)
	}
}

func (r *row) int8() int64 {
	if v := r.next(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

func (r *row) int4() int32 {
	if v := r.next(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (r *row) int2() int16 {
	if v := r.next(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (r *row) bool() bool {
	v := r.next(1)
	return len(v) == 1 && v[0] != 0
}

func (r *row) text() string { return string(r.next(0)) }

// bytea is nil for NULL.
func (r *row) bytea() []byte { return bytes.Clone(r.next(0)) }

// float reports false for NULL.
func (r *row) float() (float64, bool) {
	v := r.next(8)
	if v == nil {
		return 0, false
	}
	return math.Float64frombits(binary.BigEndian.Uint64(v)), true
}

func (r *row) time() time.Time {
	v := r.next(8)
	if v == nil {
		return time.Time{}
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(v))).UTC()
}

func (r *row) json(into any) {
	v := r.next(0)
	if v == nil {
		return
	}
	if err := json.Unmarshal(v, into); err != nil && r.err == nil {
		r.err = fmt.Errorf("%w: a column does not hold the JSON that was written", store.ErrDamaged)
	}
}
