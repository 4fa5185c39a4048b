// Package pki is the certificate authority of one ledger: the operator makes it, issues the ledger's
// server certificate and its own client certificate, and replaces everything before a third of its
// life is left. It does no I/O and has no clock.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Lives of certificates.
const (
	AuthorityLife = 3 * 365 * 24 * time.Hour
	ServerLife    = 90 * 24 * time.Hour
	ClientLife    = 24 * time.Hour

	// backdate is how far the clocks of pods may lie behind the operator's.
	backdate = time.Hour
	// propagation is how long a new authority is only trusted before it signs: every pod has read the
	// new list by then, as the kubelet renews mounted ConfigMaps within minutes.
	propagation = 24 * time.Hour
)

// Authority is a certificate authority: its certificate and its key.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Authorities are the authorities of a ledger, newest first. All of them are trusted; one signs.
type Authorities []Authority

// Parse reads what CertificatesPEM and KeysPEM wrote.
func Parse(certificates, keys []byte) (Authorities, error) {
	var list Authorities
	for {
		var block *pem.Block
		if block, certificates = pem.Decode(certificates); block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("a certificate of the authority cannot be read")
		}
		if block, keys = pem.Decode(keys); block == nil {
			return nil, errors.New("a key of the authority is missing")
		}
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil || !key.PublicKey.Equal(certificate.PublicKey) {
			return nil, errors.New("a key of the authority does not belong to its certificate")
		}
		list = append(list, Authority{certificate: certificate, key: key})
	}
	return list, nil
}

// Maintain drops the authorities that have expired and adds one when there is none with more than a
// third of its life left. changed says whether it did either. The name is the common name of a new one; it
// must not be that of what it signs.
func (a Authorities) Maintain(name string, now time.Time) (maintained Authorities, changed bool, err error) {
	for _, authority := range a {
		if now.Before(authority.certificate.NotAfter) {
			maintained = append(maintained, authority)
		}
	}
	changed = len(maintained) != len(a)
	if len(maintained) > 0 && now.Before(renewalOf(maintained[0].certificate)) {
		return maintained, changed, nil
	}
	created, err := newAuthority(name, now)
	if err != nil {
		return nil, false, err
	}
	return append(Authorities{created}, maintained...), true, nil
}

// Signer is the authority that signs: the newest one that everybody has had time to learn of, or the
// oldest when there is none such. There must be at least one.
func (a Authorities) Signer(now time.Time) Authority {
	for _, authority := range a {
		if !now.Before(authority.certificate.NotBefore.Add(backdate + propagation)) {
			return authority
		}
	}
	return a[len(a)-1]
}

// NextChange is the next instant at which Maintain or Signer gives something else.
func (a Authorities) NextChange(now time.Time) time.Time {
	next := renewalOf(a[0].certificate)
	for _, authority := range a {
		for _, instant := range []time.Time{authority.certificate.NotAfter, authority.certificate.NotBefore.Add(backdate + propagation)} {
			if instant.After(now) && instant.Before(next) {
				next = instant
			}
		}
	}
	return next
}

// CertificatesPEM are the certificates, which may be known to anybody.
func (a Authorities) CertificatesPEM() []byte {
	var all []byte
	for _, authority := range a {
		all = append(all, encodeCertificate(authority.certificate.Raw)...)
	}
	return all
}

// KeysPEM are the private keys in the order of CertificatesPEM.
func (a Authorities) KeysPEM() ([]byte, error) {
	var all []byte
	for _, authority := range a {
		key, err := encodeKey(authority.key)
		if err != nil {
			return nil, err
		}
		all = append(all, key...)
	}
	return all, nil
}

// Pool is the set of the certificates.
func (a Authorities) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, authority := range a {
		pool.AddCert(authority.certificate)
	}
	return pool
}

func newAuthority(name string, now time.Time) (Authority, error) {
	key, err := newKey()
	if err != nil {
		return Authority{}, err
	}
	template, err := certificateTemplate(name, now, AuthorityLife)
	if err != nil {
		return Authority{}, err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return Authority{}, fmt.Errorf("making a certificate authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return Authority{}, fmt.Errorf("making a certificate authority: %w", err)
	}
	return Authority{certificate: certificate, key: key}, nil
}

// renewalOf is the instant from which less than a third of a certificate's life is left.
func renewalOf(certificate *x509.Certificate) time.Time {
	life := certificate.NotAfter.Sub(certificate.NotBefore)
	return certificate.NotAfter.Add(-life / 3)
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

func certificateTemplate(name string, now time.Time, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-backdate).UTC().Truncate(time.Second),
		NotAfter:     now.Add(life).UTC().Truncate(time.Second),
	}, nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
