package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
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
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return nil, notJSON(err, decoder.InputOffset())
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the document at byte %d", errNotJSON, decoder.InputOffset())
	}
	return settle(document, 0), nil
}

func notJSON(err error, offset int64) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%w at byte %d", errNotJSON, syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends too early", errNotJSON)
	}
	return fmt.Errorf("%w at byte %d", errNotJSON, offset)
}

// settle replaces the numbers within the value, in place.
func settle(value any, nested int) any {
	switch v := value.(type) {
	case json.Number:
		return number(string(v))
	case []any:
		if nested >= maxNesting {
			return nil
		}
		for i := range v {
			v[i] = settle(v[i], nested+1)
		}
	case map[string]any:
		if nested >= maxNesting {
			return nil
		}
		for name := range v {
			v[name] = settle(v[name], nested+1)
		}
	}
	return value
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
