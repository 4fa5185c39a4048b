package policy

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// Policy is a compiled Document; it never changes and may be used by any number of goroutines.
type Policy struct {
	// Revision is the document's.
	Revision string
	// Retention is the document's, as durations.
	Retention CompiledRetention
	// LinkingWindow is the largest time between two cases that are linked; 0 links nothing.
	LinkingWindow time.Duration

	channels map[string]*Rules
}

// CompiledRetention says how long personal data is kept after a case is closed.
type CompiledRetention struct {
	// Content is for texts, locations and attributes; negative is for ever.
	Content time.Duration
	// Handles is for raw handles; negative is for ever, and 0 keeps none.
	Handles time.Duration
	// Idle is how long after its last event an open case counts as closed; negative is never. It is in
	// whole microseconds, as instants are.
	Idle time.Duration
	// StoreHandles keeps raw handles at all.
	StoreHandles bool
}

// Rules are what the cases of one channel are judged by.
type Rules struct {
	// Name is the channel's, Channel its part of the document.
	Name    string
	Channel Channel
	// SLA is nil for a channel that promises nothing.
	SLA *sla.Policy
	// Calendar is the channel's own, else the SLA's; nil is none.
	Calendar *calendar.Calendar
	// Taxonomy is nil where every complaint is uncategorized.
	Taxonomy *taxonomy.Taxonomy
	// Digest changes with everything that can change how a case is judged, and with nothing else: not with
	// the objective, the writer or the retention.
	Digest string
}

// Channel is the rules of the channel; nil if the policy does not name it.
func (p *Policy) Channel(name string) *Rules {
	if p == nil {
		return nil
	}
	return p.channels[name]
}

// Channels are the names of the channels in their order.
func (p *Policy) Channels() []string {
	if p == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(p.channels))
}

// Affects lists the channels of the new policy whose cases have to be judged again: those whose rules
// are others than in the old one, or that it did not name. Either may be nil.
func Affects(old, next *Policy) []string {
	var affected []string
	for _, name := range next.Channels() {
		if before := old.Channel(name); before == nil || before.Digest != next.channels[name].Digest {
			affected = append(affected, name)
		}
	}
	return affected
}

// Compile checks a document and makes a Policy of it. All faults are reported at once, as field.Error
// with paths such as `slas.city.rules[0].clocks[1].target`, in the order of the paths. A specification
// that no channel uses is checked as well.
func Compile(document Document) (*Policy, error) {
	c := &compiler{document: &document, slas: map[compiledSLA]*sla.Policy{}, reported: map[string]struct{}{}}
	p := &Policy{Revision: document.Revision, channels: make(map[string]*Rules, len(document.Channels))}
	switch digest := document.Digest(); document.Revision {
	case "":
		p.Revision = digest
	case digest:
	default:
		c.add(field.Errorf("revision", "is not the digest of this document"))
	}
	c.calendars = compileEach(c, "calendars", document.Calendars, calendar.Compile)
	c.taxonomies = compileEach(c, "taxonomies", document.Taxonomies, taxonomy.Compile)
	c.unusedSLAs()
	p.Retention = c.retention()
	for _, name := range slices.Sorted(maps.Keys(document.Channels)) {
		p.channels[name] = c.channel(name, &p.Retention)
	}
	if window := c.document.Linking.Window; window != "" {
		p.LinkingWindow = c.duration("linking.window", window)
	}
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return p, nil
}

// compiledSLA names an SLA together with the calendar it is compiled with.
type compiledSLA struct{ sla, calendar string }

// compiler compiles the parts of a document once, however many channels use them.
type compiler struct {
	document   *Document
	calendars  map[string]*calendar.Calendar
	taxonomies map[string]*taxonomy.Taxonomy
	slas       map[compiledSLA]*sla.Policy
	faults     []error
	// reported keeps a fault of an SLA from being told once for each calendar.
	reported map[string]struct{}
}

func (c *compiler) add(faults ...*field.Error) {
	for _, f := range faults {
		if _, again := c.reported[f.Error()]; !again {
			c.reported[f.Error()] = struct{}{}
			c.faults = append(c.faults, f)
		}
	}
}

// within adds what is wrong with the part of the document at the path.
func (c *compiler) within(at field.Path, err error) { c.add(field.All(field.Within(at, err))...) }

// compileEach compiles the specifications of one kind; what does not compile is nil.
func compileEach[S, T any](c *compiler, kind field.Path, specs map[string]S, compile func(S) (*T, error)) map[string]*T {
	compiled := make(map[string]*T, len(specs))
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		part, err := compile(specs[name])
		c.within(kind.Child(name), err)
		if err != nil {
			part = nil
		}
		compiled[name] = part
	}
	return compiled
}

// unusedSLAs checks the SLAs that no channel uses, with their own calendars if they have one.
func (c *compiler) unusedSLAs() {
	used := map[string]struct{}{}
	for _, channel := range c.document.Channels {
		used[channel.SLA] = struct{}{}
	}
	for _, name := range slices.Sorted(maps.Keys(c.document.SLAs)) {
		if _, ok := used[name]; ok {
			continue
		}
		at, spec := field.Path("slas").Child(name), c.document.SLAs[name]
		if spec.CalendarRef == nil {
			c.within(at, sla.Check(spec))
			continue
		}
		c.sla(name, c.calendarOf(at.Child("calendarRef.name"), spec.CalendarRef.Name))
	}
}

func referenced(spec sla.Spec) string {
	if spec.CalendarRef == nil {
		return ""
	}
	return spec.CalendarRef.Name
}

func (c *compiler) channel(name string, retention *CompiledRetention) *Rules {
	channel := c.document.Channels[name]
	at := field.Path("channels").Child(name)
	r := &Rules{Name: name, Channel: channel}
	spec, promised := c.document.SLAs[channel.SLA]
	if channel.SLA != "" && !promised {
		c.add(field.Errorf(at.Child("sla"), "there is no ResponseSLA %q", channel.SLA))
	}
	calendarName := c.calendarOf(at.Child("calendar"), channel.Calendar)
	if channel.Calendar == "" {
		calendarName = c.calendarOf(field.Path("slas").Child(channel.SLA).Child("calendarRef.name"), referenced(spec))
	}
	r.Calendar = c.calendars[calendarName]
	if promised {
		r.SLA = c.sla(channel.SLA, calendarName)
	}
	var known bool
	if r.Taxonomy, known = c.taxonomies[channel.Taxonomy]; channel.Taxonomy != "" && !known {
		c.add(field.Errorf(at.Child("taxonomy"), "there is no ComplaintTaxonomy %q", channel.Taxonomy))
	}
	r.Digest = c.digest(&channel, spec, calendarName, retention)
	return r
}

// calendarOf is the name of the calendar, or "" if there is none of that name.
func (c *compiler) calendarOf(at field.Path, name string) string {
	if _, known := c.calendars[name]; name != "" && !known {
		c.add(field.Errorf(at, "there is no WorkCalendar %q", name))
		return ""
	}
	return name
}

// sla compiles an SLA with a calendar, once for all channels that share both.
func (c *compiler) sla(name, calendarName string) *sla.Policy {
	key := compiledSLA{name, calendarName}
	if compiled, ok := c.slas[key]; ok {
		return compiled
	}
	if calendarName == "" && referenced(c.document.SLAs[name]) != "" || calendarName != "" && c.calendars[calendarName] == nil {
		return nil // the fault lies in the calendar and is reported there
	}
	compiled, err := sla.Compile(c.document.SLAs[name], sla.Options{Calendar: c.calendars[calendarName]})
	c.within(field.Path("slas").Child(name), err)
	c.slas[key] = compiled
	return compiled
}

func (c *compiler) retention() CompiledRetention {
	r := c.document.Retention
	compiled := CompiledRetention{Content: -1, Handles: -1, Idle: -1, StoreHandles: r.StoreHandles}
	if r.Content != "" {
		compiled.Content = c.duration("retention.content", r.Content)
	}
	if r.Handles != "" {
		compiled.Handles = c.duration("retention.handles", r.Handles)
	}
	if r.Idle != "" {
		compiled.Idle = c.duration("retention.idle", r.Idle).Truncate(time.Microsecond)
	}
	if !r.StoreHandles {
		compiled.Handles = 0
	}
	return compiled
}

func (c *compiler) duration(at field.Path, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		c.add(field.Errorf(at, "must be a duration above 0, such as 720h"))
	}
	return d
}
