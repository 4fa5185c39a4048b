package open311

import (
	"errors"
	"strings"
	"time"
)

var (
	errNoOffset = errors.New("has no offset from UTC; set assumeTimeZone if the server's zone is known")
	errNotTime  = errors.New("is not a date and time")
)

// parseTime reads a time as servers write it: the W3C form of the specification, or what common
// frameworks print instead. Without an offset it is of the zone, and refused when there is none. The
// empty text is the zero time.
func parseTime(value text, zone *time.Location) (time.Time, error) {
	s := string(value)
	if s == "" {
		return time.Time{}, nil
	}
	if utc, ok := strings.CutSuffix(s, " UTC"); ok {
		s = utc + "Z"
	}
	// RFC 3339 asks for the T; many print a space.
	if len(s) > 10 && (s[10] == ' ' || s[10] == 't') {
		s = s[:10] + "T" + s[11:]
	}
	s = strings.Replace(s, " ", "", 1) // before the offset
	for _, layout := range [...]string{
		"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	for _, layout := range [...]string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		t, err := time.ParseInLocation(layout, s, zoneOrUTC(zone))
		switch {
		case err != nil:
		case zone == nil:
			return time.Time{}, errNoOffset
		default:
			return t.UTC(), nil
		}
	}
	return time.Time{}, errNotTime
}

func zoneOrUTC(zone *time.Location) *time.Location {
	if zone == nil {
		return time.UTC
	}
	return zone
}
