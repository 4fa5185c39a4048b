package email

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// connectTimeout is for the connection, TLS and the login.
const connectTimeout = 30 * time.Second

// session is a connection that has logged in.
type session struct {
	client *imapclient.Client
	conn   *patient
	// examined is the mailbox that the server looks at now.
	examined string
	idling   *imapclient.IdleCommand
}

// connect opens a session. arrived is called when the server says that a mailbox has changed.
func (s *source) connect(ctx context.Context, arrived func()) (*session, error) {
	limited, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	dialled, err := s.dial(limited, "tcp", s.server)
	if err != nil {
		return nil, fetch.Unreached(ctx, s.host, err)
	}
	conn := &patient{Conn: dialled, silence: s.silence}
	conn.expect(true)
	// The library knows no context: closing the connection ends whatever waits for it.
	stop := context.AfterFunc(limited, func() { _ = conn.Close() })
	defer stop()
	options := &imapclient.Options{
		TLSConfig:             s.tls.Clone(),
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(*imapclient.UnilateralDataMailbox) { arrived() }},
	}
	var client *imapclient.Client
	if s.startTLS {
		if client, err = imapclient.NewStartTLS(conn, options); err != nil {
			return nil, s.failure(limited, err, "the server offers no STARTTLS, or its TLS does not work; port 993 with tls: Implicit is the usual way")
		}
	} else {
		secure := tls.Client(conn, options.TLSConfig)
		if err := secure.HandshakeContext(limited); err != nil {
			_ = conn.Close()
			return nil, fetch.Unreached(ctx, s.host, err)
		}
		client = imapclient.New(secure, options)
	}
	if err := s.login(limited, client); err != nil {
		_ = client.Close()
		return nil, err
	}
	return &session{client: client, conn: conn}, nil
}

// login authenticates in the way of the specification.
func (s *source) login(ctx context.Context, client *imapclient.Client) error {
	if err := client.WaitGreeting(); err != nil {
		return s.failure(ctx, err, "the server did not greet as IMAP servers do")
	}
	if client.State() == imap.ConnStateAuthenticated {
		return nil
	}
	err := s.credentials.login(ctx, client)
	if _, ours := errors.AsType[*channel.Error](err); err == nil || ours {
		return err
	}
	refusal, refused := errors.AsType[*imap.Error](err)
	refused = refused && refusal.Type != imap.StatusResponseTypeBye && !temporary(refusal.Code)
	if _, token := errors.AsType[*sasl.OAuthBearerError](err); refused || token {
		s.credentials.refused()
		return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "the mail server refused the user name or the password or token; " +
			"many want a password of the application, or OAuth2"}
	}
	return s.failure(ctx, err, "")
}

// temporary reports whether a refusal may pass by itself.
func temporary(code imap.ResponseCode) bool {
	switch code {
	case imap.ResponseCodeUnavailable, imap.ResponseCodeLimit, imap.ResponseCodeInUse, imap.ResponseCodeOverQuota,
		imap.ResponseCodeServerBug, "THROTTLED":
		return true
	default:
		return false
	}
}

// failure puts an error of the library into words of this package: what a server says may hold anything.
func (s *source) failure(ctx context.Context, err error, otherwise string) error {
	refusal, ok := errors.AsType[*imap.Error](err)
	if s.session != nil && s.session.conn.silent() {
		return &channel.Error{Reason: ledgerapi.ReasonTimeout, Message: s.host + " did not answer in time"}
	}
	if !ok {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || otherwise == "" {
			return fetch.Unreached(ctx, s.host, err)
		}
		if unreached := fetch.Unreached(ctx, s.host, err); unreached.Reason != ledgerapi.ReasonUnreachable {
			return unreached
		}
		return &channel.Error{Reason: ledgerapi.ReasonUnreachable, Message: otherwise}
	}
	e := &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "the mail server does not understand a command (BAD); it may not be an IMAP4rev1 server"}
	switch code := refusal.Code; {
	case code == imap.ResponseCodeLimit || code == imap.ResponseCodeOverQuota || code == "THROTTLED":
		e.Reason, e.Message = ledgerapi.ReasonRateLimited, "the mail server asks for fewer connections or less traffic; lengthen polling.interval, or look for others that use the account"
	case code == imap.ResponseCodeNonExistent || code == imap.ResponseCodeTryCreate:
		e.Reason, e.Message = ledgerapi.ReasonNotFound, "there is no such mailbox; check mailboxes and sentMailbox"
	case code == imap.ResponseCodeNoPerm || code == imap.ResponseCodeAuthorizationFailed || code == imap.ResponseCodeExpired:
		e.Reason, e.Message = ledgerapi.ReasonUnauthorized, "the mail server does not let this user read the mailbox"
	case refusal.Type != imap.StatusResponseTypeBad:
		e.Reason, e.Message = ledgerapi.ReasonServerError, "the mail server failed or ended the connection"
	case otherwise != "":
		e.Message = otherwise
	}
	return e
}

// close ends a session. It waits for nothing: a server that has gone silent would have a worker that stops wait.
func (c *session) close() {
	c.idling = nil       // it ends with the connection
	_ = c.client.Close() // nothing is lost with it
}

// idle has the server tell when the mailbox that is examined changes.
func (c *session) idle() {
	if c.idling != nil || !c.client.Caps().Has(imap.CapIdle) {
		return
	}
	// One that cannot is polled all the same.
	if command, err := c.client.Idle(); err == nil {
		c.idling = command
		c.conn.expect(false)
	}
}

// wakeUp ends idle.
func (c *session) wakeUp() {
	if c.idling == nil {
		return
	}
	command := c.idling
	c.idling = nil
	c.conn.expect(true)
	if command.Close() == nil {
		_ = command.Wait() // the next command finds out
	}
}
