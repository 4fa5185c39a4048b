package complaintledger

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/controllers/internal/apply"
	"github.com/tanggap/tanggap/controllers/internal/ledgers"
	"github.com/tanggap/tanggap/controllers/internal/names"
	"github.com/tanggap/tanggap/controllers/internal/pki"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// hashKeyBytes is the size of the key that values of Secrets are hashed with.
const hashKeyBytes = 32

// authority is what the Secret of a ledger's authority holds.
type authority struct {
	authorities pki.Authorities
	hashKey     []byte
}

// serving is what the Secret of a ledger's server certificate holds.
type serving struct{ certificate, key []byte }

// read is what derive makes of one of the ledger's own Secrets; found is false if there is none.
func read[T any](ctx context.Context, reader *secrets.Reader[T], live client.Reader, key types.NamespacedName, variant string, derive func(*corev1.Secret) (T, error)) (value T, found bool, err error) {
	value, err = reader.Get(ctx, key, variant, derive)
	if err == nil {
		return value, true, nil
	}
	if !apierrors.IsNotFound(err) {
		return value, false, err
	}
	// The cache may not know yet what the pass before this one wrote, and a key must not be made twice.
	var secret corev1.Secret
	if err := live.Get(ctx, key, &secret); err != nil {
		return value, false, client.IgnoreNotFound(err)
	}
	value, err = derive(&secret)
	return value, err == nil, err
}

// write applies one of the ledger's own Secrets. A Secret of that name which is not the operator's is a
// conflict.
func (r *Reconciler) write(ctx context.Context, secret *corev1ac.SecretApplyConfiguration) error {
	options := []client.ApplyOption{apply.Owner}
	metadata := secrets.Metadata()
	key := types.NamespacedName{Namespace: *secret.GetNamespace(), Name: *secret.GetName()}
	err := r.Client.Get(ctx, key, metadata)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err == nil {
		if err := r.Live.Get(ctx, key, metadata); err != nil {
			return fmt.Errorf("reading the Secret %s: %w", key.Name, err)
		}
		if !apply.Own(metadata) {
			return fmt.Errorf("writing the Secret %s: %w", key.Name, apply.Taken(metadata.GroupVersionKind().GroupKind(), key.Name))
		}
		options = append(options, client.ForceOwnership)
	}
	if err := r.Client.Apply(ctx, secret, options...); err != nil {
		return fmt.Errorf("writing the Secret %s: %w", key.Name, err)
	}
	return nil
}

// keepAuthority makes the ledger's certificate authority and replaces it in time.
func (r *Reconciler) keepAuthority(ctx context.Context, s *scope) error {
	key := types.NamespacedName{Namespace: s.key.Namespace, Name: names.LedgerAuthority(s.key.Name)}
	current, _, err := read(ctx, r.authorities, r.Live, key, "", parseAuthority)
	if err != nil {
		return err
	}
	now := r.Now()
	maintained, changed, err := current.authorities.Maintain("authority of ledger "+s.key.Name, now)
	if err != nil {
		return err
	}
	if len(current.hashKey) != hashKeyBytes {
		changed = true
		current.hashKey = make([]byte, hashKeyBytes)
		rand.Read(current.hashKey)
	}
	if changed {
		keys, err := maintained.KeysPEM()
		if err != nil {
			return err
		}
		if err := r.write(ctx, buildAuthority(s.ledger, map[string][]byte{
			corev1.TLSCertKey: maintained.CertificatesPEM(), corev1.TLSPrivateKeyKey: keys, names.HashKey: current.hashKey,
		})); err != nil {
			return err
		}
	}
	s.authorities, s.hashKey = maintained, current.hashKey
	s.lookAgain(maintained.NextChange(now))
	return nil
}

// parseAuthority reads the Secret of an authority. One that somebody has damaged is as good as none and
// is made anew: everything that it signs is issued by the operator and can be issued again.
func parseAuthority(secret *corev1.Secret) (authority, error) {
	parsed := authority{hashKey: secret.Data[names.HashKey]}
	if authorities, err := pki.Parse(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]); err == nil {
		parsed.authorities = authorities
	}
	return parsed, nil
}

// keepServing issues the ledger's server certificate and replaces it in time.
func (r *Reconciler) keepServing(ctx context.Context, s *scope) error {
	key := types.NamespacedName{Namespace: s.key.Namespace, Name: names.LedgerServing(s.key.Name)}
	current, _, err := read(ctx, r.servings, r.Live, key, "", func(secret *corev1.Secret) (serving, error) {
		return serving{secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]}, nil
	})
	if err != nil {
		return err
	}
	now, signer := r.Now(), s.authorities.Signer(r.Now())
	hosts := servingHosts(s.key)
	if renewAt, good := signer.StillGood(current.certificate, current.key, hosts, now); good {
		s.lookAgain(renewAt)
		return nil
	}
	issued, err := signer.IssueServer(hosts, now)
	if err != nil {
		return err
	}
	s.lookAgain(issued.RenewAt)
	return r.write(ctx, buildServing(s.ledger, issued.CertificatePEM, issued.KeyPEM))
}

// servingHosts are the names of the ledger's Service, the shortest first: it is the common name, which
// has 64 characters at most.
func servingHosts(key types.NamespacedName) []string {
	service := names.Ledger(key.Name)
	return []string{service, service + "." + key.Namespace, names.LedgerHost(key), names.LedgerHost(key) + ".cluster.local"}
}

// connect has the ledger read.
func (r *Reconciler) connect(_ context.Context, s *scope) error {
	return r.Ledgers.Connect(s.key, ledgers.Access{
		URL:      names.LedgerURL(s.key),
		Trust:    s.authorities.CertificatesPEM(),
		Identity: r.clients.of(s.key, s.authorities.Signer(r.Now())),
	})
}

// clients are the operator's own certificates, one for each ledger.
type clients struct {
	now func() time.Time

	mu sync.Mutex
	by map[types.NamespacedName]*pki.Client
}

func newClients(now func() time.Time) *clients {
	return &clients{now: now, by: map[types.NamespacedName]*pki.Client{}}
}

func (c *clients) of(key types.NamespacedName, signer pki.Authority) *pki.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.by[key]
	if known == nil {
		known = pki.NewClient(ledgerapi.OperatorCommonName, signer, c.now)
		c.by[key] = known
	}
	known.SetSigner(signer)
	return known
}

func (c *clients) forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.by, key)
}
