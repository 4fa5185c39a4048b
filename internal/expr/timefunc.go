package expr

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// ownFunctions are the functions of this package.
func ownFunctions() []cel.EnvOption {
	z := &zones{}
	three := []*cel.Type{cel.StringType, cel.StringType, cel.StringType}
	options := []cel.EnvOption{
		cel.Function("parseTime", cel.Overload("parse_time_string_string_string", three, cel.TimestampType,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				return timestamp(z.parse(string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))))
			}))),
		cel.Function("formatTime", cel.Overload("format_time_timestamp_string_string",
			[]*cel.Type{cel.TimestampType, cel.StringType, cel.StringType}, cel.StringType,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				text, err := z.format(args[0].(types.Timestamp).Time, string(args[1].(types.String)), string(args[2].(types.String)))
				if err != nil {
					return types.WrapErr(err)
				}
				return types.String(text)
			}))),
		cel.Function(overloads.TypeConvertString, cel.Overload(overloads.DoubleToString,
			[]*cel.Type{cel.DoubleType}, cel.StringType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return types.String(formatDouble(float64(v.(types.Double)))) }))),
	}
	return append(options, unix("unixSeconds", 1), unix("unixMillis", 1e-3))
}

// unix is a function from a number since 1970, or its text, to the instant; unit is in seconds.
func unix(name string, unit float64) cel.EnvOption {
	overload := func(kind string, t *cel.Type, number func(ref.Val) (whole int64, fraction float64, err error)) cel.FunctionOpt {
		return cel.Overload(strings.ToLower(name)+"_"+kind, []*cel.Type{t}, cel.TimestampType, cel.UnaryBinding(func(v ref.Val) ref.Val {
			whole, fraction, err := number(v)
			if err != nil {
				return types.WrapErr(err)
			}
			return timestamp(instant(whole, fraction, unit), nil)
		}))
	}
	return cel.Function(name,
		overload("int", cel.IntType, func(v ref.Val) (int64, float64, error) { return int64(v.(types.Int)), 0, nil }),
		overload("double", cel.DoubleType, func(v ref.Val) (int64, float64, error) { return split(float64(v.(types.Double))) }),
		overload("string", cel.StringType, func(v ref.Val) (int64, float64, error) {
			text := strings.TrimSpace(string(v.(types.String)))
			if i, err := strconv.ParseInt(text, 10, 64); err == nil {
				return i, 0, nil
			}
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return 0, 0, fault("the text is not a number")
			}
			return split(f)
		}),
	)
}

// split cuts a number into its whole part and its fraction.
func split(f float64) (int64, float64, error) {
	if !(math.Abs(f) < 1<<62) { // also false for NaN
		return 0, 0, fault("the time is out of range")
	}
	whole, fraction := math.Modf(f)
	return int64(whole), fraction, nil
}

// instant is the time of a number of units since 1970; the fraction is kept to microseconds.
func instant(whole int64, fraction, unit float64) time.Time {
	if unit < 1 {
		return time.UnixMilli(whole).Add(time.Duration(math.Round(fraction*1e3)) * time.Microsecond)
	}
	return time.Unix(whole, 0).Add(time.Duration(math.Round(fraction*1e6)) * time.Microsecond)
}

// timestamp is the CEL value of an instant, which must lie in the years 1 to 9999.
func timestamp(t time.Time, err error) ref.Val {
	if err != nil {
		return types.WrapErr(err)
	}
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		return types.WrapErr(fault("the time is out of range"))
	}
	return types.Timestamp{Time: t.UTC()}
}

// formatDouble writes a number without an exponent as far as a person would.
func formatDouble(f float64) string {
	if math.Abs(f) < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// zones are the locations that were asked for; reading one anew takes longer than the rest of an
// evaluation. Names that do not exist are not kept, so there are no more than the database has.
type zones struct{ known sync.Map }

var zonePattern = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,3}$`)

// find is the location of an IANA name; "" is UTC. "Local" would make a result depend on the machine.
func (z *zones) find(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if location, ok := z.known.Load(name); ok {
		return location.(*time.Location), nil
	}
	if name == "Local" || len(name) > 64 || !zonePattern.MatchString(name) {
		return nil, errZone
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, errZone
	}
	z.known.Store(name, location)
	return location, nil
}

const errZone = fault("the time zone is unknown")

func (z *zones) format(t time.Time, layout, name string) (string, error) {
	location, err := z.find(name)
	if err != nil {
		return "", err
	}
	return t.In(location).Format(layout), nil
}

// parse reads the text by Go's layout; see ParseTime.
func (z *zones) parse(text, layout, name string) (time.Time, error) {
	if name == "" {
		return ParseTime(text, layout, nil)
	}
	location, err := z.find(name)
	if err != nil {
		return time.Time{}, err
	}
	return ParseTime(text, layout, location)
}

// The errors of ParseTime.
const (
	ErrNoZone = fault("the layout has no offset from UTC, so the time zone must be given")
	ErrNoTime = fault("the text is not a time of the given layout")
)

// ParseTime reads the text by Go's layout, with English or Indonesian names of months and days. A
// layout without an offset needs the zone, else it may be nil; a zone abbreviation (MST in the layout)
// is one of WIB, WITA, WIT, UTC and GMT, as others stand for several offsets. The error is ErrNoZone or
// ErrNoTime.
func ParseTime(text, layout string, zone *time.Location) (time.Time, error) {
	offset := strings.Contains(layout, "-07") || strings.Contains(layout, "Z07")
	if strings.Contains(layout, "MST") {
		offset = true
		layout = strings.Replace(layout, "MST", "-0700", 1)
		text = abbreviationToOffset(text)
	}
	if zone == nil {
		if !offset {
			return time.Time{}, ErrNoZone
		}
		zone = time.UTC
	}
	text = englishNames(strings.TrimSpace(text), strings.Contains(layout, "January"), strings.Contains(layout, "Monday"))
	t, err := time.ParseInLocation(layout, text, zone)
	if err != nil {
		return time.Time{}, ErrNoTime
	}
	return t, nil
}

func abbreviationToOffset(text string) string {
	for _, z := range [...]struct{ name, offset string }{
		{"WITA", "+0800"}, {"WIB", "+0700"}, {"WIT", "+0900"}, {"UTC", "+0000"}, {"GMT", "+0000"},
	} {
		for i := len(text) - len(z.name); i >= 0; i-- {
			if rest := text[i:]; strings.EqualFold(rest[:len(z.name)], z.name) {
				return text[:i] + z.offset + rest[len(z.name):]
			}
		}
	}
	return text
}
