package webhook

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/tanggap/tanggap/internal/channel/mapping"
)

// form is how the body of a delivery is to be read.
type form int

const (
	plainJSON form = iota
	cloudEvent
	cloudEventBatch
	cloudEventBinary
)

// formOf decides by the headers alone; false for what cannot be read at all.
func formOf(header http.Header) (form, bool) {
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return 0, false
	}
	kind, parameters := header.Get("Content-Type"), map[string]string(nil)
	switch kind {
	case "", "application/json": // what nearly all say
		kind = "application/json"
	default:
		var err error
		if kind, parameters, err = mime.ParseMediaType(kind); err != nil {
			return 0, false
		}
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return 0, false
	}
	switch {
	case kind == "application/cloudevents+json":
		return cloudEvent, true
	case kind == "application/cloudevents-batch+json":
		return cloudEventBatch, true
	case strings.HasPrefix(kind, "application/cloudevents"):
		return 0, false
	case header.Get("Ce-Specversion") != "":
		return cloudEventBinary, isJSON(kind) || strings.HasPrefix(kind, "text/")
	}
	return plainJSON, isJSON(kind)
}

func isJSON(kind string) bool {
	return kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json")
}

// payloads are the documents of a delivery, each to be mapped by itself. The error says what is wrong
// and holds no content.
func payloads(of form, header http.Header, body []byte) ([]any, error) {
	if of == cloudEventBinary {
		event, err := binary(header, body)
		return []any{event}, err
	}
	document, err := mapping.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("the body is %w", err)
	}
	switch of {
	case cloudEvent:
		event, err := structured(document)
		return []any{event}, err
	case cloudEventBatch:
		list, ok := document.([]any)
		if !ok {
			return nil, fmt.Errorf("a batch of CloudEvents must be a list")
		}
		for i := range list {
			if list[i], err = structured(list[i]); err != nil {
				return nil, fmt.Errorf("the element %d: %w", i, err)
			}
		}
		return list, nil
	default:
		return []any{document}, nil
	}
}

// attributes of a CloudEvent that a mapping gets to see, and those that each must have.
var (
	seen     = [...]string{"id", "source", "type", "subject", "time"}
	required = [...]string{"id", "source", "type", "specversion"}
)

// structured is what a mapping sees of a CloudEvent in JSON.
func structured(document any) (any, error) {
	members, ok := document.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a CloudEvent must be an object")
	}
	text := map[string]string{}
	for _, name := range [...]string{"id", "source", "type", "subject", "time", "specversion", "datacontenttype"} {
		switch v := members[name].(type) {
		case nil:
		case string:
			text[name] = v
		default:
			return nil, fmt.Errorf("the attribute %s of a CloudEvent must be a text", name)
		}
	}
	data := members["data"]
	if encoded, ok := members["data_base64"].(string); ok {
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("data_base64 of a CloudEvent is not base64")
		}
		kind, _, _ := mime.ParseMediaType(text["datacontenttype"])
		if data, err = dataOf(raw, kind == "" || isJSON(kind)); err != nil {
			return nil, err
		}
	}
	return event(text, data)
}

// binary is what a mapping sees of a CloudEvent whose attributes are headers.
func binary(header http.Header, body []byte) (any, error) {
	text := map[string]string{}
	for _, name := range [...]string{"id", "source", "type", "subject", "time", "specversion"} {
		value, err := url.PathUnescape(header.Get("Ce-" + name))
		if err != nil || !utf8.ValidString(value) {
			return nil, fmt.Errorf("the header ce-%s is not percent-encoded UTF-8", name)
		}
		text[name] = value
	}
	if len(body) == 0 {
		return event(text, nil)
	}
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	data, err := dataOf(body, kind == "" || isJSON(kind))
	if err != nil {
		return nil, err
	}
	return event(text, data)
}

// dataOf is the data of a CloudEvent that came as bytes.
func dataOf(raw []byte, json bool) (any, error) {
	switch {
	case json:
		data, err := mapping.Decode(raw)
		if err != nil {
			return nil, fmt.Errorf("the data of a CloudEvent is %w", err)
		}
		return data, nil
	case utf8.Valid(raw):
		return string(raw), nil
	}
	return nil, fmt.Errorf("the data of a CloudEvent is neither JSON nor text")
}

// event checks the attributes and puts them together; those that are absent are null.
func event(text map[string]string, data any) (any, error) {
	for _, name := range required {
		if text[name] == "" {
			return nil, fmt.Errorf("the attribute %s of a CloudEvent is missing", name)
		}
	}
	if !strings.HasPrefix(text["specversion"], "1.") {
		return nil, fmt.Errorf("CloudEvents 1.x are expected")
	}
	members := map[string]any{"data": data}
	for _, name := range seen {
		members[name] = nil
		if value, ok := text[name]; ok && value != "" {
			members[name] = value
		}
	}
	return members, nil
}
