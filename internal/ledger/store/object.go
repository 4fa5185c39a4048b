package store

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendObject appends texts as a JSON object, in the order of their names: the same texts are the same bytes.
// Nearly every event has attributes, which is why they are written without reflection. What is not UTF-8 becomes
// U+FFFD, as in encoding/json.
func AppendObject(b []byte, texts map[string]string) []byte {
	var room [16]string
	names := room[:0]
	for name := range texts {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(quote(b, name), ':')
		b = quote(b, texts[name])
	}
	return append(b, '}')
}

func quote(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // its error says that something was replaced
	return b
}
