package complaintledger

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/names"
	ledgerclient "github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/manifest"
	"github.com/tanggap/tanggap/internal/policy"
)

const (
	// retryPolicy is when a policy is handed over again that did not reach the ledger.
	retryPolicy = 5 * time.Second
	// retryRefused is when one is handed over again that the ledger refused: only another version of the
	// ledger would take it, which in an upgrade is seconds away.
	retryRefused = 30 * time.Second
	// maxPolicyBytes bounds what is read of a recorded policy.
	maxPolicyBytes = 64 << 20
)

// policies remembers, for each ledger, the policy made of a state of the specifications, so that a pass
// without a change compiles nothing.
type policies struct {
	mu sync.Mutex
	by map[types.NamespacedName]*remembered
}

type remembered struct {
	fingerprint string
	document    *policy.Document
	// recorded is the last policy that the ConfigMap held, version the ConfigMap's, and stored the revision of the policy
	// that it holds now; "" while there is none that can be used.
	recorded        *policy.Document
	version, stored string
	// refused is the revision that the ledger does not take, why, and when it said so.
	refused, why string
	refusedAt    time.Time
}

func newPolicies() *policies {
	return &policies{by: map[types.NamespacedName]*remembered{}}
}

// of is what is remembered of a ledger. A ledger is reconciled by one worker at a time.
func (p *policies) of(key types.NamespacedName) *remembered {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by[key] == nil {
		p.by[key] = &remembered{}
	}
	return p.by[key]
}

func (p *policies) forget(key types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.by, key)
}

// handOverPolicy makes the policy of the namespace's specifications and gives it to the ledger if that
// runs another one.
func (r *Reconciler) handOverPolicy(ctx context.Context, s *scope) error {
	known := r.policies.of(s.key)
	if err := r.readRecord(ctx, s, known); err != nil {
		return err
	}
	if err := r.gather(ctx, s, known); err != nil {
		return err
	}
	r.Ledgers.SetPolicy(s.key, known.document)
	view, heard := r.Ledgers.Ledger(s.key)
	if !heard || !view.Connected {
		return nil // the next answer of the ledger wakes this controller
	}
	if view.Revision == known.document.Revision {
		known.refused = ""
		return r.writeRecord(ctx, s, known)
	}
	return r.put(ctx, s, known)
}

func (r *Reconciler) put(ctx context.Context, s *scope, known *remembered) error {
	now := r.Now()
	if known.refused == known.document.Revision && now.Before(known.refusedAt.Add(retryRefused)) {
		s.trouble, s.troubleReason = known.why, v1alpha1.ReasonPolicyRefused
		s.lookAgain(known.refusedAt.Add(retryRefused))
		return nil
	}
	err := r.Ledgers.PutPolicy(ctx, s.key)
	var refusal *ledgerclient.Error
	switch {
	case err == nil:
		return r.writeRecord(ctx, s, known)
	case errors.As(err, &refusal) && !refusal.Retryable():
		known.refused, known.refusedAt = known.document.Revision, now
		known.why = "The ledger does not take the policy: " + refusal.Message
		s.trouble, s.troubleReason = known.why, v1alpha1.ReasonPolicyRefused
		s.lookAgain(now.Add(retryRefused))
		return nil
	default:
		// Whether the ledger answers is told by its condition; this is only tried again.
		s.lookAgain(now.Add(retryPolicy))
		return nil
	}
}

// gather makes the policy anew if a specification has changed.
func (r *Reconciler) gather(ctx context.Context, s *scope, known *remembered) error {
	objects, err := r.objects(ctx, s)
	if err != nil {
		return err
	}
	objects.Previous = known.recorded
	s.channels = int32(len(objects.Channels)) //nolint:gosec // an API server does not hold so many
	if fingerprint := fingerprintOf(objects); fingerprint != known.fingerprint {
		gathered := manifest.Gather(objects)
		known.fingerprint, known.document = fingerprint, &gathered.Document
	}
	return nil
}

// objects are those of the ledger, straight from the cache: they are only read.
func (r *Reconciler) objects(ctx context.Context, s *scope) (manifest.Objects, error) {
	var (
		channels   v1alpha1.ComplaintChannelList
		slas       v1alpha1.ResponseSLAList
		calendars  v1alpha1.WorkCalendarList
		taxonomies v1alpha1.ComplaintTaxonomyList
	)
	here := client.InNamespace(s.key.Namespace)
	for _, list := range []struct {
		of      client.ObjectList
		options []client.ListOption
	}{
		{&channels, []client.ListOption{here, client.MatchingFields{index.ChannelLedger: s.key.Name}, client.UnsafeDisableDeepCopy}},
		{&slas, []client.ListOption{here, client.UnsafeDisableDeepCopy}},
		{&calendars, []client.ListOption{here, client.UnsafeDisableDeepCopy}},
		{&taxonomies, []client.ListOption{here, client.UnsafeDisableDeepCopy}},
	} {
		if err := r.Client.List(ctx, list.of, list.options...); err != nil {
			return manifest.Objects{}, fmt.Errorf("listing the specifications: %w", err)
		}
	}
	return manifest.Objects{
		Ledger: s.ledger, Channels: standing(channels.Items), SLAs: standing(slas.Items),
		Calendars: standing(calendars.Items), Taxonomies: standing(taxonomies.Items), Writer: writer,
	}, nil
}

// standing are the objects that are not being deleted.
func standing[T any, P interface {
	*T
	client.Object
}](items []T) []P {
	list := make([]P, 0, len(items))
	for i := range items {
		if object := P(&items[i]); object.GetDeletionTimestamp() == nil {
			list = append(list, object)
		}
	}
	return list
}

// writer is the user who may append to a channel.
func writer(channel *v1alpha1.ComplaintChannel) string {
	return names.WorkerUser(channel.Namespace, names.Worker(channel.Name))
}

// fingerprintOf changes with every specification, and not with the order in which the cache lists them, which is
// another one each time.
func fingerprintOf(objects manifest.Objects) string {
	var versions []string
	add := func(object client.Object) {
		versions = append(versions, string(object.GetUID())+"/"+strconv.FormatInt(object.GetGeneration(), 10))
	}
	add(objects.Ledger)
	for _, object := range objects.Channels {
		add(object)
	}
	for _, object := range objects.SLAs {
		add(object)
	}
	for _, object := range objects.Calendars {
		add(object)
	}
	for _, object := range objects.Taxonomies {
		add(object)
	}
	slices.Sort(versions)
	if objects.Previous != nil {
		versions = append(versions, objects.Previous.Revision)
	}
	return strings.Join(versions, " ")
}

// readRecord reads the policy that the ledger took over last. It is what an object that has become
// invalid goes on with, also after the operator has been restarted.
func (r *Reconciler) readRecord(ctx context.Context, s *scope, known *remembered) error {
	record := &corev1.ConfigMap{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: s.key.Namespace, Name: names.LedgerPolicy(s.key.Name)}, record)
	if err != nil {
		known.version, known.stored = "", ""
		return client.IgnoreNotFound(err)
	}
	if record.ResourceVersion == known.version {
		return nil
	}
	known.version, known.stored = record.ResourceVersion, ""
	if document, err := unpack(record.BinaryData[names.PolicyKey]); err == nil {
		known.recorded, known.stored = document, document.Revision
	}
	return nil
}

// writeRecord records the policy that the ledger runs, also where somebody has deleted or damaged the record.
func (r *Reconciler) writeRecord(ctx context.Context, s *scope, known *remembered) error {
	if known.stored == known.document.Revision {
		return nil
	}
	packed, err := pack(known.document)
	if err != nil {
		return err
	}
	if err := apply.Object(ctx, r.Client, r.Live, buildPolicy(s.ledger, packed), &corev1.ConfigMap{}); err != nil {
		return err
	}
	known.recorded, known.stored = known.document, known.document.Revision
	return nil
}

// buildPolicy records the policy that a ledger runs.
func buildPolicy(ledger *v1alpha1.ComplaintLedger, packed []byte) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(names.LedgerPolicy(ledger.Name), ledger.Namespace).
		WithLabels(labels(ledger)).WithOwnerReferences(owner(ledger)).
		WithBinaryData(map[string][]byte{names.PolicyKey: packed})
}

// pack makes a document fit into a ConfigMap.
func pack(document *policy.Document) ([]byte, error) {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if err := errors.Join(json.NewEncoder(writer).Encode(document), writer.Close()); err != nil {
		return nil, fmt.Errorf("packing a policy: %w", err)
	}
	return packed.Bytes(), nil
}

func unpack(packed []byte) (*policy.Document, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking a policy: %w", err)
	}
	document := &policy.Document{}
	if err := json.NewDecoder(io.LimitReader(reader, maxPolicyBytes)).Decode(document); err != nil {
		return nil, fmt.Errorf("unpacking a policy: %w", err)
	}
	if document.Revision != document.Digest() {
		return nil, errors.New("unpacking a policy: its revision is not its digest")
	}
	return document, nil
}
