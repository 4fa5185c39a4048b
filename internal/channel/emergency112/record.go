package emergency112

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/mapping"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/expr"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// member is a member of an incident as it arrives.
type member int

const (
	incidentID member = iota
	callType
	receivedAt
	verifiedAt
	dispatchedAt
	disposedAt
	disposition
	closedAt
	reopenedAt
	reclassifiedAt
	category
	priority
	department
	description
	callerPhone
	latitude
	longitude

	members = iota
)

// maxPhoneBytes is what an event takes of a number.
const maxPhoneBytes = 256

// record is an incident as texts, whatever it arrived as.
type record struct {
	values [members]string
	// strange are members that are there and are no texts.
	strange [members]bool
	// untyped says that the type of the call is not known of any incident, and all are complaints.
	untyped bool
}

// reader makes incidents of records.
type reader struct {
	rules
	// name is how a member is called in messages.
	name func(m member) string
	// layout of times in Go's notation, "" is RFC 3339; zone is that of times without an offset, nil refuses them.
	layout string
	zone   *time.Location
}

// understood is what became of a record.
type understood struct {
	events  []complaint.Event
	skipped bool
	// newest is the newest instant of the record.
	newest time.Time
	// problem is the first thing that was wrong with it; nil is nothing. What could be understood is there
	// all the same: an incident without its position is still an incident.
	problem *channel.Error
}

// read makes an incident of the record, and events of it.
func (r *reader) read(rec *record) (u understood) {
	i := incident{
		id: rec.values[incidentID], callType: rec.values[callType], category: rec.values[category], priority: rec.values[priority],
		department: rec.values[department], description: rec.values[description], disposition: rec.values[disposition],
		phone: rec.values[callerPhone],
	}
	fault := func(m member, format string, args ...any) {
		if u.problem == nil {
			u.problem = &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: r.name(m) + " " + fmt.Sprintf(format, args...)}
		}
	}
	for m := range rec.strange {
		if rec.strange[m] {
			fault(member(m), "is neither a text nor a number")
		}
	}
	for _, t := range [...]struct {
		of member
		at *time.Time
	}{
		{receivedAt, &i.receivedAt}, {verifiedAt, &i.verifiedAt}, {dispatchedAt, &i.dispatchedAt}, {disposedAt, &i.disposedAt},
		{closedAt, &i.closedAt}, {reopenedAt, &i.reopenedAt}, {reclassifiedAt, &i.reclassifiedAt},
	} {
		at, err := r.time(rec.values[t.of])
		if err != nil {
			fault(t.of, "%v", err)
		}
		*t.at = at
		if at.After(u.newest) {
			u.newest = at
		}
	}
	switch {
	case i.id == "":
		u.problem = nil
		fault(incidentID, "is missing")
		return u
	case len(i.id) > complaint.MaxIDBytes:
		u.problem = nil
		fault(incidentID, "has more than %d bytes", complaint.MaxIDBytes)
		return u
	case i.callType == "" && !rec.untyped:
		fault(callType, "is missing")
		return u
	case i.receivedAt.IsZero() && rec.values[receivedAt] == "":
		fault(receivedAt, "is missing")
		return u
	case i.receivedAt.IsZero():
		return u
	}
	if rec.untyped {
		for counted := range r.count {
			i.callType = counted
		}
	}
	if len(i.phone) > maxPhoneBytes {
		fault(callerPhone, "has more than %d bytes", maxPhoneBytes)
		i.phone = ""
	}
	var err error
	if i.location, err = position(rec.values[latitude], rec.values[longitude]); err != nil {
		fault(latitude, "and %s %v", r.name(longitude), err)
	}
	u.events, u.skipped = r.events(&i)
	for k := range u.events {
		if err := u.events[k].Validate(); err != nil {
			return understood{newest: u.newest, problem: &channel.Error{Reason: ledgerapi.ReasonInvalidEvent, Message: strings.ReplaceAll(err.Error(), "\n", "; ")}}
		}
	}
	return u
}

// time reads a time; "" is none.
func (r *reader) time(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if r.layout == "" {
		at, err := mapping.ParseTime(text, r.zone)
		if errors.Is(err, mapping.ErrNoOffset) {
			return at, errors.New("is a time without offset: set assumeTimeZone")
		}
		return at, err
	}
	at, err := expr.ParseTime(text, r.layout, r.zone)
	switch {
	case errors.Is(err, expr.ErrNoZone):
		return time.Time{}, errors.New("is a time without offset: set assumeTimeZone")
	case err != nil:
		return time.Time{}, errors.New("is no time of timeLayout")
	}
	return at, nil
}

// position reads degrees; nil is none. Nobody lives at 0, 0: it is what programs write that were given no
// position.
func position(lat, lon string) (*complaint.Location, error) {
	if lat == "" || lon == "" {
		return nil, nil
	}
	latitude, err := degrees(lat, 90)
	if err != nil {
		return nil, err
	}
	longitude, err := degrees(lon, 180)
	if err != nil || latitude == 0 && longitude == 0 {
		return nil, err
	}
	return &complaint.Location{Latitude: latitude, Longitude: longitude}, nil
}

func degrees(text string, limit float64) (float64, error) {
	// A decimal comma is how Indonesian writes it.
	value, err := strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64)
	if err != nil {
		return 0, errors.New("are no numbers of degrees")
	}
	if !(math.Abs(value) <= limit) { // also true for NaN
		return 0, errors.New("must be within ±90 and ±180 degrees")
	}
	return value, nil
}
