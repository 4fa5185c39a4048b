package transfer

import (
	"bytes"
	"testing"
)

// FuzzReader reads anything at all: it neither panics, nor ends without an end that fits, nor goes on
// for longer than there are lines.
func FuzzReader(f *testing.F) {
	const first = `{"header":{"format":"tanggap-ledger-export","version":1,"id":"x","exportedAt":"2026-11-02T03:00:00Z"}}` + "\n"
	f.Add([]byte(first))
	f.Add([]byte(first + `{"end":{"settings":0,"channels":0,"figures":0,"replies":0,"cases":0,"events":0,"sha256":"00"}}` + "\n"))
	f.Add([]byte(first + `{"setting":{"name":"s","value":"AA=="}}
{"channel":{"name":"c","cursor":{"a":1}}}
{"figures":{"key":"k","values":[1,2,3,4,5]}}
{"reply":{"channel":"c","id":"r","state":{}}}
{"case":{"channel":"c","case":"1","category":"","department":"","priority":"","events":1}}
{"event":{"channel":"c","case":"1","id":"e","kind":"Received","actor":"citizen","at":"2026-11-02T03:00:00Z","receivedAt":"2026-11-02T03:00:00Z"}}
{"end":{"settings":1,"channels":1,"figures":1,"replies":1,"cases":1,"events":1,"sha256":"00"}}
`))
	f.Fuzz(func(t *testing.T, export []byte) {
		r := newReader(bytes.NewReader(export))
		if _, err := r.header(); err != nil {
			return
		}
		if _, err := r.small(); err != nil {
			return
		}
		for more := true; more; {
			var err error
			if _, more, err = r.batch(0); err != nil {
				return
			}
		}
		if lines := bytes.Count(export, []byte("\n")); r.number != lines {
			t.Errorf("%d of %d lines were taken for a whole export", r.number, lines)
		}
	})
}
