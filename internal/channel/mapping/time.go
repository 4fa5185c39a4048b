package mapping

import (
	"errors"
	"strings"
	"time"
)

// The errors of ParseTime.
var (
	ErrNoTime   = errors.New("is no time of RFC 3339")
	ErrNoOffset = errors.New("has no offset from UTC")
)

// The layouts of RFC 3339, and the one of ISO 8601 that many libraries write, without the colon.
// Fractions of a second are accepted by all.
const (
	layoutColon  = "2006-01-02T15:04:05Z07:00"
	layoutBasic  = "2006-01-02T15:04:05Z0700"
	layoutNoZone = "2006-01-02T15:04:05"
)

// ParseTime reads a time of RFC 3339 as sources write it. One without an offset is taken to be in the
// zone; a nil zone refuses it. The error is ErrNoTime or ErrNoOffset.
func ParseTime(text string, zone *time.Location) (time.Time, error) {
	// RFC 3339 lets a space stand for the T, and lower case for both letters.
	const atT = len("2006-01-02")
	if len(text) > atT && (text[atT] == ' ' || text[atT] == 't') {
		text = text[:atT] + "T" + text[atT+1:]
	}
	text = strings.TrimSuffix(text, "z") + strings.Repeat("Z", len(text)-len(strings.TrimSuffix(text, "z")))
	for _, layout := range [...]string{layoutColon, layoutBasic} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	local, err := time.Parse(layoutNoZone, text)
	switch {
	case err != nil:
		return time.Time{}, ErrNoTime
	case zone == nil:
		return time.Time{}, ErrNoOffset
	}
	return In(local, zone), nil
}

// In is the instant at which clocks in the zone show what the time shows.
func In(local time.Time, zone *time.Location) time.Time {
	return time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), zone)
}
