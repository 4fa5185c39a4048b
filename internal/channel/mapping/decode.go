package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// maxNesting is how deep a document is read; what lies deeper becomes null. Expressions cannot hand on
// deeper values, and one deep member must not spoil a page.
const maxNesting = 48

// errNotJSON says nothing of the document: the texts of encoding/json quote it.
var errNotJSON = errors.New("not JSON")

// Decode reads one JSON document into nil, bool, int64, float64, string, []any and map[string]any.
// Whole numbers stay exact: one beyond int64, which can only be an identifier, becomes the text of its
// digits. A byte order mark is passed over, as some servers send one. The error holds no content.
func Decode(body []byte) (any, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errors.New("empty")
	}
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	document, err := decodeValue(decoder, 0)
	if err != nil {
		return nil, notJSON(err, decoder.InputOffset())
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the document at byte %d", errNotJSON, len(body)-len(bytes.TrimLeft(body[decoder.InputOffset():], " \t\r\n")))
	}
	return document, nil
}

func notJSON(err error, offset int64) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends too early", errNotJSON)
	case errors.As(err, &syntax):
		offset = syntax.ByteOffset
	}
	return fmt.Errorf("%w at byte %d", errNotJSON, offset+1)
}

// decodeValue reads the next value.
func decodeValue(d *jsontext.Decoder, nested int) (any, error) {
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindNull:
		return nil, nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	case jsontext.KindString:
		return token.String(), nil
	case jsontext.KindNumber:
		return number(token.String()), nil
	default: // the begin of an array or an object: no other token stands where a value does
	}
	var value any
	if token.Kind() == jsontext.KindBeginArray {
		value, err = decodeList(d, nested+1)
	} else {
		value, err = decodeMap(d, nested+1)
	}
	if err != nil || nested >= maxNesting {
		return nil, err
	}
	return value, nil
}

// decodeList reads the rest of an array.
func decodeList(d *jsontext.Decoder, nested int) (any, error) {
	list := []any{}
	for d.PeekKind() != jsontext.KindEndArray {
		value, err := decodeValue(d, nested)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := d.ReadToken()
	return list, err
}

// decodeMap reads the rest of an object; of members with one name the last counts.
func decodeMap(d *jsontext.Decoder, nested int) (any, error) {
	members := map[string]any{}
	for d.PeekKind() != jsontext.KindEndObject {
		token, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		if members[name], err = decodeValue(d, nested); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	return members, err
}

func number(digits string) any {
	if i, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return i
	}
	if whole(digits) {
		return digits
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(f, 0) {
		return digits
	}
	return f
}

// whole reports whether a JSON number is written without fraction and exponent.
func whole(digits string) bool {
	for _, c := range digits {
		if c == '.' || c == 'e' || c == 'E' {
			return false
		}
	}
	return true
}
