// Package judge decides whether a specification can be accepted: whether what it refers to exists and
// everything in it compiles. Compiling is done once for each generation of an object.
package judge

import (
	"context"
	"regexp"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/manifest"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// Verdict is what the condition Accepted says.
type Verdict struct {
	// Reason is one of the reasons of ConditionAccepted.
	Reason string
	// Message names the field and what is wrong with it.
	Message string
}

// Accepted says that nothing is wrong.
func (v Verdict) Accepted() bool { return v.Reason == v1alpha1.ReasonAccepted }

func accepted() Verdict {
	return Verdict{Reason: v1alpha1.ReasonAccepted, Message: "The specification is valid."}
}

// Judge judges specifications. It is safe for concurrent use.
type Judge struct {
	// source checks the source of a channel: every expression of it compiles.
	source func(*v1alpha1.ComplaintChannel) error

	mu       sync.Mutex
	compiled map[subject]compilation
}

// subject is what was compiled: an object, or an SLA together with a calendar.
type subject struct {
	what          string
	object, other types.UID
}

type compilation struct {
	generation, otherGeneration int64
	err                         error
}

// New makes a Judge; source checks the source of a channel.
func New(source func(*v1alpha1.ComplaintChannel) error) *Judge {
	return &Judge{source: source, compiled: map[subject]compilation{}}
}

// once compiles an object unless its generation, and that of the other object, has been compiled.
func (j *Judge) once(what string, object, other client.Object, compile func() error) error {
	at := subject{what: what, object: object.GetUID()}
	now := compilation{generation: object.GetGeneration()}
	if other != nil {
		at.other, now.otherGeneration = other.GetUID(), other.GetGeneration()
	}
	j.mu.Lock()
	known, ok := j.compiled[at]
	j.mu.Unlock()
	if ok && known.generation == now.generation && known.otherGeneration == now.otherGeneration {
		return known.err
	}
	now.err = compile()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.compiled[at] = now
	return now.err
}

// Calendar judges a WorkCalendar.
func (j *Judge) Calendar(object *v1alpha1.WorkCalendar) Verdict {
	return verdict(j.once("calendar", object, nil, func() error {
		spec, err := manifest.Calendar(object)
		if err != nil {
			return err
		}
		_, err = calendar.Compile(spec)
		return err
	}))
}

// Taxonomy judges a ComplaintTaxonomy.
func (j *Judge) Taxonomy(object *v1alpha1.ComplaintTaxonomy) Verdict {
	return verdict(j.once("taxonomy", object, nil, func() error {
		spec, err := manifest.Taxonomy(object)
		if err != nil {
			return err
		}
		_, err = taxonomy.Compile(spec)
		return err
	}))
}

// SLA judges a ResponseSLA by itself: its calendar must be there and accepted. One that names none is
// checked as if it had one, since the channels that use it may bring theirs.
func (j *Judge) SLA(ctx context.Context, objects *Objects, object *v1alpha1.ResponseSLA) (Verdict, error) {
	if object.Spec.CalendarRef == nil {
		return verdict(j.once("sla", object, nil, func() error { return compileSLA(object, everOpen()) })), nil
	}
	named, v, err := j.calendarOf(ctx, objects, "spec.calendarRef", object.Spec.CalendarRef)
	if err != nil || !v.Accepted() {
		return v, err
	}
	return j.slaWith(object, named), nil
}

// slaWith judges an SLA together with an accepted calendar.
func (j *Judge) slaWith(object *v1alpha1.ResponseSLA, with *v1alpha1.WorkCalendar) Verdict {
	return verdict(j.once("sla", object, with, func() error {
		spec, err := manifest.Calendar(with)
		if err != nil {
			return err
		}
		return compileSLA(object, spec)
	}))
}

func compileSLA(object *v1alpha1.ResponseSLA, with calendar.Spec) error {
	spec, err := manifest.SLA(object)
	if err != nil {
		return err
	}
	compiled, err := calendar.Compile(with)
	if err != nil {
		return err
	}
	_, err = sla.Compile(spec, sla.Options{Calendar: compiled})
	return err
}

// compileSLAWithoutCalendar is for a channel that has no calendar at all.
func compileSLAWithoutCalendar(object *v1alpha1.ResponseSLA) error {
	spec, err := manifest.SLA(object)
	if err != nil {
		return err
	}
	_, err = sla.Compile(spec, sla.Options{})
	return err
}

// everOpen stands for the calendar that a channel will bring.
func everOpen() calendar.Spec {
	return calendar.Spec{TimeZone: "UTC", Weekly: []calendar.WeeklyHours{{
		Days:  []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
		Hours: []calendar.Interval{{Start: "00:00", End: "24:00"}},
	}}}
}

// calendarOf finds an accepted calendar.
func (j *Judge) calendarOf(ctx context.Context, objects *Objects, at field.Path, reference *v1alpha1.LocalReference) (*v1alpha1.WorkCalendar, Verdict, error) {
	named, err := objects.Calendar(ctx, reference.Name)
	switch {
	case err != nil:
		return nil, Verdict{}, err
	case named == nil:
		return nil, notFound(at, "WorkCalendar", reference.Name), nil
	case !j.Calendar(named).Accepted():
		return nil, notAccepted(at, "WorkCalendar", reference.Name), nil
	}
	return named, accepted(), nil
}

func notFound(at field.Path, kind, name string) Verdict {
	return Verdict{v1alpha1.ReasonReferenceNotFound, field.Errorf(at, "there is no %s %q in this namespace", kind, name).Error()}
}

func notAccepted(at field.Path, kind, name string) Verdict {
	return Verdict{v1alpha1.ReasonReferenceNotAccepted, field.Errorf(at, "the %s %q is not accepted; see its conditions", kind, name).Error()}
}

// place is how the message of an expression's fault begins.
var place = regexp.MustCompile(`^line \d+, column \d+: `)

// verdict puts the faults of a specification into words.
func verdict(err error) Verdict {
	if err == nil {
		return accepted()
	}
	reason := v1alpha1.ReasonInvalidSpec
	if faults := field.All(err); len(faults) > 0 && place.MatchString(faults[0].Message) {
		reason = v1alpha1.ReasonInvalidExpression
	}
	return Verdict{Reason: reason, Message: manifest.Message(err)}
}
