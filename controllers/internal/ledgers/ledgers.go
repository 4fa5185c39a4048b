// Package ledgers keeps the operator's connection to each ledger and the newest summary of it, and
// wakes the reconcilers whose objects' statuses it changes.
package ledgers

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tanggap/tanggap/controllers/internal/pki"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/metrics"
	"github.com/tanggap/tanggap/internal/policy"
)

// API is the part of the ledger's client that the operator uses.
type API interface {
	Summary(ctx context.Context, after ledgerapi.Position, wait time.Duration) (*ledgerapi.Summary, error)
	PutPolicy(ctx context.Context, document policy.Document) (ledgerapi.PolicyStatus, error)
	CloseIdleConnections()
}

// Access is how a ledger is reached: its address, whom to trust, and who asks.
type Access struct {
	URL string
	// Trust are the certificates of the ledger's authority in PEM.
	Trust []byte
	// Identity issues the operator's client certificate.
	Identity *pki.Client
}

// Dial makes the client of a ledger.
func Dial(access Access) (API, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(access.Trust) {
		return nil, fmt.Errorf("the ledger's authority has no certificate")
	}
	return client.New(client.Config{
		BaseURL:   access.URL,
		TLS:       client.TLS{RootCAs: roots, Certificate: access.Identity.Certificate},
		Timeout:   requestTimeout,
		UserAgent: "tanggap-operator",
	})
}

// Options are what a Set needs from outside.
type Options struct {
	// Dial makes the client of a ledger.
	Dial func(Access) (API, error)
	// Now is the clock, After waits on it.
	Now    func() time.Time
	After  func(time.Duration) <-chan time.Time
	Logger logr.Logger
}

// Set is all ledgers that the operator knows. It is a Runnable of the leader alone, so that nobody else
// has anything to export. It is safe for concurrent use.
type Set struct {
	options Options

	// Ledgers, Channels, SLAs, Calendars and Taxonomies wake the reconcilers of those kinds.
	Ledgers, Channels, SLAs, Calendars, Taxonomies Feed

	mu      sync.Mutex
	running context.Context //nolint:containedctx // the life of the pollers, which begin at any time
	pollers sync.WaitGroup
	known   map[types.NamespacedName]*ledger
	shown   shown
}

// shown is what the statuses show.
type shown struct {
	ledgers                     map[types.NamespacedName]published[LedgerView]
	channels                    map[types.NamespacedName]map[types.NamespacedName]published[ChannelView] // by ledger
	slas, calendars, taxonomies map[types.NamespacedName]map[types.NamespacedName]published[PolicyView]  // by ledger
}

// ledger is one ledger; the Set's lock guards it.
type ledger struct {
	key    types.NamespacedName
	access Access
	api    API
	stop   context.CancelFunc

	connectedAt time.Time

	// policy is what the ledger is to run, applied what it has taken over as far as the operator knows.
	policy, applied *policy.Document
	putAt           time.Time // when applied was handed over

	// read is what the ledger has said, and summary all of it, to be looked at under the lock only.
	read       ledgerapi.View
	summary    *ledgerapi.Summary
	answeredAt time.Time
	problem    string
}

// New makes an empty Set.
func New(options Options) *Set {
	return &Set{options: options, known: map[types.NamespacedName]*ledger{}, shown: shown{
		ledgers:    map[types.NamespacedName]published[LedgerView]{},
		channels:   map[types.NamespacedName]map[types.NamespacedName]published[ChannelView]{},
		slas:       map[types.NamespacedName]map[types.NamespacedName]published[PolicyView]{},
		calendars:  map[types.NamespacedName]map[types.NamespacedName]published[PolicyView]{},
		taxonomies: map[types.NamespacedName]map[types.NamespacedName]published[PolicyView]{},
	}}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (s *Set) NeedLeaderElection() bool { return true }

// Start reads the ledgers until ctx ends.
func (s *Set) Start(ctx context.Context) error {
	s.mu.Lock()
	s.running = ctx
	for _, l := range s.known {
		s.startPolling(l)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.running = nil // nothing begins any more
	s.mu.Unlock()
	s.pollers.Wait()
	return nil
}

// Connect has a ledger read; it does nothing when the access is the one in use.
func (s *Set) Connect(key types.NamespacedName, access Access) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.known[key]
	if l != nil && l.access.URL == access.URL && l.access.Identity == access.Identity && bytes.Equal(l.access.Trust, access.Trust) {
		return nil
	}
	api, err := s.options.Dial(access)
	if err != nil {
		return fmt.Errorf("connecting to the ledger: %w", err)
	}
	if l == nil {
		l = &ledger{key: key, connectedAt: s.options.Now()}
		s.known[key] = l
	} else {
		s.stopPolling(l)
	}
	l.access, l.api = access, api
	s.startPolling(l)
	return nil
}

// Forget ends the connection to a ledger that is gone, and wakes what depended on it.
func (s *Set) Forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.known[key]
	if l == nil {
		return
	}
	s.stopPolling(l)
	delete(s.known, key)
	delete(s.shown.ledgers, key)
	l.policy = nil
	s.publishParts(l, s.options.Now())
}

// SetPolicy says what a connected ledger is to run.
func (s *Set) SetPolicy(key types.NamespacedName, document *policy.Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.known[key]
	if l == nil || l.policy != nil && l.policy.Revision == document.Revision {
		return
	}
	l.policy = document
	l.noteApplied()
	s.publish(l)
}

// PutPolicy hands the ledger what SetPolicy said.
func (s *Set) PutPolicy(ctx context.Context, key types.NamespacedName) error {
	s.mu.Lock()
	l := s.known[key]
	if l == nil || l.policy == nil {
		s.mu.Unlock()
		return nil
	}
	api, document := l.api, l.policy
	s.mu.Unlock()
	status, err := api.PutPolicy(ctx, *document)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if status.Revision == document.Revision && s.known[key] == l {
		l.applied, l.putAt = document, s.options.Now()
		s.publish(l)
	}
	return nil
}

// noteApplied recognises by its revision the policy that the ledger says it runs.
func (l *ledger) noteApplied() {
	if l.summary != nil && l.policy != nil && l.summary.Policy.Revision == l.policy.Revision {
		l.applied = l.policy
	}
}

// Ledger is what a ledger's status shows; false for one that is not connected.
func (s *Set) Ledger(key types.NamespacedName) (LedgerView, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown, ok := s.shown.ledgers[key]
	return shown.view, ok
}

// Channel is what a channel's status shows; false for one that is not in its ledger's policy.
func (s *Set) Channel(ledger types.NamespacedName, channel string) (ChannelView, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown, ok := s.shown.channels[ledger][types.NamespacedName{Namespace: ledger.Namespace, Name: channel}]
	return shown.view, ok
}

// PolicyOf is one of the kinds that a policy is made of.
type PolicyOf int

// The kinds.
const (
	SLA PolicyOf = iota
	Calendar
	Taxonomy
)

// Policy is how far a ledger has got with an object of its policy; false for one that is not in it.
func (s *Set) Policy(kind PolicyOf, ledger types.NamespacedName, name string) (PolicyView, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.shown.slas
	switch kind {
	case SLA:
	case Calendar:
		of = s.shown.calendars
	case Taxonomy:
		of = s.shown.taxonomies
	}
	shown, ok := of[ledger][types.NamespacedName{Namespace: ledger.Namespace, Name: name}]
	return shown.view, ok
}

// Feed wakes the reconciler of a kind.
func (s *Set) Feed(kind PolicyOf) *Feed {
	switch kind {
	case SLA:
	case Calendar:
		return &s.Calendars
	case Taxonomy:
		return &s.Taxonomies
	}
	return &s.SLAs
}

// Running is the policy that a ledger is to run and the one that it runs, as far as they are known.
func (s *Set) Running(key types.NamespacedName) (wanted, applied *policy.Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.known[key]; l != nil {
		return l.policy, l.applied
	}
	return nil, nil
}

// InNamespace are the connected ledgers of a namespace.
func (s *Set) InNamespace(namespace string) []types.NamespacedName {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []types.NamespacedName
	for key := range s.known {
		if key.Namespace == namespace {
			keys = append(keys, key)
		}
	}
	return keys
}

// Export is all ledgers for the metrics, in the order of their names.
func (s *Set) Export() []metrics.Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	export := make([]metrics.Ledger, 0, len(s.known))
	for _, l := range s.known {
		export = append(export, metrics.Ledger{
			Namespace: l.key.Namespace, Name: l.key.Name,
			Policy: l.policy, Summary: l.read.Summary(), ReadAt: l.answeredAt, AnsweredAt: l.answeredAt,
		})
	}
	slices.SortFunc(export, func(a, b metrics.Ledger) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return export
}
