package judge

import (
	"context"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/internal/field"
)

// Source judges what a worker of the channel needs: every expression of the source compiles, and the
// ledger is there. Its Secrets are not looked at.
func (j *Judge) Source(ctx context.Context, objects *Objects, object *v1alpha1.ComplaintChannel) (Verdict, error) {
	if v := verdict(j.once("source", object, nil, func() error { return j.source(object) })); !v.Accepted() {
		return v, nil
	}
	return j.channelLedger(ctx, objects, object)
}

// Promise judges what the complaints of the channel are judged by: its SLA, calendar and taxonomy.
func (j *Judge) Promise(ctx context.Context, objects *Objects, object *v1alpha1.ComplaintChannel) (Verdict, error) {
	for _, check := range []func(context.Context, *Objects, *v1alpha1.ComplaintChannel) (Verdict, error){
		j.channelTaxonomy, j.channelCalendar, j.channelSLA,
	} {
		if v, err := check(ctx, objects, object); err != nil || !v.Accepted() {
			return v, err
		}
	}
	return accepted(), nil
}

func (j *Judge) channelLedger(ctx context.Context, objects *Objects, object *v1alpha1.ComplaintChannel) (Verdict, error) {
	name := index.Ledger(object).Name
	ledger, err := objects.Ledger(ctx, name)
	if err != nil {
		return Verdict{}, err
	}
	if ledger == nil {
		return notFound("spec.ledgerRef", "ComplaintLedger", name), nil
	}
	return accepted(), nil
}

func (j *Judge) channelTaxonomy(ctx context.Context, objects *Objects, object *v1alpha1.ComplaintChannel) (Verdict, error) {
	reference := object.Spec.TaxonomyRef
	if reference == nil {
		return accepted(), nil
	}
	const at = field.Path("spec.taxonomyRef")
	taxonomy, err := objects.Taxonomy(ctx, reference.Name)
	switch {
	case err != nil:
		return Verdict{}, err
	case taxonomy == nil:
		return notFound(at, "ComplaintTaxonomy", reference.Name), nil
	case !j.Taxonomy(taxonomy).Accepted():
		return notAccepted(at, "ComplaintTaxonomy", reference.Name), nil
	}
	return accepted(), nil
}

func (j *Judge) channelCalendar(ctx context.Context, objects *Objects, object *v1alpha1.ComplaintChannel) (Verdict, error) {
	if object.Spec.CalendarRef == nil {
		return accepted(), nil
	}
	_, v, err := j.calendarOf(ctx, objects, "spec.calendarRef", object.Spec.CalendarRef)
	return v, err
}

// channelSLA judges the SLA by itself and together with the channel's calendar.
func (j *Judge) channelSLA(ctx context.Context, objects *Objects, object *v1alpha1.ComplaintChannel) (Verdict, error) {
	reference := object.Spec.SLARef
	if reference == nil {
		return accepted(), nil
	}
	const at = field.Path("spec.slaRef")
	sla, err := objects.SLA(ctx, reference.Name)
	if err != nil {
		return Verdict{}, err
	}
	if sla == nil {
		return notFound(at, "ResponseSLA", reference.Name), nil
	}
	if v, err := j.SLA(ctx, objects, sla); err != nil || !v.Accepted() {
		return notAccepted(at, "ResponseSLA", reference.Name), err
	}
	return j.channelPromise(ctx, objects, object, sla)
}

func (j *Judge) channelPromise(ctx context.Context, objects *Objects, object *v1alpha1.ComplaintChannel, sla *v1alpha1.ResponseSLA) (Verdict, error) {
	var v Verdict
	switch {
	case object.Spec.CalendarRef != nil:
		named, err := objects.Calendar(ctx, object.Spec.CalendarRef.Name)
		if err != nil || named == nil {
			return notFound("spec.calendarRef", "WorkCalendar", object.Spec.CalendarRef.Name), err
		}
		v = j.slaWith(sla, named)
	case sla.Spec.CalendarRef == nil:
		v = verdict(j.once("sla without a calendar", sla, nil, func() error { return compileSLAWithoutCalendar(sla) }))
	default:
		return accepted(), nil // with its own calendar it has been judged
	}
	if !v.Accepted() {
		v.Message = field.Errorf("spec.slaRef", "the ResponseSLA %q with the calendar of this channel: %s", sla.Name, v.Message).Error()
	}
	return v, nil
}
