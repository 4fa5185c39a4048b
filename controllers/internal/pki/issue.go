package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ServerCertificate is a server's certificate and key in PEM.
type ServerCertificate struct {
	CertificatePEM, KeyPEM []byte
	// RenewAt is when less than a third of its life is left.
	RenewAt time.Time
}

// IssueServer makes a certificate for a server with those host names, the first of which is its common name.
func (a Authority) IssueServer(hosts []string, now time.Time) (ServerCertificate, error) {
	der, key, err := a.issue(hosts[0], hosts, x509.ExtKeyUsageServerAuth, now, ServerLife)
	if err != nil {
		return ServerCertificate{}, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return ServerCertificate{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return ServerCertificate{}, fmt.Errorf("issuing a certificate: %w", err)
	}
	return ServerCertificate{CertificatePEM: encodeCertificate(der), KeyPEM: keyPEM, RenewAt: renewalOf(certificate)}, nil
}

// StillGood says whether a server certificate can stay: it is of this authority, for those hosts, has
// its key, and more than a third of its life is left. renewAt is when that ends.
func (a Authority) StillGood(certificatePEM, keyPEM []byte, hosts []string, now time.Time) (renewAt time.Time, good bool) {
	if _, err := tls.X509KeyPair(certificatePEM, keyPEM); err != nil {
		return time.Time{}, false
	}
	block, _ := pem.Decode(certificatePEM)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil || certificate.CheckSignatureFrom(a.certificate) != nil || !slices.Equal(certificate.DNSNames, hosts) {
		return time.Time{}, false
	}
	renewAt = renewalOf(certificate)
	return renewAt, now.Before(renewAt)
}

func (a Authority) issue(name string, hosts []string, usage x509.ExtKeyUsage, now time.Time, life time.Duration) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	template, err := certificateTemplate(name, now, life)
	if err != nil {
		return nil, nil, err
	}
	if template.NotAfter.After(a.certificate.NotAfter) {
		template.NotAfter = a.certificate.NotAfter
	}
	template.DNSNames = hosts
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("issuing a certificate: %w", err)
	}
	return der, key, nil
}

// Client issues a client its certificate whenever it needs one. The certificate lives in memory only.
// It is safe for concurrent use.
type Client struct {
	name string
	now  func() time.Time

	mu      sync.Mutex
	signer  Authority
	current *tls.Certificate
	renewAt time.Time
}

// NewClient is a client of that common name whose certificates the authority signs.
func NewClient(name string, signer Authority, now func() time.Time) *Client {
	return &Client{name: name, signer: signer, now: now}
}

// SetSigner changes who signs; the next Certificate is of the new authority.
func (c *Client) SetSigner(signer Authority) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.signer.certificate.Equal(signer.certificate) {
		c.signer, c.current = signer, nil
	}
}

// Certificate is a certificate of which more than a third of its life is left.
func (c *Client) Certificate() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.current != nil && now.Before(c.renewAt) {
		return c.current, nil
	}
	der, key, err := c.signer.issue(c.name, nil, x509.ExtKeyUsageClientAuth, now, ClientLife)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("issuing a certificate: %w", err)
	}
	c.current, c.renewAt = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, renewalOf(leaf)
	return c.current, nil
}
