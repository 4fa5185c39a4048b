package open311

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

var (
	errNotJSON = errors.New("the answer is not JSON; set format to XML if the server speaks that")
	errShape   = errors.New("the answer is not a list of service requests")
)

// parseJSON reads a list of service requests: the array of the specification, one request without an
// array, or either inside objects, as converters from XML write it.
func parseJSON(body []byte) (answer, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !json.Valid(body) {
		if body = repair(body); !json.Valid(body) {
			return answer{}, errNotJSON
		}
	}
	var a answer
	known := elements(body, 0, func(element []byte) {
		var r request
		if err := json.Unmarshal(element, &r); err != nil {
			a.odd++
			return
		}
		a.add(&r)
	}, "service_requests", "requests", "service_request", "request", "errors", "error")
	if !known {
		return answer{}, errShape
	}
	return a, nil
}

// maxNesting is how many containers may stand around a list.
const maxNesting = 4

// elements calls each for every object in data: those of an array, the one that data is, or those in its
// members of the given names. It reports whether data has such a shape.
func elements(data []byte, depth int, each func([]byte), containers ...string) bool {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || depth > maxNesting {
		return false
	}
	switch data[0] {
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(data, &list) != nil {
			return false
		}
		for _, element := range list {
			elements(element, depth+1, each, containers...)
		}
		return true
	case '{':
		var object map[string]json.RawMessage
		if json.Unmarshal(data, &object) != nil {
			return false
		}
		found := false
		for _, name := range containers {
			if member, ok := object[name]; ok && !scalar(member) {
				found = elements(member, depth+1, each, containers...) || found
			}
		}
		if found {
			return true
		}
		each(data)
		return depth > 0 || identified(object)
	case '"', 'n':
		return depth > 0 // an empty element
	}
	return false
}

// scalar reports whether a member holds a text that only happens to have a container's name.
func scalar(member []byte) bool {
	member = bytes.TrimSpace(member)
	return len(member) > 0 && member[0] != '[' && member[0] != '{' && !bytes.Equal(member, []byte("null")) && !bytes.Equal(member, []byte(`""`))
}

// identified reports whether an object outside of any list is a request or an error.
func identified(object map[string]json.RawMessage) bool {
	_, request := object["service_request_id"]
	_, code := object["code"]
	return request || code
}

// repair mends what makes the JSON of real servers invalid: numbers with leading zeros (the
// specification's own example has "service_code":006), which become texts, and line breaks and other
// control characters inside texts.
func repair(body []byte) []byte {
	out := make([]byte, 0, len(body)+len(body)/16)
	inText := false
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case inText && c == '\\' && i+1 < len(body):
			out = append(out, c, body[i+1])
			i++
		case c == '"':
			inText = !inText
			out = append(out, c)
		case inText && c < 0x20:
			out = fmt.Appendf(out, `\u%04x`, c)
		case !inText && c == '0' && startsNumber(out) && digits(body[i:]) > 1:
			n := digits(body[i:])
			out = append(out, '"')
			out = append(out, body[i:i+n]...)
			out = append(out, '"')
			i += n - 1
		default:
			out = append(out, c)
		}
	}
	return out
}

// startsNumber reports whether a digit after out is the first of a number.
func startsNumber(out []byte) bool {
	out = bytes.TrimRight(out, " \t\r\n")
	return len(out) > 0 && (out[len(out)-1] == ':' || out[len(out)-1] == ',' || out[len(out)-1] == '[')
}

func digits(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}
