// Package index says which object refers to which, so that a change of one reconciles just those that
// depend on it. The API server's cache keeps the indexes.
package index

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/names"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
	"github.com/tanggap/tanggap/internal/field"
)

// The indexes of ComplaintChannel, and of ResponseSLA by its calendar.
const (
	ChannelLedger   = "channel-ledger"
	ChannelSLA      = "channel-sla"
	ChannelCalendar = "channel-calendar"
	ChannelTaxonomy = "channel-taxonomy"
	// ChannelSecret has the Secrets with a channel's credentials and that of its ledger's authority.
	ChannelSecret = "channel-secret"
	SLACalendar   = "sla-calendar"
	// LedgerSecret has the Secrets with the credentials of a ledger's database.
	LedgerSecret = "ledger-secret"
)

// Register adds the indexes to the cache; it is called once, before the cache starts.
func Register(ctx context.Context, indexer client.FieldIndexer) error {
	channel := func(of func(*v1alpha1.ComplaintChannel) []string) client.IndexerFunc {
		return func(object client.Object) []string { return of(object.(*v1alpha1.ComplaintChannel)) }
	}
	for _, i := range []struct {
		object client.Object
		name   string
		values client.IndexerFunc
	}{
		{&v1alpha1.ComplaintChannel{}, ChannelLedger, channel(func(c *v1alpha1.ComplaintChannel) []string { return []string{Ledger(c).Name} })},
		{&v1alpha1.ComplaintChannel{}, ChannelSLA, channel(func(c *v1alpha1.ComplaintChannel) []string { return name(c.Spec.SLARef) })},
		{&v1alpha1.ComplaintChannel{}, ChannelCalendar, channel(func(c *v1alpha1.ComplaintChannel) []string { return name(c.Spec.CalendarRef) })},
		{&v1alpha1.ComplaintChannel{}, ChannelTaxonomy, channel(func(c *v1alpha1.ComplaintChannel) []string { return name(c.Spec.TaxonomyRef) })},
		{&v1alpha1.ComplaintChannel{}, ChannelSecret, channel(secretNames)},
		{&v1alpha1.ResponseSLA{}, SLACalendar, func(object client.Object) []string { return name(object.(*v1alpha1.ResponseSLA).Spec.CalendarRef) }},
		{&v1alpha1.ComplaintLedger{}, LedgerSecret, func(object client.Object) []string {
			return secrets.Names(DatabaseReferences(object.(*v1alpha1.ComplaintLedger)))
		}},
	} {
		if err := indexer.IndexField(ctx, i.object, i.name, i.values); err != nil {
			return fmt.Errorf("adding the index %s: %w", i.name, err)
		}
	}
	return nil
}

// Ledger is the ledger of a channel.
func Ledger(channel *v1alpha1.ComplaintChannel) types.NamespacedName {
	key := types.NamespacedName{Namespace: channel.Namespace, Name: names.DefaultLedger}
	if channel.Spec.LedgerRef != nil {
		key.Name = channel.Spec.LedgerRef.Name
	}
	return key
}

// SecretReferences are the keys of Secrets that a channel uses.
func SecretReferences(channel *v1alpha1.ComplaintChannel) []secrets.Reference {
	return secrets.References(field.Path("spec").Child("source"), channel.Spec.Source)
}

// DatabaseReferences are the keys of Secrets that a ledger uses for its database.
func DatabaseReferences(ledger *v1alpha1.ComplaintLedger) []secrets.Reference {
	return secrets.References(field.Path("spec").Child("storage"), ledger.Spec.Storage)
}

func secretNames(channel *v1alpha1.ComplaintChannel) []string {
	return append(secrets.Names(SecretReferences(channel)), names.LedgerAuthority(Ledger(channel).Name))
}

func name(reference *v1alpha1.LocalReference) []string {
	if reference == nil {
		return nil
	}
	return []string{reference.Name}
}

// Channels are the requests for the channels of a namespace that an index has under a value.
func Channels(ctx context.Context, reader client.Reader, namespace, index, value string) ([]reconcile.Request, error) {
	var list v1alpha1.ComplaintChannelList
	err := reader.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{index: value}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing channels: %w", err)
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests, nil
}

// SLAs are the requests for the SLAs of a namespace that refer to a calendar.
func SLAs(ctx context.Context, reader client.Reader, namespace, calendar string) ([]reconcile.Request, error) {
	var list v1alpha1.ResponseSLAList
	err := reader.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{SLACalendar: calendar}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing SLAs: %w", err)
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests, nil
}

// Ledgers are the names of the ledgers of the channels that an index has under a value.
func Ledgers(ctx context.Context, reader client.Reader, namespace, index, value string) (map[string]bool, error) {
	var list v1alpha1.ComplaintChannelList
	err := reader.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{index: value}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing channels: %w", err)
	}
	ledgers := map[string]bool{}
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			ledgers[Ledger(&list.Items[i]).Name] = true
		}
	}
	return ledgers, nil
}
