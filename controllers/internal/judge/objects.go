package judge

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

// Objects are the specifications of a namespace, each read once in a pass, so that the pass judges one
// state of them.
type Objects struct {
	reader    client.Reader
	namespace string

	slas       map[string]*v1alpha1.ResponseSLA
	calendars  map[string]*v1alpha1.WorkCalendar
	taxonomies map[string]*v1alpha1.ComplaintTaxonomy
	ledgers    map[string]*v1alpha1.ComplaintLedger
}

// NewObjects reads from the operator's cache.
func NewObjects(reader client.Reader, namespace string) *Objects {
	return &Objects{
		reader: reader, namespace: namespace,
		slas:       map[string]*v1alpha1.ResponseSLA{},
		calendars:  map[string]*v1alpha1.WorkCalendar{},
		taxonomies: map[string]*v1alpha1.ComplaintTaxonomy{},
		ledgers:    map[string]*v1alpha1.ComplaintLedger{},
	}
}

// SLA is the ResponseSLA of that name; nil if there is none.
func (o *Objects) SLA(ctx context.Context, name string) (*v1alpha1.ResponseSLA, error) {
	return lookup(ctx, o, o.slas, name, &v1alpha1.ResponseSLA{})
}

// Calendar is the WorkCalendar of that name; nil if there is none.
func (o *Objects) Calendar(ctx context.Context, name string) (*v1alpha1.WorkCalendar, error) {
	return lookup(ctx, o, o.calendars, name, &v1alpha1.WorkCalendar{})
}

// Taxonomy is the ComplaintTaxonomy of that name; nil if there is none.
func (o *Objects) Taxonomy(ctx context.Context, name string) (*v1alpha1.ComplaintTaxonomy, error) {
	return lookup(ctx, o, o.taxonomies, name, &v1alpha1.ComplaintTaxonomy{})
}

// Ledger is the ComplaintLedger of that name; nil if there is none.
func (o *Objects) Ledger(ctx context.Context, name string) (*v1alpha1.ComplaintLedger, error) {
	return lookup(ctx, o, o.ledgers, name, &v1alpha1.ComplaintLedger{})
}

// lookup reads an object once. One that is being deleted is as good as gone.
func lookup[T interface {
	comparable
	client.Object
}](ctx context.Context, o *Objects, known map[string]T, name string, into T,
) (T, error) {
	var none T
	if object, ok := known[name]; ok {
		return object, nil
	}
	err := o.reader.Get(ctx, types.NamespacedName{Namespace: o.namespace, Name: name}, into)
	switch {
	case apierrors.IsNotFound(err) || err == nil && into.GetDeletionTimestamp() != nil:
		known[name] = none
		return none, nil
	case err != nil:
		return none, fmt.Errorf("reading %s: %w", name, err)
	}
	known[name] = into
	return into, nil
}
