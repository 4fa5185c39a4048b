package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLedgerLetsNobodyElseIn asks a ledger for what the asker has no right to, as any Pod of the cluster
// could.
func TestLedgerLetsNobodyElseIn(t *testing.T) {
	t.Parallel()
	c := newTown(t, "access")
	p := c.startPortal(t, "portal")
	report(p, 2)
	c.apply(t, "hotline.yaml", "channel", "hotline", "hookSecret", hookSecret)
	c.awaitReady(t, "portal", "hotline")
	c.awaitFigures(t, "portal", figures{Received: 2, Answered: 0, Unanswered: 2})

	const audience = "tanggap-ledger"
	own := c.token(t, "hotline-worker", audience)
	event := `{"events":[{"channel":"portal","case":"X-1","id":"x","kind":"Received","actor":"citizen","occurredAt":"2026-09-01T08:00:00+07:00"}]}`
	client := c.ledgerClient(t, nil)
	for name, asked := range map[string]struct {
		method, path, token, body string
		status                    int
	}{
		"a worker reads its own channel":                       {http.MethodGet, "/v1/channels/hotline", own, "", http.StatusOK},
		"a worker writes to another worker's channel":          {http.MethodPost, "/v1/channels/portal/events", own, event, http.StatusForbidden},
		"a worker reports for another worker's channel":        {http.MethodPost, "/v1/channels/portal/report", own, `{"instance":"x","state":"Connected","reason":"Connected"}`, http.StatusForbidden},
		"a worker reads another worker's position":             {http.MethodGet, "/v1/channels/portal", own, "", http.StatusForbidden},
		"a worker reads another worker's cases":                {http.MethodGet, "/v1/channels/portal/cases", own, "", http.StatusForbidden},
		"a worker reads the figures of all":                    {http.MethodGet, "/v1/summary", own, "", http.StatusForbidden},
		"a worker reads the cases of all":                      {http.MethodGet, "/v1/cases", own, "", http.StatusForbidden},
		"a worker changes the policy":                          {http.MethodPut, "/v1/policy", own, "{}", http.StatusForbidden},
		"a worker writes to a channel that is not there":       {http.MethodPost, "/v1/channels/nowhere/events", own, event, http.StatusNotFound},
		"somebody without a token":                             {http.MethodPost, "/v1/channels/portal/events", "", event, http.StatusUnauthorized},
		"somebody without a token who reads the figures":       {http.MethodGet, "/v1/summary", "", "", http.StatusUnauthorized},
		"a token that somebody made up":                        {http.MethodPost, "/v1/channels/portal/events", "made.up.token", event, http.StatusUnauthorized},
		"a worker's token for the API server":                  {http.MethodGet, "/v1/channels/hotline", c.token(t, "hotline-worker"), "", http.StatusUnauthorized},
		"another service account's token of the same audience": {http.MethodGet, "/v1/channels/hotline", c.token(t, "stranger", audience), "", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), asked.method, c.ledgerURL(asked.path), strings.NewReader(asked.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			if asked.token != "" {
				request.Header.Set("Authorization", "Bearer "+asked.token)
			}
			status, answer, err := post(t.Context(), client, request)
			if err != nil {
				t.Fatal(err)
			}
			if status != asked.status {
				t.Errorf("answered %d %s, not %d", status, answer, asked.status)
			}
		})
	}
	t.Run("somebody who calls himself the operator", func(t *testing.T) { c.impostor(t) })
	t.Run("a client that trusts other authorities", func(t *testing.T) { c.distrust(t) })
	c.awaitFigures(t, "portal", figures{Received: 2, Answered: 0, Unanswered: 2})
}

// impostor presents a certificate of the operator's name that another authority has signed.
func (c *town) impostor(t *testing.T) {
	client := c.ledgerClient(t, []tls.Certificate{selfSigned(t, "tanggap-operator")})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.ledgerURL("/v1/summary"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer, err := post(t.Context(), client, request); err == nil && status != http.StatusUnauthorized {
		t.Errorf("answered %d %s", status, answer)
	}
}

// distrust shows that the ledger's certificate is one of its own authority.
func (c *town) distrust(t *testing.T) {
	transport := &http.Transport{DialContext: world.Node.DialContext}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.ledgerURL("/v1/summary"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = post(t.Context(), &http.Client{Transport: transport}, request)
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("the error is %v", err)
	}
}

func (c *town) ledgerURL(path string) string {
	return "https://ledger-ledger." + c.namespace + ".svc:8443" + path
}

// ledgerClient trusts the authority that the operator publishes for workers.
func (c *town) ledgerClient(t *testing.T, certificates []tls.Certificate) *http.Client {
	t.Helper()
	var trust corev1.ConfigMap
	if err := world.Client.Get(t.Context(), c.key("ledger-ledger-ca"), &trust); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(trust.Data["ca.crt"])) {
		t.Fatal("the ledger's authority has no certificate")
	}
	transport := &http.Transport{DialContext: world.Node.DialContext, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 15 * time.Second}
}

// token is a token of a service account, which is made if it does not exist.
func (c *town) token(t *testing.T, account string, audiences ...string) string {
	t.Helper()
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: account}}
	if err := world.Client.Get(t.Context(), c.key(account), object); err != nil {
		if err := world.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	if err := world.Client.SubResource("token").Create(t.Context(), object, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// selfSigned is a certificate of that common name, signed by nobody else.
func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
