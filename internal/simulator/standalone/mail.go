package standalone

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/tanggap/tanggap/internal/simulator/email"
)

// The mailbox and who reads it; the manifest has the same.
const (
	mailUser     = "aduan@depok.example"
	mailPassword = "simulated-password-of-the-mailbox"
)

// newMail is a mail server. Its certificate is made when it starts, and is in the manifest.
func newMail(s Setup) *System {
	host, port := "127.0.0.1", ""
	if u, err := url.Parse(s.URL); err == nil {
		host, port = u.Hostname(), u.Port()
	}
	certificate, authority, err := email.NewCertificate(host, s.Now())
	if err != nil {
		panic(err) // the random source of the system cannot fail
	}
	server := email.New(email.Options{User: mailUser, Password: mailPassword, Certificate: certificate})
	var mu sync.Mutex
	authors := map[string]string{}
	return &System{
		Serve:  func(l net.Listener) error { return server.Serve(l) },
		Filled: []string{"$(HOST)", host, "$(PORT)", port, "$(CA)", strings.ReplaceAll(strings.TrimSpace(string(authority)), "\n", "\n    ")},
		Fault: func(f Fault) {
			for range max(f.Times, 1) {
				server.Fail(imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeUnavailable, Text: "simulated"})
			}
		},
		Complain: func(_ context.Context, words string) (string, error) {
			n := s.Serial()
			id, from := fmt.Sprintf("q%d@warga.example", n), fmt.Sprintf("warga%d@warga.example", n)
			mu.Lock()
			authors[id] = from
			mu.Unlock()
			server.Arrive(letter(from, mailUser, id, "", words, s.Now()), s.Now())
			return id, nil
		},
		Answer: func(_ context.Context, id, words string) error {
			mu.Lock()
			to, ok := authors[id]
			mu.Unlock()
			if !ok {
				return errUnknown
			}
			server.Send(letter(mailUser, to, fmt.Sprintf("a%d@depok.example", s.Serial()), id, words, s.Now()), s.Now())
			return nil
		},
	}
}

// letter is a message, or a reply to another.
func letter(from, to, id, replyTo, words string, at time.Time) string {
	head := []string{
		"From: " + from, "To: " + to, "Date: " + at.Format(time.RFC1123Z), "Message-ID: <" + id + ">", "Subject: Aduan",
		"MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit",
	}
	if replyTo != "" {
		head = append(head, "In-Reply-To: <"+replyTo+">", "References: <"+replyTo+">")
	}
	return strings.Join(head, "\n") + "\n\n" + words + "\n"
}
