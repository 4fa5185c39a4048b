package mapping

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tanggap/tanggap/internal/complaint"
)

// time evaluates an expression that must yield an instant.
func (m *Mapping) time(e *expression, vars map[string]any) (time.Time, error) {
	at, err := m.optionalTime(e, vars)
	if err == nil && at.IsZero() {
		return at, e.fault("yields no time; let the rule's `when` be true only where there is one")
	}
	return at, err
}

// optionalTime evaluates an expression that may yield null or "", which is the zero time.
func (m *Mapping) optionalTime(e *expression, vars map[string]any) (time.Time, error) {
	value, err := e.program.Any(vars)
	if err != nil {
		return time.Time{}, e.failed(err)
	}
	switch v := value.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		return v, nil
	case string:
		return m.parse(e, strings.TrimSpace(v))
	case int64, uint64, float64:
		return time.Time{}, e.fault("yields a number, which is no time; write unixSeconds(...) or unixMillis(...)")
	}
	return time.Time{}, e.fault("must yield a timestamp or a text in RFC 3339")
}

func (m *Mapping) parse(e *expression, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := ParseTime(text, m.options.Zone)
	switch {
	case errors.Is(err, ErrNoOffset):
		return at, e.fault("time without offset: set assumeTimeZone")
	case err != nil:
		return at, e.fault("yields a text that is no time of RFC 3339; parseTime(text, layout, zone) reads other forms")
	}
	return at, nil
}

// evaluate is the reporter, or nil when there is nothing to tell.
func (r *reporter) evaluate(vars map[string]any) (*complaint.Reporter, error) {
	phone, phoneErr := r.phone.contact(vars)
	email, emailErr := r.email.contact(vars)
	handle, handleErr := r.handle.contact(vars)
	err := first(phoneErr, emailErr, handleErr)
	if phone == "" && email == "" && handle == "" {
		return nil, err
	}
	return &complaint.Reporter{Phone: phone, Email: email, Handle: handle}, err
}

// maxContactBytes is what an event takes of a field of its reporter.
const maxContactBytes = 256

func (e *expression) contact(vars map[string]any) (string, error) {
	text, err := e.text(vars)
	if err == nil && len(text) > maxContactBytes {
		return "", e.fault("yields more than %d bytes", maxContactBytes)
	}
	return strings.TrimSpace(text), err
}

// location is the position, or nil where there is none.
func (m *Mapping) location(vars map[string]any) (*complaint.Location, error) {
	if m.latitude == nil || m.longitude == nil {
		return nil, nil
	}
	latitude, there, err := m.latitude.degrees(vars, 90)
	if err != nil || !there {
		return nil, err
	}
	longitude, there, err := m.longitude.degrees(vars, 180)
	if err != nil || !there {
		return nil, err
	}
	// Nobody lives there: it is what programs send that were given no position.
	if latitude == 0 && longitude == 0 {
		return nil, nil
	}
	return &complaint.Location{Latitude: latitude, Longitude: longitude}, nil
}

// degrees evaluates to a number or a text of one; false for null and "".
func (e *expression) degrees(vars map[string]any, limit float64) (float64, bool, error) {
	value, err := e.program.Any(vars)
	if err != nil {
		return 0, false, e.failed(err)
	}
	var degrees float64
	switch v := value.(type) {
	case nil:
		return 0, false, nil
	case float64:
		degrees = v
	case int64:
		degrees = float64(v)
	case string:
		text := strings.TrimSpace(v)
		if text == "" {
			return 0, false, nil
		}
		// A decimal comma is how Indonesian writes it.
		if degrees, err = strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64); err != nil {
			return 0, false, e.fault("yields a text that is no number of degrees")
		}
	default:
		return 0, false, e.fault("must yield a number of degrees")
	}
	if !(math.Abs(degrees) <= limit) { // also true for NaN
		return 0, false, e.fault("must be within ±%v degrees", limit)
	}
	return degrees, true, nil
}

// attributes evaluates them all; one that fails leaves the others.
func (m *Mapping) attributes(vars map[string]any) (map[string]string, error) {
	var fault error
	var attributes map[string]string
	for _, a := range m.attribute {
		value, err := a.value.text(vars)
		if err != nil {
			fault = first(fault, err)
			continue
		}
		if value == "" {
			continue
		}
		if attributes == nil {
			attributes = make(map[string]string, len(m.attribute))
		}
		attributes[a.name] = cut(value, complaint.MaxAttributeBytes)
	}
	return attributes, fault
}

// cut shortens a text to the limit at a rune's end.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
