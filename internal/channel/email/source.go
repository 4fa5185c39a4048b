// Package email reads mailboxes by IMAP: what citizens write to them, and what the staff reply, which stands in
// the folder of sent messages or arrives as a copy. It only looks: mailboxes are opened by EXAMINE and messages
// read by BODY.PEEK, so that nothing is marked, moved or deleted.
package email

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"log/slog"
	"net"
	"regexp"
	"strconv"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/channel/httpauth"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Defaults of the API, for specifications that did not pass through it.
const (
	defaultInterval        = time.Minute
	defaultLookback        = 720 * time.Hour
	defaultMaxPages        = 1000
	defaultMaxMessageBytes = 1 << 20
	implicitPort           = 993
	startTLSPort           = 143
)

// Type is the source type email.
type Type struct {
	// Dial connects to a mail server.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Name implements channel.Type.
func (Type) Name() v1alpha1.SourceType { return v1alpha1.SourceEmail }

// Open implements channel.Type.
func (t Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.Email
	if spec == nil {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "email: must be set when type is email"}
	}
	user, err := settings.Credential(spec.UsernameSecretRef)
	if err != nil {
		return nil, err
	}
	s := &source{
		dial: t.Dial, host: spec.Host, startTLS: spec.TLS == v1alpha1.EmailTLSStart,
		tls:       &tls.Config{ServerName: spec.Host, MinVersion: tls.VersionTLS12},
		mailboxes: spec.Mailboxes, sent: spec.SentMailbox,
		translator: translator{channel: settings.Channel, domains: spec.Staff.Domains, addresses: spec.Staff.Addresses, server: spec.AuthservID},
		interval:   defaultInterval, lookback: defaultLookback, maxPages: defaultMaxPages,
		woken: make(chan struct{}, 1), silence: silence,
		now: settings.Now, logger: settings.Logger,
	}
	sum := sha256.Sum256([]byte(spec.Host + "\n" + string(user)))
	s.account = hex.EncodeToString(sum[:8])
	if s.credentials, err = newCredentials(string(user), &spec.Auth, settings); err != nil {
		return nil, err
	}
	if ref := spec.CASecretRef; ref != nil {
		pem, err := settings.Credential(*ref)
		if err != nil {
			return nil, err
		}
		if s.tls.RootCAs = x509.NewCertPool(); !s.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &channel.Error{Reason: ledgerapi.ReasonCredentialMissing, Message: "the key that caSecretRef names holds no PEM certificate"}
		}
	}
	s.configure(spec)
	if spec.Reply != nil {
		s.sender = newSender(spec.Reply, s.tls.RootCAs)
	}
	return s, nil
}

// configure takes in what has defaults.
func (s *source) configure(spec *v1alpha1.EmailSource) {
	port := implicitPort
	if s.startTLS {
		port = startTLSPort
	}
	s.server = net.JoinHostPort(spec.Host, strconv.Itoa(channel.Number(spec.Port, port)))
	if len(s.mailboxes) == 0 {
		s.mailboxes = []string{"INBOX"}
	}
	if spec.CaseTokenPrefix != "" {
		s.translator.token = regexp.MustCompile(`(?i)\[#` + regexp.QuoteMeta(spec.CaseTokenPrefix) + `[A-Za-z0-9-]{1,64}\]`)
	}
	s.maxMessage = int64(channel.Number(spec.MaxMessageBytes, defaultMaxMessageBytes))
	if p := spec.Polling; p != nil {
		s.interval, s.lookback = channel.Duration(p.Interval, s.interval), channel.Duration(p.Lookback, s.lookback)
		s.maxPages = channel.Number(p.MaxPages, s.maxPages)
	}
}

// newCredentials reads how a user logs in. It sends nothing yet.
func newCredentials(user string, auth *v1alpha1.EmailAuth, settings channel.Settings) (*credentials, error) {
	c := &credentials{user: user}
	switch {
	case auth.Type == v1alpha1.EmailAuthPassword && auth.Password != nil:
		password, err := settings.Credential(auth.Password.PasswordSecretRef)
		c.password = string(password)
		return c, err
	case auth.Type == v1alpha1.EmailAuthBearer && auth.Bearer != nil:
		token, err := settings.Credential(auth.Bearer.TokenSecretRef)
		c.token = func(context.Context) (string, error) { return string(token), nil }
		return c, err
	case auth.Type == v1alpha1.EmailAuthOAuth2 && auth.OAuth2 != nil:
		client, err := fetch.New(fetch.Config{Transport: settings.Transport, Now: settings.Now, After: settings.After})
		if err != nil {
			return nil, err
		}
		tokens, err := httpauth.NewTokens(auth.OAuth2, httpauth.Options{Credential: settings.Credential, Client: client, Now: settings.Now})
		if err != nil {
			return nil, err
		}
		c.token, c.refuse = tokens.Token, func() { tokens.Refused() }
		return c, nil
	}
	return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "email.auth.type: must be one of Password, Bearer and OAuth2, with the member of that name"}
}

// source is one account. Poll is called from one goroutine.
type source struct {
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	host     string
	server   string // host and port
	startTLS bool
	tls      *tls.Config
	// account is a digest of the server's name and the user's.
	account     string
	credentials *credentials
	mailboxes   []string
	// sent is the name of the mailbox of sent messages; "" asks the server.
	sent       string
	translator translator

	interval, lookback time.Duration
	maxPages           int
	maxMessage         int64
	silence            time.Duration
	now                func() time.Time
	logger             *slog.Logger

	// sender is nil where replies are not allowed.
	sender *sender

	// session is kept from poll to poll, and told of new messages in between; nil is none.
	session *session
	woken   chan struct{}
}

// Interval implements channel.Poller.
func (s *source) Interval() time.Duration { return s.interval }

// Woken implements channel.Waker.
func (s *source) Woken() <-chan struct{} { return s.woken }

// arrived notes that the server has told of a change.
func (s *source) arrived() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// Close implements channel.Source.
func (s *source) Close() error {
	s.drop()
	return nil
}

// drop ends the session, if there is one.
func (s *source) drop() {
	if s.session != nil {
		s.session.close()
		s.session = nil
	}
}

var (
	_ channel.Type    = Type{}
	_ channel.Poller  = (*source)(nil)
	_ channel.Waker   = (*source)(nil)
	_ channel.Replier = (*source)(nil)
)
