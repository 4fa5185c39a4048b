package reload

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"
	"time"
)

// Certificate is a certificate and its key in two PEM files. It is safe for concurrent use.
type Certificate struct {
	cert, key *File

	mu                      sync.Mutex
	certVersion, keyVersion int
	current                 *tls.Certificate
}

// NewCertificate reads the pair and fails when it is missing or does not fit together.
func NewCertificate(certFile, keyFile string, now func() time.Time) (*Certificate, error) {
	c := &Certificate{cert: NewFile(certFile, now), key: NewFile(keyFile, now)}
	if _, err := c.Get(); err != nil {
		return nil, err
	}
	return c, nil
}

// Get is the newest pair that fits together: while just one of the files has been replaced, the old
// pair stays.
func (c *Certificate) Get() (*tls.Certificate, error) {
	cert, certVersion, err := c.cert.Read()
	if err != nil {
		return nil, err
	}
	key, keyVersion, err := c.key.Read()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && certVersion == c.certVersion && keyVersion == c.keyVersion {
		return c.current, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		c.current, c.certVersion, c.keyVersion = &pair, certVersion, keyVersion
	case c.current == nil:
		return nil, fmt.Errorf("loading a certificate: %w", err)
	}
	return c.current, nil
}

// Pool is a set of CA certificates in a PEM file. It is safe for concurrent use.
type Pool struct {
	file *File

	mu      sync.Mutex
	version int
	current *x509.CertPool
}

// NewPool reads the file and fails when it is missing or holds no certificate.
func NewPool(caFile string, now func() time.Time) (*Pool, error) {
	p := &Pool{file: NewFile(caFile, now)}
	if _, _, err := p.Get(); err != nil {
		return nil, err
	}
	return p, nil
}

// Get is the newest set, and a version that grows when it changes. A file that was replaced by one
// without certificates leaves the old set.
func (p *Pool) Get() (pool *x509.CertPool, version int, err error) {
	pem, version, err := p.file.Read()
	if err != nil {
		return nil, 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil && version == p.version {
		return p.current, p.version, nil
	}
	pool = x509.NewCertPool()
	switch {
	case pool.AppendCertsFromPEM(pem):
		p.current, p.version = pool, version
	case p.current == nil:
		return nil, 0, fmt.Errorf("loading certificates: %s holds no PEM certificate", p.file.path)
	}
	return p.current, p.version, nil
}
