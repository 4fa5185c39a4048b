// Package email simulates a mail server as far as IMAP goes: one user with a mailbox for what arrives and one for
// what was sent, over TLS, with IDLE and SPECIAL-USE, passwords and tokens. Messages are put into it by its
// methods, as the mail server's delivery and the staff's mail programs do. It notes what clients ask for.
package email

import (
	"crypto/tls"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

// The mailboxes of the user.
const (
	Inbox = "INBOX"
	Sent  = "Terkirim"
)

// Options are what a server is made of.
type Options struct {
	// User and Password log in; Token does, instead of the password, by XOAUTH2 and OAUTHBEARER.
	User, Password, Token string
	// Mechanisms are those of SASL that are offered; nil is PLAIN, and with a token XOAUTH2 and OAUTHBEARER.
	Mechanisms []string
	// Certificate is the server's; see NewCertificate.
	Certificate tls.Certificate
	// STARTTLS expects connections that are not encrypted at first.
	STARTTLS bool
	// Unmarked says of no mailbox that it is the one of sent messages.
	Unmarked bool
	// Capabilities beside IMAP4rev1; nil is IDLE, SPECIAL-USE, LIST-EXTENDED, ESEARCH and more that are usual.
	Capabilities []imap.Cap
}

// Server is the simulated mail server. It is safe for concurrent use.
type Server struct {
	options Options

	mu      sync.Mutex
	user    *imapmemserver.User
	kept    map[string][]kept
	asked   []string
	fail    []imap.Error
	conns   map[net.Conn]bool
	limit   int
	flag    int
	stalled map[net.Conn]bool
}

// kept is a message as it was put in.
type kept struct {
	raw []byte
	at  time.Time
}

// New makes a server whose mailboxes are empty.
func New(options Options) *Server {
	s := &Server{options: options, user: imapmemserver.NewUser(options.User, options.Password), kept: map[string][]kept{}, conns: map[net.Conn]bool{}}
	s.create(Inbox)
	s.create(Sent)
	return s
}

// create makes a mailbox; the caller need not hold mu.
func (s *Server) create(name string) {
	if err := s.user.Create(name, nil); err != nil {
		panic(err) // there is none of that name
	}
}

// Create makes one more mailbox.
func (s *Server) Create(name string) { s.create(name) }

// Serve takes connections from the listener until it is closed.
func (s *Server) Serve(listener net.Listener) error {
	config := &tls.Config{Certificates: []tls.Certificate{s.options.Certificate}, MinVersion: tls.VersionTLS12}
	caps := imap.CapSet{imap.CapIMAP4rev1: {}}
	extra := s.options.Capabilities
	if extra == nil {
		extra = []imap.Cap{imap.CapIdle, imap.CapSpecialUse, imap.CapListExtended, imap.CapESearch, imap.CapUIDPlus, imap.CapSASLIR, imap.CapUnselect}
	}
	for _, c := range extra {
		caps[c] = struct{}{}
	}
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return &session{UserSession: imapmemserver.NewUserSession(s.user), server: s}, nil, nil
		},
		Caps: caps, TLSConfig: config, Logger: silent{},
	})
	tracked := &tracker{Listener: listener, server: s}
	if s.options.STARTTLS {
		return server.Serve(tracked)
	}
	return server.Serve(tls.NewListener(tracked, config))
}

// Arrive puts a message into the inbox as it is delivered, at an instant.
func (s *Server) Arrive(raw string, at time.Time) { s.Put(Inbox, raw, at) }

// Send puts a message among those that the staff sent, at an instant.
func (s *Server) Send(raw string, at time.Time) { s.Put(Sent, raw, at) }

// Put puts a message into a mailbox. Line ends become those of the network.
func (s *Server) Put(mailbox, raw string, at time.Time) {
	text := []byte(strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\n", "\r\n"))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[mailbox] = append(s.kept[mailbox], kept{text, at})
	s.put(mailbox, text, at)
}

func (s *Server) put(mailbox string, text []byte, at time.Time) {
	if _, err := s.user.Append(mailbox, literal{strings.NewReader(string(text)), int64(len(text))}, &imap.AppendOptions{Time: at}); err != nil {
		panic(err) // the mailbox is there
	}
}

// Renumber gives a mailbox another UIDVALIDITY, and its messages other UIDs from 1 on, as when it was restored.
func (s *Server) Renumber(mailbox string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.user.Delete(mailbox); err != nil {
		panic(err) // it is there
	}
	s.create(mailbox)
	for _, m := range s.kept[mailbox] {
		s.put(mailbox, m.raw, m.at)
	}
}

// Cut breaks all connections.
func (s *Server) Cut() {
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close() // that is what it is for
	}
}

// Fail lets the next commands that select or search be refused: the type is NO, BAD or BYE, and the code may be "".
func (s *Server) Fail(refusals ...imap.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = append(s.fail, refusals...)
}

// Stall has the connections that there are say nothing any more, as when a firewall has forgotten them.
func (s *Server) Stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalled = maps.Clone(s.conns)
}

// FlagBefore has the answer to the n-th FETCH from now, from 0, come after one that tells of the flags of the same
// messages, as when another program has just read them.
func (s *Server) FlagBefore(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flag = n + 1
}

// toFlag reports whether flags are told with this FETCH.
func (s *Server) toFlag() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flag--
	return s.flag == 0
}

// CutAfter breaks the connection in the middle of the answer, so many bytes after now; 0 lets them be.
func (s *Server) CutAfter(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = bytes
}

// Asked are the commands so far that look at mailboxes or change something.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Connections is how many there are now.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// ask notes a command and says whether it fails.
func (s *Server) ask(command string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, command)
	if len(s.fail) == 0 || !strings.HasPrefix(command, "EXAMINE") && !strings.HasPrefix(command, "SEARCH") {
		return nil
	}
	refusal := s.fail[0]
	s.fail = s.fail[1:]
	return &refusal
}

// silent passes over what the library says of connections that break.
type silent struct{}

// Printf implements imapserver.Logger.
func (silent) Printf(string, ...any) {}

// literal is the text of a message.
type literal struct {
	*strings.Reader
	size int64
}

// Size implements imap.LiteralReader.
func (l literal) Size() int64 { return l.size }

// tracker knows the connections.
type tracker struct {
	net.Listener
	server *Server
}

// Accept implements net.Listener.
func (t *tracker) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &tracked{Conn: conn, server: t.server}
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	t.server.conns[c] = true
	return c, nil
}

// tracked is a connection.
type tracked struct {
	net.Conn
	server *Server
}

// Write implements net.Conn; it breaks the connection where that is wanted.
func (t *tracked) Write(b []byte) (int, error) {
	t.server.mu.Lock()
	stalled, limit := t.server.stalled[net.Conn(t)], t.server.limit
	if limit > 0 {
		if t.server.limit -= len(b); t.server.limit <= 0 {
			t.server.limit = 0
		}
	}
	t.server.mu.Unlock()
	if stalled {
		return len(b), nil
	}
	if limit > 0 && len(b) >= limit {
		n, _ := t.Conn.Write(b[:limit])
		_ = t.Conn.Close() // that is what it is for
		return n, net.ErrClosed
	}
	return t.Conn.Write(b)
}

// Close implements net.Conn.
func (t *tracked) Close() error {
	t.server.mu.Lock()
	delete(t.server.conns, net.Conn(t))
	t.server.mu.Unlock()
	return t.Conn.Close()
}
