package manifest

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// Objects are those of one ledger: itself, the channels that use it, and all SLAs, calendars and
// taxonomies of its namespace.
type Objects struct {
	Ledger     *v1alpha1.ComplaintLedger
	Channels   []*v1alpha1.ComplaintChannel
	SLAs       []*v1alpha1.ResponseSLA
	Calendars  []*v1alpha1.WorkCalendar
	Taxonomies []*v1alpha1.ComplaintTaxonomy
	// Writer is the Kubernetes user name that may append to a channel.
	Writer func(channel *v1alpha1.ComplaintChannel) string
	// Previous is the document in force, if there is one. A specification that is at fault, or deleted and
	// still referred to, keeps the form it has there, so that a mistake changes nothing that works.
	Previous *policy.Document
}

// Gathered is the policy of a ledger, and what is wrong with the objects it was gathered from.
type Gathered struct {
	// Document compiles. It has the channels without a fault, those at fault that the previous document
	// had, and of the other kinds what they use. It is sealed.
	Document policy.Document
	// The faults by the object's name; an object without one is not there. They hold a field.Error for
	// each fault, with paths within the object's spec.
	Channels, SLAs, Calendars, Taxonomies map[string]error
}

// Gather makes the policy of a ledger.
func Gather(o Objects) Gathered {
	g := newGatherer(o.Previous)
	for _, object := range o.Calendars {
		g.calendar(object)
	}
	for _, object := range o.Taxonomies {
		g.taxonomy(object)
	}
	for _, object := range o.SLAs {
		g.sla(object)
	}
	g.Document.Channels = map[string]policy.Channel{}
	for _, object := range o.Channels {
		g.channel(object, o.Writer(object))
	}
	g.use()
	if o.Ledger != nil {
		g.Document.Retention, g.Document.Linking = Retention(o.Ledger), Linking(o.Ledger)
	}
	g.Document = g.Document.Seal()
	return g.Gathered
}

// gatherer holds what has been found valid so far.
type gatherer struct {
	Gathered
	previous policy.Document
	// usable has every specification that may be used: that of an object without a fault, or else the
	// previous one of its name. calendars has those of it compiled.
	usable    policy.Document
	calendars map[string]*calendar.Calendar
	// exists has the names of the objects there are, by kind.
	exists map[objectName]struct{}
	// checked remembers what was wrong with an SLA under a calendar.
	checked map[slaUnder]error
}

type objectName struct{ kind, name string }

type slaUnder struct{ sla, calendar string }

func newGatherer(previous *policy.Document) *gatherer {
	g := &gatherer{
		Gathered: Gathered{
			Channels: map[string]error{}, SLAs: map[string]error{}, Calendars: map[string]error{}, Taxonomies: map[string]error{},
		},
		calendars: map[string]*calendar.Calendar{},
		exists:    map[objectName]struct{}{},
		checked:   map[slaUnder]error{},
	}
	if previous != nil {
		g.previous = *previous
	}
	g.usable = policy.Document{SLAs: copied(g.previous.SLAs), Calendars: copied(g.previous.Calendars), Taxonomies: copied(g.previous.Taxonomies)}
	for name, spec := range g.usable.Calendars {
		if compiled, err := calendar.Compile(spec); err == nil {
			g.calendars[name] = compiled
		}
	}
	return g
}

func copied[S any](specs map[string]S) map[string]S {
	result := make(map[string]S, len(specs))
	maps.Copy(result, specs)
	return result
}

func (g *gatherer) calendar(object *v1alpha1.WorkCalendar) {
	g.exists[objectName{"WorkCalendar", object.Name}] = struct{}{}
	spec, err := Calendar(object)
	var compiled *calendar.Calendar
	if err == nil {
		compiled, err = calendar.Compile(spec)
	}
	if err != nil {
		g.Calendars[object.Name] = err
		return
	}
	g.usable.Calendars[object.Name], g.calendars[object.Name] = spec, compiled
}

func (g *gatherer) taxonomy(object *v1alpha1.ComplaintTaxonomy) {
	g.exists[objectName{"ComplaintTaxonomy", object.Name}] = struct{}{}
	spec, err := Taxonomy(object)
	if err == nil {
		_, err = taxonomy.Compile(spec)
	}
	if err != nil {
		g.Taxonomies[object.Name] = err
		return
	}
	g.usable.Taxonomies[object.Name] = spec
}

// sla judges an SLA with its own calendar. Whether the channels of one without bring one is judged with
// each channel.
func (g *gatherer) sla(object *v1alpha1.ResponseSLA) {
	g.exists[objectName{"ResponseSLA", object.Name}] = struct{}{}
	spec, err := SLA(object)
	if err == nil {
		err = g.checkSLA(spec)
	}
	if err != nil {
		g.SLAs[object.Name] = err
		return
	}
	g.usable.SLAs[object.Name] = spec
}

func (g *gatherer) checkSLA(spec sla.Spec) error {
	if spec.CalendarRef == nil {
		return sla.Check(spec)
	}
	name := spec.CalendarRef.Name
	if err := g.reference("calendarRef.name", "WorkCalendar", name, g.calendars[name] != nil); err != nil {
		return err
	}
	_, err := sla.Compile(spec, sla.Options{Calendar: g.calendars[name]})
	return err
}

// reference is the fault of a reference to an object that is missing or cannot be used; "" refers to none.
func (g *gatherer) reference(at field.Path, kind, name string, usable bool) error {
	if name == "" {
		return nil
	}
	if _, ok := g.exists[objectName{kind, name}]; !ok {
		return field.Errorf(at, "there is no %s %q in this namespace", kind, name)
	}
	if !usable {
		return field.Errorf(at, "the %s %q is not valid; its own condition says why", kind, name)
	}
	return nil
}

func (g *gatherer) channel(object *v1alpha1.ComplaintChannel, writer string) {
	channel := Channel(object, writer)
	err := g.references(channel)
	if err == nil {
		err = g.promise(channel)
	}
	if err != nil {
		g.Channels[object.Name] = err
		before, ok := g.previous.Channels[object.Name]
		if !ok {
			return
		}
		// The references stay as they were; who may write, and whether anybody may, is as it is now.
		channel.SLA, channel.Calendar, channel.Taxonomy = before.SLA, before.Calendar, before.Taxonomy
		if g.promise(channel) != nil && !g.restore(channel) {
			return
		}
	}
	g.Document.Channels[object.Name] = channel
}

func (g *gatherer) references(channel policy.Channel) error {
	_, promised := g.usable.SLAs[channel.SLA]
	_, classified := g.usable.Taxonomies[channel.Taxonomy]
	return errors.Join(
		g.reference("slaRef.name", "ResponseSLA", channel.SLA, promised),
		g.reference("calendarRef.name", "WorkCalendar", channel.Calendar, g.calendars[channel.Calendar] != nil),
		g.reference("taxonomyRef.name", "ComplaintTaxonomy", channel.Taxonomy, classified),
	)
}

// promise is why the channel's SLA cannot be kept by its calendar.
func (g *gatherer) promise(channel policy.Channel) error {
	spec, promised := g.usable.SLAs[channel.SLA]
	if !promised {
		return nil
	}
	under := slaUnder{channel.SLA, calendarOf(channel, spec)}
	err, known := g.checked[under]
	if !known {
		_, err = sla.Compile(spec, sla.Options{Calendar: g.calendars[under.calendar]})
		g.checked[under] = err
	}
	if err != nil {
		return field.Errorf("slaRef.name", "the ResponseSLA %q cannot be used here: %s", channel.SLA, Message(err))
	}
	return nil
}

// calendarOf is the name of the calendar that an SLA has on a channel; "" is none.
func calendarOf(channel policy.Channel, spec sla.Spec) string {
	if channel.Calendar == "" && spec.CalendarRef != nil {
		return spec.CalendarRef.Name
	}
	return channel.Calendar
}

// restore gives the channel's SLA the form that is in force, for all channels: valid by itself, it has become
// one that needs a calendar, and this channel has none. Without an SLA that it can keep the channel would
// leave the policy, and the ledger refuse the channel's events. It is false where the old form is no help.
func (g *gatherer) restore(channel policy.Channel) bool {
	before, ok := g.previous.SLAs[channel.SLA]
	if !ok {
		return false
	}
	if _, err := sla.Compile(before, sla.Options{Calendar: g.calendars[calendarOf(channel, before)]}); err != nil {
		return false
	}
	g.usable.SLAs[channel.SLA] = before
	return true
}

// use puts what the channels use into the document.
func (g *gatherer) use() {
	d := &g.Document
	d.SLAs, d.Calendars, d.Taxonomies = map[string]sla.Spec{}, map[string]calendar.Spec{}, map[string]taxonomy.Spec{}
	for _, channel := range d.Channels {
		take(channel.Calendar, d.Calendars, g.usable.Calendars)
		take(channel.Taxonomy, d.Taxonomies, g.usable.Taxonomies)
		take(channel.SLA, d.SLAs, g.usable.SLAs)
		if spec, ok := d.SLAs[channel.SLA]; ok && spec.CalendarRef != nil {
			take(spec.CalendarRef.Name, d.Calendars, g.usable.Calendars)
		}
	}
}

func take[S any](name string, into, from map[string]S) {
	if spec, ok := from[name]; ok {
		into[name] = spec
	}
}

// Bounds of a message: a condition's text is read in a terminal.
const (
	maxFaults  = 4
	maxMessage = 1024
)

// Message is what is wrong in one line, for a condition: the first faults, each with its path below spec.
func Message(err error) string {
	if err == nil {
		return ""
	}
	faults := field.All(err)
	if len(faults) == 0 {
		return truncate(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	var parts []string
	for i, f := range faults {
		if i == maxFaults {
			parts = append(parts, fmt.Sprintf("and %d more", len(faults)-i))
			break
		}
		path := "spec"
		if f.Path != "" {
			path += "." + string(f.Path)
		}
		parts = append(parts, path+": "+f.Message)
	}
	return truncate(strings.Join(parts, "; "))
}

func truncate(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
}
