package email

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// The ports of submission (RFC 6409, RFC 8314).
const (
	submissionPort  = 587
	submissionsPort = 465
)

// sender submits answers.
type sender struct {
	server, host string // with and without its port
	startTLS     bool
	tls          *tls.Config
	from         mail.Address
}

func newSender(spec *v1alpha1.EmailReply, roots *x509.CertPool) *sender {
	o := &sender{
		host: spec.Host, startTLS: spec.TLS != v1alpha1.EmailTLSImplicit,
		tls:  &tls.Config{ServerName: spec.Host, MinVersion: tls.VersionTLS12, RootCAs: roots},
		from: mail.Address{Name: spec.FromName, Address: spec.From},
	}
	port := submissionsPort
	if o.startTLS {
		port = submissionPort
	}
	o.server = net.JoinHostPort(spec.Host, strconv.Itoa(channel.Number(spec.Port, port)))
	return o
}

// CheckReply implements channel.Replier.
func (s *source) CheckReply(reply channel.Reply) error {
	_, err := s.recipient(reply)
	return err
}

// recipient is the address of who wrote.
func (s *source) recipient(reply channel.Reply) (string, error) {
	m := reply.Message
	switch {
	case s.sender == nil:
		return "", refused("the channel does not allow replies; set email.reply")
	case m.Reporter == nil || m.Reporter.Email == "":
		return "", channel.UnknownReporter()
	case m.Attributes[attributeMessageID] == "":
		return "", refused("the content of the complaint has expired, and with it which message it was; write a new one")
	}
	to, err := netmail.ParseAddress(m.Reporter.Email)
	if err != nil || s.translator.staff(to.Address) {
		return "", refused("the address that the complaint came from cannot be written to")
	}
	return to.Address, nil
}

func refused(message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Message: message}
}

// replyID is the Message-ID of a reply: always the same, so that mail servers too can tell a repetition.
func (o *sender) replyID(channelName, id string) string {
	sum := sha256.Sum256([]byte(channelName + "\n" + id))
	_, domain, _ := strings.Cut(o.from.Address, "@")
	return "tanggap-" + hex.EncodeToString(sum[:16]) + "@" + domain
}

// Reply implements channel.Replier. What a mail program then finds among the sent messages, or as a copy, is the
// same message.
func (s *source) Reply(ctx context.Context, reply channel.Reply) (channel.Sent, error) {
	to, err := s.recipient(reply)
	if err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: err}
	}
	id := s.sender.replyID(s.translator.channel, reply.ID)
	raw, err := s.compose(reply, id, to)
	if err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: err}
	}
	if err := s.submit(ctx, to, raw); err != nil {
		return channel.Sent{}, err
	}
	return channel.Sent{EventID: eventID(id), At: s.now().UTC()}, nil
}

// compose writes the message (RFC 5322). It goes on with the thread that it answers.
func (s *source) compose(reply channel.Reply, id, to string) ([]byte, error) {
	m := reply.Message
	answered := m.Attributes[attributeMessageID]
	subject := m.Attributes[attributeSubject]
	if !strings.HasPrefix(strings.ToLower(subject), "re:") {
		subject = "Re: " + subject
	}
	var header mail.Header
	header.SetAddressList("From", []*mail.Address{&s.sender.from})
	header.SetAddressList("To", []*mail.Address{{Address: to}})
	header.SetDate(s.now())
	header.SetSubject(strings.TrimSpace(subject))
	header.SetMessageID(id)
	header.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	if !strings.HasPrefix(answered, "sha256:") { // the message had one
		header.SetMsgIDList("In-Reply-To", []string{answered})
		header.SetMsgIDList("References", append(strings.Fields(m.Attributes[attributeReferences]), answered))
	}
	var b bytes.Buffer
	w, err := mail.CreateSingleInlineWriter(&b, header)
	if err == nil {
		if _, err = io.WriteString(w, strings.ReplaceAll(reply.Text, "\r\n", "\n")+"\n"); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		return nil, refused("the reply cannot be written as a message")
	}
	return b.Bytes(), nil
}

// submit hands a message to the submission server. Until the server has all of it, nothing was sent; what it
// answers then decides, and without an answer nobody knows.
func (s *source) submit(ctx context.Context, to string, raw []byte) error {
	client, err := s.reach(ctx)
	if err != nil {
		return &channel.NotSentError{Err: err}
	}
	defer func() { _ = client.Close() }()
	body, err := s.envelope(ctx, client, to)
	if err == nil {
		_, err = body.Write(raw)
	}
	if err != nil {
		return &channel.NotSentError{Err: s.explain(ctx, err)}
	}
	if _, err = body.CloseWithResponse(); err == nil {
		_ = client.Quit() // the message is accepted, whatever becomes of the farewell
		return nil
	}
	failure := s.explain(ctx, err)
	if _, said := errors.AsType[*smtp.SMTPError](err); said {
		return &channel.NotSentError{Err: failure}
	}
	return failure
}

// reach opens a connection over TLS, which ends with ctx.
func (s *source) reach(ctx context.Context) (*smtp.Client, error) {
	plain, err := s.dial(ctx, "tcp", s.sender.server)
	if err != nil {
		return nil, fetch.Unreached(ctx, s.sender.host, err)
	}
	context.AfterFunc(ctx, func() { _ = plain.Close() })
	if !s.sender.startTLS {
		return smtp.NewClient(tls.Client(plain, s.sender.tls)), nil
	}
	client, err := smtp.NewClientStartTLS(plain, s.sender.tls)
	if err != nil {
		_ = plain.Close()
		return nil, s.explain(ctx, err)
	}
	return client, nil
}

// envelope logs in and says who writes to whom.
func (s *source) envelope(ctx context.Context, client *smtp.Client, to string) (*smtp.DataCommand, error) {
	// A worker has no name outside the cluster: it goes by that of who it writes for.
	_, name, _ := strings.Cut(s.sender.from.Address, "@")
	if err := client.Hello(name); err != nil {
		return nil, err
	}
	login, err := s.credentials.submission(ctx, client)
	if err == nil {
		err = client.Auth(login)
	}
	if err != nil {
		s.credentials.refused()
		return nil, err
	}
	if err := client.Mail(s.sender.from.Address, nil); err != nil {
		return nil, err
	}
	if err := client.Rcpt(to, nil); err != nil {
		return nil, err
	}
	return client.Data()
}

// submission is the login at a submission server.
func (c *credentials) submission(ctx context.Context, client *smtp.Client) (sasl.Client, error) {
	if c.token == nil {
		if client.SupportsAuth(sasl.Plain) {
			return sasl.NewPlainClient("", c.user, c.password), nil
		}
		return sasl.NewLoginClient(c.user, c.password), nil
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	if client.SupportsAuth(xoauth2) {
		return &xoauth2Client{c.user, token}, nil
	}
	return sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: c.user, Token: token}), nil
}

// explain puts what went wrong into a sentence. What a server says may repeat an address, and is not shown.
func (s *source) explain(ctx context.Context, err error) *channel.Error {
	if known, ok := errors.AsType[*channel.Error](err); ok {
		return known
	}
	said, ok := errors.AsType[*smtp.SMTPError](err)
	if !ok {
		return fetch.Unreached(ctx, s.sender.host, err)
	}
	e := &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Message: fmt.Sprintf("the mail server refused the message (%d)", said.Code)}
	switch {
	case said.Code == 530 || said.Code == 534 || said.Code == 535 || said.Code == 538:
		e.Reason, e.Message = ledgerapi.ReasonUnauthorized, fmt.Sprintf("the mail server refused the login (%d)", said.Code)
	case said.Code == 550 || said.Code == 553:
		e.Message = fmt.Sprintf("the mail server refused the citizen's address, or email.reply.from (%d)", said.Code)
	case said.Code == 421 || said.Code >= 450 && said.Code < 500:
		e.Reason, e.Message = ledgerapi.ReasonRateLimited, fmt.Sprintf("the mail server takes no message for now (%d)", said.Code)
	}
	return e
}
