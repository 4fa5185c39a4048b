package sla

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/expr"
	"github.com/tanggap/tanggap/internal/field"
)

// Bounds of a specification, those of the custom resource.
const (
	maxNameBytes   = 63
	maxWithin      = 17568 * time.Hour // two years
	maxWorkingTime = 8784 * time.Hour
	maxWorkingDays = 366
	minWindow      = time.Hour
	maxWindow      = 8784 * time.Hour
)

// Compile checks a specification and makes a Policy of it. All faults are reported at once, as
// field.Error with paths such as `rules[0].clocks[1].target`.
func Compile(spec Spec, options Options) (*Policy, error) {
	c := compiler{options: options}
	p := &Policy{
		calendar:        options.Calendar,
		answeredBy:      c.answeredBy(spec.AnsweredBy),
		acknowledgement: c.acknowledgement(spec.Acknowledgement),
		objective:       c.objective(spec.Objective),
		rules:           c.rules(spec.Rules),
	}
	if spec.EnforceFrom != nil {
		p.enforceFrom = instantOf(*spec.EnforceFrom)
	}
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return p, nil
}

// Check says what is wrong with a specification that leaves its calendar to the channels, as Compile does.
func Check(spec Spec) error {
	_, err := Compile(spec, Options{Calendar: new(calendar.Calendar)})
	return err
}

// compiler gathers everything that is wrong with a specification.
type compiler struct {
	options Options
	faults  []error
	env     *expr.Env // of rules; made when the first rule has a match
}

func (c *compiler) add(p field.Path, format string, args ...any) {
	c.faults = append(c.faults, field.Errorf(p, format, args...))
}

// name checks a name that becomes a label's value.
func (c *compiler) name(at field.Path, name string, seen map[string]field.Path) {
	switch first, again := seen[name]; {
	case name == "":
		c.add(at, "must not be empty")
	case len(name) > maxNameBytes:
		c.add(at, "has %d bytes, at most %d are allowed", len(name), maxNameBytes)
	case again:
		c.add(at, "%q already stands at %s", name, first)
	default:
		seen[name] = at
	}
}

func (c *compiler) answeredBy(actors []string) []complaint.Actor {
	if len(actors) == 0 {
		return []complaint.Actor{complaint.ActorOfficial}
	}
	var all []complaint.Actor
	for i, a := range actors {
		at, actor := field.Path("answeredBy").Index(i), complaint.Actor(a)
		switch {
		case !actor.Valid() || actor == complaint.ActorCitizen:
			c.add(at, "must be one of official, bot, system")
		case slices.Contains(all, actor):
			c.add(at, "%s stands twice in this list", actor)
		default:
			all = append(all, actor)
		}
	}
	return all
}

func (c *compiler) acknowledgement(a *Acknowledgement) *expr.Program {
	if a == nil {
		return nil
	}
	env, err := eventEnv()
	return c.expression("acknowledgement.match", a.Match, env, err)
}

func (c *compiler) expression(at field.Path, source string, env *expr.Env, err error) *expr.Program {
	if err != nil {
		c.add(at, "%v", err)
		return nil
	}
	program, err := env.Compile(source, expr.Bool)
	if err != nil {
		c.add(at, "%v", err)
	}
	return program
}

func (c *compiler) objective(o *Objective) *ObjectiveValue {
	if o == nil {
		return nil
	}
	ratio, err := strconv.ParseFloat(o.Ratio, 64)
	if decimal := regexp.MustCompile(`^[01](\.[0-9]{1,6})?$`); err != nil || !decimal.MatchString(o.Ratio) || ratio <= 0 || ratio > 1 {
		c.add("objective.ratio", "must be a decimal above 0 and at most 1, such as 0.95")
	}
	window, err := time.ParseDuration(o.Window)
	if err != nil || window < minWindow || window > maxWindow {
		c.add("objective.window", "must be a duration from %s to %s, such as 720h", short(minWindow), short(maxWindow))
	}
	return &ObjectiveValue{Ratio: ratio, Window: window}
}

func (c *compiler) rules(specs []Rule) []rule {
	if len(specs) == 0 {
		c.add("rules", "must not be empty")
	}
	rules := make([]rule, len(specs))
	names := map[string]field.Path{}
	for i := range specs {
		spec, at := &specs[i], field.Path("rules").Index(i)
		c.name(at.Child("name"), spec.Name, names)
		r := rule{name: spec.Name, resolvedAnswers: true}
		if spec.Match != "" {
			var err error
			if c.env == nil {
				c.env, err = complaintEnv()
			}
			r.match = c.expression(at.Child("match"), spec.Match, c.env, err)
		}
		clocks := map[string]field.Path{}
		for j := range spec.Clocks {
			r.clocks = append(r.clocks, c.clock(at.Child("clocks").Index(j), &spec.Clocks[j], clocks))
			if last := &r.clocks[j]; last.measures == MeasureFirstAnswer && !last.resolvedAnswers {
				r.resolvedAnswers = false
			}
		}
		rules[i] = r
	}
	return rules
}

func (c *compiler) clock(at field.Path, spec *Clock, names map[string]field.Path) clock {
	c.name(at.Child("name"), spec.Name, names)
	if spec.Name != "" && !regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`).MatchString(spec.Name) {
		c.add(at.Child("name"), "must start with a letter and have letters, digits, '_' and '-' only")
	}
	k := clock{name: spec.Name, measures: Measure(spec.Measures), standstill: phaseCancelled, resolvedAnswers: true}
	switch k.measures {
	case MeasureAcknowledgement, MeasureFirstAnswer, MeasureNextReply, MeasureFirstResolution:
	case MeasureTotalResolution:
		k.standstill |= phaseResolved
	default:
		c.add(at.Child("measures"), "must be one of %s, %s, %s, %s, %s", MeasureAcknowledgement,
			MeasureFirstAnswer, MeasureNextReply, MeasureFirstResolution, MeasureTotalResolution)
	}
	switch spec.StartsOn {
	case "", "Received":
	case "Assigned":
		k.onAssigned = true
		if k.measures == MeasureNextReply {
			c.add(at.Child("startsOn"), "a NextReply clock starts at the citizen's message, not on Assigned")
		}
	default:
		c.add(at.Child("startsOn"), "must be Received or Assigned")
	}
	if r := spec.ResolvedCountsAsAnswer; r != nil {
		k.resolvedAnswers = *r
		if k.measures != MeasureFirstAnswer {
			c.add(at.Child("resolvedCountsAsAnswer"), "only a FirstAnswer clock has it")
		}
	}
	k.standstill |= c.pauses(at.Child("pauseWhile"), spec.PauseWhile)
	var ok bool
	if k.target, ok = c.target(at.Child("target"), &spec.Target); ok && spec.WarnBefore != "" {
		k.warning = c.warning(at.Child("warnBefore"), spec.WarnBefore, k.target)
	}
	return k
}

func (c *compiler) pauses(at field.Path, statuses []string) phaseKind {
	var pauses phaseKind
	for i, s := range statuses {
		kind := pausing(complaint.Status(s))
		switch {
		case kind == 0:
			c.add(at.Index(i), "must be %s or %s", complaint.StatusAwaitingCitizen, complaint.StatusAwaitingThirdParty)
		case pauses&kind != 0:
			c.add(at.Index(i), "%s stands twice in this list", s)
		}
		pauses |= kind
	}
	return pauses
}

// target reads a target; ok is false when it is no target at all, so that there is no more to say.
func (c *compiler) target(at field.Path, spec *Target) (t target, ok bool) {
	given := 0
	for _, set := range [...]bool{spec.Within != "", spec.WorkingTime != "", spec.WorkingDays != 0} {
		if set {
			given++
		}
	}
	if given != 1 {
		c.add(at, "exactly one of within, workingTime and workingDays must be set")
		return t, false
	}
	if spec.WorkingDays == 0 && (spec.DayOne != "" || spec.DueAt != "") {
		c.add(at, "dayOne and dueAt go with workingDays only")
	}
	switch {
	case spec.Within != "":
		t.measure = wallTime
		t.amount, ok = c.duration(at.Child("within"), spec.Within, maxWithin)
		return t, ok
	case spec.WorkingTime != "":
		t.measure = openTime
		t.amount, ok = c.duration(at.Child("workingTime"), spec.WorkingTime, maxWorkingTime)
		c.needsCalendar(at.Child("workingTime"))
		return t, ok
	}
	t.measure, t.days, ok = workingDates, int(spec.WorkingDays), true
	if t.days < 1 || t.days > maxWorkingDays {
		c.add(at.Child("workingDays"), "must be from 1 to %d", maxWorkingDays)
		ok = false
	}
	c.needsCalendar(at.Child("workingDays"))
	t.sameDay = c.choice(at.Child("dayOne"), spec.DayOne, "NextWorkingDay", "SameDay")
	t.endOfDay = c.choice(at.Child("dueAt"), spec.DueAt, "EndOfWorkingDay", "EndOfDay")
	return t, ok
}

func (c *compiler) needsCalendar(at field.Path) {
	if c.options.Calendar == nil {
		c.add(at, "needs a calendar: set the calendarRef of the SLA or of the channel")
	}
}

// choice reports whether a setting is the other of two values than its default.
func (c *compiler) choice(at field.Path, value, byDefault, other string) bool {
	if value != "" && value != byDefault && value != other {
		c.add(at, "must be %s or %s", byDefault, other)
	}
	return value == other
}

func (c *compiler) duration(at field.Path, s string, limit time.Duration) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		c.add(at, "must be a duration such as 15m or 8h")
	case d <= 0 || d > limit:
		c.add(at, "must be longer than 0s and at most %s", short(limit))
	case d%time.Second != 0:
		c.add(at, "must be whole seconds")
	default:
		return d, true
	}
	return 0, false
}

func (c *compiler) warning(at field.Path, s string, t target) warning {
	if percent, ok := strings.CutSuffix(s, "%"); ok {
		n, err := strconv.Atoi(percent)
		if err != nil || n < 1 || n > 100 {
			c.add(at, "must be a percentage from 1%% to 100%%, or a duration such as 30m")
		}
		return warning{percent: int64(n)}
	}
	limit := t.amount
	if t.measure == workingDates {
		// How long a working day is differs; none is longer than this.
		limit = time.Duration(t.days) * 24 * time.Hour
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil || d <= 0 || d%time.Second != 0:
		c.add(at, "must be a percentage from 1%% to 100%%, or a duration of whole seconds such as 30m")
	case d > limit:
		c.add(at, "must not be longer than the target, which is %s", t)
	}
	return warning{amount: d}
}

// String is the target as a person says it.
func (t target) String() string {
	switch t.measure {
	case wallTime:
		return short(t.amount)
	case openTime:
		return short(t.amount) + " of working time"
	default:
		if t.days == 1 {
			return "1 working day"
		}
		return fmt.Sprintf("%d working days", t.days)
	}
}
