package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func made(t *testing.T, at time.Time) Authorities {
	t.Helper()
	authorities, changed, err := Authorities(nil).Maintain("authority of ledger depok", at)
	if err != nil || !changed || len(authorities) != 1 {
		t.Fatalf("got %d authorities, changed %v, error %v", len(authorities), changed, err)
	}
	return authorities
}

func maintained(t *testing.T, a Authorities, at time.Time) (Authorities, bool) {
	t.Helper()
	after, changed, err := a.Maintain("authority of ledger depok", at)
	if err != nil {
		t.Fatal(err)
	}
	return after, changed
}

func TestAnAuthorityIsReplacedBeforeAThirdOfItsLifeIsLeft(t *testing.T) {
	first := made(t, start)
	if _, changed := maintained(t, first, start.Add(AuthorityLife/2)); changed {
		t.Error("an authority in the middle of its life was replaced")
	}
	renewal := first.NextChange(start.Add(2 * day))
	if left := first[0].certificate.NotAfter.Sub(renewal); left < AuthorityLife/3 {
		t.Errorf("%v of %v are left at the renewal", left, AuthorityLife)
	}
	both, changed := maintained(t, first, renewal)
	if !changed || len(both) != 2 {
		t.Fatalf("at the renewal there are %d authorities, changed %v", len(both), changed)
	}
	if _, again := maintained(t, both, renewal.Add(time.Minute)); again {
		t.Error("the new authority was replaced at once")
	}

	// Everybody has to trust the new one before it signs.
	if signer := both.Signer(renewal.Add(time.Hour)); !signer.certificate.Equal(first[0].certificate) {
		t.Error("the new authority signs before anybody can know it")
	}
	if next := both.NextChange(renewal.Add(time.Hour)); next.Sub(renewal) > propagation {
		t.Errorf("the change of the signer is looked at %v after the renewal", next.Sub(renewal))
	}
	if signer := both.Signer(renewal.Add(propagation)); !signer.certificate.Equal(both[0].certificate) {
		t.Error("the new authority does not sign after a day")
	}

	// The old one is trusted to its end and then forgotten.
	end := first[0].certificate.NotAfter
	if _, changed := maintained(t, both, end.Add(-time.Second)); changed {
		t.Error("the old authority was forgotten early")
	}
	if left, changed := maintained(t, both, end); !changed || len(left) != 1 || !left[0].certificate.Equal(both[0].certificate) {
		t.Errorf("after its end %d authorities are left, changed %v", len(left), changed)
	}
}

func TestAnAuthorityThatWasNotLookedAfterForYearsIsMadeAnew(t *testing.T) {
	after, changed := maintained(t, made(t, start), start.Add(2*AuthorityLife))
	if !changed || len(after) != 1 {
		t.Fatalf("got %d authorities, changed %v", len(after), changed)
	}
	if signer := after.Signer(start.Add(2 * AuthorityLife)); !signer.certificate.Equal(after[0].certificate) {
		t.Error("the only authority does not sign")
	}
}

func TestAuthoritiesSurviveTheirSecret(t *testing.T) {
	both, _ := maintained(t, made(t, start), start.Add(AuthorityLife-day))
	keys, err := both.KeysPEM()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Parse(both.CertificatesPEM(), keys)
	if err != nil || len(read) != 2 || !read[0].certificate.Equal(both[0].certificate) || !read[1].key.Equal(both[1].key) {
		t.Fatalf("read %d authorities, error %v", len(read), err)
	}
	if empty, err := Parse(nil, nil); err != nil || len(empty) != 0 {
		t.Errorf("of nothing: %d authorities, error %v", len(empty), err)
	}
	other, err := made(t, start).KeysPEM()
	if err != nil {
		t.Fatal(err)
	}
	for sentence, secret := range map[string][2][]byte{
		"keys are missing":             {both.CertificatesPEM(), nil},
		"a key belongs to another one": {made(t, start).CertificatesPEM(), other},
		"a certificate is no one":      {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), keys},
	} {
		if _, err := Parse(secret[0], secret[1]); err == nil {
			t.Errorf("%s: no error", sentence)
		}
	}
}

func TestAServerCertificateStaysAsLongAsItIsGood(t *testing.T) {
	authorities := made(t, start)
	hosts := []string{"ledger-ledger.depok.svc", "ledger-ledger"}
	issued, err := authorities[0].IssueServer(hosts, start)
	if err != nil {
		t.Fatal(err)
	}
	good := func(a Authority, cert, key []byte, hosts []string, at time.Time) bool {
		renewAt, good := a.StillGood(cert, key, hosts, at)
		if good && !renewAt.Equal(issued.RenewAt) {
			t.Errorf("renewed at %v or at %v", renewAt, issued.RenewAt)
		}
		return good
	}
	if !good(authorities[0], issued.CertificatePEM, issued.KeyPEM, hosts, start.Add(50*day)) {
		t.Error("a certificate in the middle of its life is replaced")
	}
	if left := start.Add(ServerLife).Sub(issued.RenewAt); left < ServerLife/3 {
		t.Errorf("%v of %v are left at the renewal", left, ServerLife)
	}
	other, err := authorities[0].IssueServer(hosts, start)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, kept := range map[string]bool{
		"with less than a third of its life":  good(authorities[0], issued.CertificatePEM, issued.KeyPEM, hosts, start.Add(61*day)),
		"of another authority":                good(made(t, start)[0], issued.CertificatePEM, issued.KeyPEM, hosts, start),
		"for other hosts":                     good(authorities[0], issued.CertificatePEM, issued.KeyPEM, hosts[:1], start),
		"with the key of another certificate": good(authorities[0], issued.CertificatePEM, other.KeyPEM, hosts, start),
		"without a key":                       good(authorities[0], issued.CertificatePEM, nil, hosts, start),
		"that is not there":                   good(authorities[0], nil, nil, hosts, start),
	} {
		if kept {
			t.Errorf("a certificate %s is kept", sentence)
		}
	}
}

// TestServerAndClientTrustEachOther does a handshake of what the ledger and the operator use.
func TestServerAndClientTrustEachOther(t *testing.T) {
	now := start
	clock := func() time.Time { return now }
	authorities := made(t, now)
	client := NewClient("tanggap-operator", authorities.Signer(now), clock)
	shake := func(trust Authorities) (*x509.Certificate, error) {
		t.Helper()
		issued, err := trust.Signer(now).IssueServer([]string{"ledger-ledger.depok.svc"}, now)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(issued.CertificatePEM, issued.KeyPEM)
		if err != nil {
			t.Fatal(err)
		}
		return handshake(t,
			&tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: trust.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, Time: clock},
			&tls.Config{
				RootCAs: trust.Pool(), ServerName: "ledger-ledger.depok.svc", Time: clock,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return client.Certificate() },
			})
	}
	seen, err := shake(authorities)
	if err != nil || seen.Subject.CommonName != "tanggap-operator" {
		t.Fatalf("the ledger sees %v, error %v", seen, err)
	}
	now = now.Add(ClientLife - time.Minute) // by then the client has a new certificate
	if renewed, err := shake(authorities); err != nil || renewed.Equal(seen) {
		t.Errorf("after a day: the same certificate %v, error %v", err == nil, err)
	}
	if _, err := shake(made(t, now)); err == nil {
		t.Error("an authority of somebody else is trusted")
	}
	both, _ := maintained(t, authorities, authorities[0].certificate.NotAfter.Add(-300*day))
	now = authorities[0].certificate.NotAfter.Add(-300*day + propagation)
	client.SetSigner(both.Signer(now))
	if _, err := shake(both); err != nil {
		t.Errorf("after the change of the authority: %v", err)
	}
}

func handshake(t *testing.T, server, client *tls.Config) (*x509.Certificate, error) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	type result struct {
		seen *x509.Certificate
		err  error
	}
	served := make(chan result, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			served <- result{err: err}
			return
		}
		defer conn.Close()
		serving := conn.(*tls.Conn)
		if err := serving.HandshakeContext(t.Context()); err != nil {
			served <- result{err: err}
			return
		}
		served <- result{seen: serving.ConnectionState().PeerCertificates[0]}
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err == nil {
		defer conn.Close()
	}
	ledger := <-served
	return ledger.seen, errors.Join(err, ledger.err)
}
