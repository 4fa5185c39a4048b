package email

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
)

// session is a client's. What it does not do itself, the library's server in memory does.
type session struct {
	*imapmemserver.UserSession
	server *Server
}

// Login implements imapserver.Session.
func (s *session) Login(username, password string) error {
	if s.server.options.Password == "" {
		return imapserver.ErrAuthFailed
	}
	return s.UserSession.Login(username, password)
}

// AuthenticateMechanisms implements imapserver.SessionSASL.
func (s *session) AuthenticateMechanisms() []string {
	o := &s.server.options
	switch {
	case o.Mechanisms != nil:
		return o.Mechanisms
	case o.Token != "":
		return []string{"PLAIN", "XOAUTH2", "OAUTHBEARER"}
	}
	return []string{"PLAIN"}
}

// Authenticate implements imapserver.SessionSASL.
func (s *session) Authenticate(mechanism string) (sasl.Server, error) {
	o := &s.server.options
	if !slices.Contains(s.AuthenticateMechanisms(), mechanism) {
		return nil, &imap.Error{Type: imap.StatusResponseTypeNo, Text: "SASL mechanism not supported"}
	}
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, username, password string) error { return s.Login(username, password) }), nil
	case "XOAUTH2":
		return &xoauth2{want: fmt.Sprintf("user=%s\x01auth=Bearer %s\x01\x01", o.User, o.Token)}, nil
	}
	return sasl.NewOAuthBearerServer(func(given sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
		if given.Username != o.User || given.Token != o.Token {
			return &sasl.OAuthBearerError{Status: "invalid_token", Schemes: "bearer"}
		}
		return nil
	}), nil
}

// xoauth2 is the server's side of XOAUTH2.
type xoauth2 struct {
	want    string
	refused bool
}

// Next implements sasl.Server: a refusal is told as a challenge first, which the client answers with nothing.
func (x *xoauth2) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case x.refused:
		return nil, false, imapserver.ErrAuthFailed
	case response == nil:
		return []byte{}, false, nil
	case string(response) == x.want:
		return nil, true, nil
	}
	x.refused = true
	return []byte(`{"status":"400","schemes":"Bearer","scope":"https://mail.example/"}`), false, nil
}

// List implements imapserver.Session.
func (s *session) List(w *imapserver.ListWriter, _ string, patterns []string, _ *imap.ListOptions) error {
	if len(patterns) != 1 || patterns[0] != "*" {
		return errors.New("only * is listed")
	}
	sent := &imap.ListData{Mailbox: Sent, Delim: '/'}
	if !s.server.options.Unmarked {
		sent.Attrs = []imap.MailboxAttr{imap.MailboxAttrSent}
	}
	return errors.Join(w.WriteList(&imap.ListData{Mailbox: Inbox, Delim: '/'}), w.WriteList(sent))
}

// Select implements imapserver.Session.
func (s *session) Select(name string, options *imap.SelectOptions) (*imap.SelectData, error) {
	command := "SELECT"
	if options.ReadOnly {
		command = "EXAMINE"
	}
	if err := s.server.ask(command + " " + name); err != nil {
		return nil, err
	}
	return s.UserSession.Select(name, options)
}

// Search implements imapserver.Session.
func (s *session) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, options *imap.SearchOptions) (*imap.SearchData, error) {
	if err := s.server.ask("SEARCH"); err != nil {
		return nil, err
	}
	return s.UserSession.Search(kind, criteria, options)
}

// Fetch implements imapserver.Session.
func (s *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, options *imap.FetchOptions) error {
	what := []string{"FETCH"}
	for _, section := range options.BodySection {
		if section.Peek {
			what = append(what, "BODY.PEEK")
		} else {
			what = append(what, "BODY")
		}
	}
	if err := s.server.ask(strings.Join(what, " ")); err != nil {
		return err
	}
	if s.server.toFlag() {
		if err := s.UserSession.Fetch(w, set, &imap.FetchOptions{UID: true, Flags: true}); err != nil {
			return err
		}
	}
	return s.UserSession.Fetch(w, set, options)
}

// idleLook is between two looks for what a client that waits is to be told.
const idleLook = 20 * time.Millisecond

// Idle tells of what changed since the client was last told, also before it began to wait, as mail servers do;
// the library's own session waits for the next change then.
func (s *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	tick := time.NewTicker(idleLook)
	defer tick.Stop()
	for {
		if err := s.Poll(w, true); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
	}
}

// Store implements imapserver.Session.
func (s *session) Store(w *imapserver.FetchWriter, set imap.NumSet, flags *imap.StoreFlags, options *imap.StoreOptions) error {
	_ = s.server.ask("STORE") // it never fails
	return s.UserSession.Store(w, set, flags, options)
}

// Expunge implements imapserver.Session.
func (s *session) Expunge(w *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	_ = s.server.ask("EXPUNGE") // it never fails
	return s.UserSession.Expunge(w, uids)
}

// Copy implements imapserver.Session.
func (s *session) Copy(set imap.NumSet, to string) (*imap.CopyData, error) {
	_ = s.server.ask("COPY") // it never fails
	return s.UserSession.Copy(set, to)
}

// Move implements imapserver.SessionMove.
func (s *session) Move(w *imapserver.MoveWriter, set imap.NumSet, to string) error {
	_ = s.server.ask("MOVE") // it never fails
	return s.UserSession.Move(w, set, to)
}

var (
	_ imapserver.SessionSASL = (*session)(nil)
	_ imapserver.SessionMove = (*session)(nil)
)
