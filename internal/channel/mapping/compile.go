// Package mapping turns decoded JSON into canonical events by the expressions of a channel's
// specification. It is pure: it reads no clock and does no I/O, and the same JSON gives the same
// events with the same identifiers every time it is read.
package mapping

import (
	"errors"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/expr"
	"github.com/tanggap/tanggap/internal/field"
)

// Root is the name of the variable that holds the decoded JSON.
type Root string

// The roots: what a source was answered, what was delivered to it, and a row of a file.
const (
	Response Root = "response"
	Payload  Root = "payload"
	Row      Root = "row"
)

// The variables of single items and of elements of an event rule's forEach.
const (
	itemVariable  = "item"
	entryVariable = "entry"
)

// Compiler compiles mappings of one root. It is safe for concurrent use and worth keeping: making one
// takes longer than compiling an expression.
type Compiler struct {
	root               Root
	whole, item, entry *expr.Env
}

// NewCompiler makes a compiler. An error is a mistake of the program, not of a specification.
func NewCompiler(root Root) (*Compiler, error) {
	c := &Compiler{root: root}
	variables := []expr.Variable{{Name: string(root)}}
	for _, env := range []struct {
		of   **expr.Env
		name string
	}{{&c.whole, itemVariable}, {&c.item, entryVariable}, {&c.entry, ""}} {
		made, err := expr.NewEnv(variables...)
		if err != nil {
			return nil, fmt.Errorf("preparing the expressions of a mapping: %w", err)
		}
		*env.of = made
		variables = append(variables, expr.Variable{Name: env.name})
	}
	return c, nil
}

// Options are what a mapping needs besides its expressions.
type Options struct {
	// Channel is the name of the channel, which its events get.
	Channel string
	// Zone is for times without an offset; nil refuses them.
	Zone *time.Location
}

// Mapping is a compiled EventMapping. It never changes and may be used by any number of goroutines.
type Mapping struct {
	options Options
	root    Root
	items   *expression
	caseID  *expression
	// window is how long messages of a reporter belong together; 0 leaves that to caseID.
	window    time.Duration
	updatedAt *expression
	reporter  reporter
	latitude  *expression
	longitude *expression
	attribute []attribute
	rules     []rule
}

type reporter struct{ phone, email, handle *expression }

type attribute struct {
	name  string
	value *expression
}

// rule is a compiled EventRule; expressions that were not written are nil.
type rule struct {
	path    field.Path
	kind    complaint.Kind
	actor   complaint.Actor
	who     *expression
	forEach *expression
	when    *expression
	at      *expression
	id      *expression
	text    *expression
	to      *expression
	into    *expression
}

// expression is a program and where it stands in the specification.
type expression struct {
	path    field.Path
	program *expr.Program
}

// Compile checks a mapping and makes it ready for use. All faults are reported at once, as field.Errors
// with paths below the mapping such as `events[1].at`.
func (c *Compiler) Compile(spec *v1alpha1.EventMapping, options Options) (*Mapping, error) {
	in := &compilation{}
	m := &Mapping{
		options:   options,
		root:      c.root,
		items:     in.compile(c.whole, "items", spec.Items, expr.List),
		caseID:    in.compile(c.item, "caseID", spec.CaseID, expr.String),
		updatedAt: in.compile(c.item, "updatedAt", spec.UpdatedAt, expr.Any),
	}
	if spec.CaseID == "" {
		in.fault("caseID", "is required")
	}
	if spec.CaseWindow != nil {
		m.window = spec.CaseWindow.Duration
		if spec.Reporter == nil {
			in.fault("reporter", "must be set with caseWindow: it says whose messages belong together")
		}
	}
	if r := spec.Reporter; r != nil {
		m.reporter = reporter{
			phone:  in.compile(c.item, "reporter.phone", r.Phone, expr.String),
			email:  in.compile(c.item, "reporter.email", r.Email, expr.String),
			handle: in.compile(c.item, "reporter.handle", r.Handle, expr.String),
		}
	}
	if l := spec.Location; l != nil {
		m.latitude = in.compile(c.item, "location.latitude", l.Latitude, expr.Any)
		m.longitude = in.compile(c.item, "location.longitude", l.Longitude, expr.Any)
	}
	for i, a := range spec.Attributes {
		path := field.Path("attributes").Index(i).Child("value")
		m.attribute = append(m.attribute, attribute{name: a.Name, value: in.compile(c.item, path, a.Value, expr.String)})
	}
	if len(spec.Events) == 0 {
		in.fault("events", "at least one rule is required")
	}
	for i := range spec.Events {
		m.rules = append(m.rules, c.rule(in, field.Path("events").Index(i), &spec.Events[i]))
	}
	return m, errors.Join(in.errs...)
}

func (c *Compiler) rule(in *compilation, path field.Path, spec *v1alpha1.EventRule) rule {
	env := c.item
	if spec.ForEach != "" {
		env = c.entry
	}
	r := rule{
		path:    path,
		kind:    complaint.Kind(spec.Kind),
		actor:   complaint.Actor(spec.Actor),
		who:     in.compile(env, path.Child("actorExpression"), spec.ActorExpression, expr.String),
		forEach: in.compile(c.item, path.Child("forEach"), spec.ForEach, expr.List),
		when:    in.compile(env, path.Child("when"), spec.When, expr.Bool),
		at:      in.compile(env, path.Child("at"), spec.At, expr.Any),
		id:      in.compile(env, path.Child("id"), spec.ID, expr.String),
		text:    in.compile(env, path.Child("text"), spec.Text, expr.String),
		to:      in.compile(env, path.Child("to"), spec.To, expr.String),
		into:    in.compile(env, path.Child("into"), spec.Into, expr.String),
	}
	if r.actor == "" {
		r.actor = defaultActor(r.kind)
	}
	// The schema says all this as well; a file that no API server has seen gets the same answer.
	if !r.kind.Valid() {
		in.fault(path.Child("kind"), "must be one of %v", complaint.Kinds())
	}
	if !r.actor.Valid() {
		in.fault(path.Child("actor"), "must be one of %v", complaint.Actors())
	}
	if spec.At == "" {
		in.fault(path.Child("at"), "is required")
	}
	if (spec.To != "") != (r.kind == complaint.KindStatusChanged) {
		in.fault(path.Child("to"), "must be set when kind is StatusChanged, and only then")
	}
	if (spec.Into != "") != (r.kind == complaint.KindMerged) {
		in.fault(path.Child("into"), "must be set when kind is Merged, and only then")
	}
	return r
}

func defaultActor(kind complaint.Kind) complaint.Actor {
	if kind == complaint.KindReceived || kind == complaint.KindCitizenMessage {
		return complaint.ActorCitizen
	}
	return complaint.ActorOfficial
}

// compilation gathers the faults of one mapping.
type compilation struct{ errs []error }

func (in *compilation) fault(path field.Path, format string, args ...any) {
	in.errs = append(in.errs, field.Errorf(path, format, args...))
}

// compile is the expression at the path, or nil when there is none or it has a fault.
func (in *compilation) compile(env *expr.Env, path field.Path, source v1alpha1.Expression, want expr.Kind) *expression {
	if source == "" {
		return nil
	}
	program, err := env.Compile(string(source), want)
	if err != nil {
		in.fault(path, "%v", err)
		return nil
	}
	return &expression{path: path, program: program}
}
