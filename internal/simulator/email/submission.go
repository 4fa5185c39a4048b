package email

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Submission is a simulated submission server (RFC 6409): one user, who hands in messages after a login over
// TLS. It is safe for concurrent use.
type Submission struct {
	// User and Password log in; Token does, instead of the password, by OAUTHBEARER.
	User, Password, Token string
	// Certificate is the server's; see NewCertificate.
	Certificate tls.Certificate
	// STARTTLS expects connections that are not encrypted at first.
	STARTTLS bool

	mu     sync.Mutex
	taken  []Handed
	refuse map[string]int
	mute   bool
}

// Handed is a message that was handed in.
type Handed struct {
	From string
	To   []string
	// Raw is the message as it was written.
	Raw string
}

// Taken are the messages that were handed in.
func (s *Submission) Taken() []Handed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

// Refuse answers a step (login, from, to, data or end) with a code from now on, as 550.
func (s *Submission) Refuse(step string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse == nil {
		s.refuse = map[string]int{}
	}
	s.refuse[step] = code
}

// Mute takes messages from now on and cuts the connection before it says so.
func (s *Submission) Mute() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = true
}

// Serve takes connections from the listener until it is closed.
func (s *Submission) Serve(listener net.Listener) error {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &handing{server: s, conn: c}, nil }))
	server.Domain, server.TLSConfig = "localhost", &tls.Config{Certificates: []tls.Certificate{s.Certificate}, MinVersion: tls.VersionTLS12}
	server.ReadTimeout, server.WriteTimeout, server.MaxMessageBytes, server.ErrorLog = time.Minute, time.Minute, 1<<20, quiet{}
	if !s.STARTTLS {
		listener = tls.NewListener(listener, server.TLSConfig)
	}
	return server.Serve(listener)
}

// quiet drops what the library logs: a client that goes away is no fault.
type quiet struct{}

// Printf implements smtp.Logger.
func (quiet) Printf(string, ...any) {}

// Println implements smtp.Logger.
func (quiet) Println(...any) {}

// step is the refusal of a step, or nil.
func (s *Submission) step(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code := s.refuse[name]; code != 0 {
		// Servers repeat addresses, and anything else.
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{5, 0, 0}, Message: "refused ani@warga.example: banjir"}
	}
	return nil
}

// handing is one connection.
type handing struct {
	server   *Submission
	conn     *smtp.Conn
	loggedIn bool
	message  Handed
}

// AuthMechanisms implements smtp.AuthSession.
func (h *handing) AuthMechanisms() []string {
	if h.server.Token != "" {
		return []string{sasl.OAuthBearer}
	}
	return []string{sasl.Plain}
}

// Auth implements smtp.AuthSession.
func (h *handing) Auth(mechanism string) (sasl.Server, error) {
	if err := h.server.step("login"); err != nil {
		return nil, err
	}
	let := func(in bool) error {
		if h.loggedIn = in; !in {
			return smtp.ErrAuthFailed
		}
		return nil
	}
	if mechanism == sasl.OAuthBearer {
		return sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
			if let(o.Username == h.server.User && o.Token == h.server.Token) != nil {
				return &sasl.OAuthBearerError{Status: "invalid_token"}
			}
			return nil
		}), nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error {
		return let(user == h.server.User && password == h.server.Password)
	}), nil
}

// Reset implements smtp.Session.
func (h *handing) Reset() { h.message = Handed{} }

// Logout implements smtp.Session.
func (h *handing) Logout() error { return nil }

// Mail implements smtp.Session.
func (h *handing) Mail(from string, _ *smtp.MailOptions) error {
	if !h.loggedIn {
		return smtp.ErrAuthRequired
	}
	h.message.From = from
	return h.server.step("from")
}

// Rcpt implements smtp.Session.
func (h *handing) Rcpt(to string, _ *smtp.RcptOptions) error {
	h.message.To = append(h.message.To, to)
	return h.server.step("to")
}

// Data implements smtp.Session.
func (h *handing) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := h.server.step("end"); err != nil {
		return err
	}
	h.message.Raw = string(raw)
	h.server.mu.Lock()
	h.server.taken = append(h.server.taken, h.message)
	mute := h.server.mute
	h.server.mu.Unlock()
	if mute {
		return errors.Join(io.ErrUnexpectedEOF, h.conn.Close())
	}
	return nil
}
