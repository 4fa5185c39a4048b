package city

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/email"
)

// Credentials of the desk's mailbox.
const (
	mailUser     = "aduan@depok.example"
	mailPassword = "demo-password-of-the-mailbox"
)

// mailbox is the desk's, at a server of its own. Mail goes to an address and not by HTTP, so that the
// channel's manifest is made when the address is known: the city has it once somebody asks for it.
type mailbox struct {
	server    *email.Server
	address   *net.TCPAddr
	authority []byte
	// begun is closed when somebody has asked for the manifest.
	begun chan struct{}
}

// OpenMail serves the desk's mailbox on a listener, until it is closed.
func (c *City) OpenMail(listener net.Listener) error {
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("mail needs a TCP address, not %s", listener.Addr().Network())
	}
	certificate, authority, err := email.NewCertificate(address.IP.String(), c.now())
	if err != nil {
		return fmt.Errorf("making the certificate of the mail server: %w", err)
	}
	c.mail = &mailbox{
		server:  email.New(email.Options{User: mailUser, Password: mailPassword, Certificate: certificate}),
		address: address, authority: authority, begun: make(chan struct{}),
	}
	go func() { _ = c.mail.server.Serve(listener) }() // ends with the process
	return nil
}

// beginMail has the mailbox be a channel of the city from now on, and returns its manifest.
func (c *City) beginMail() string {
	c.mu.Lock()
	begins := !c.mailBegun
	c.mailBegun = true
	c.mu.Unlock()
	if begins {
		c.mailHistory(c.now())
		close(c.mail.begun)
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata:
  name: mail
  namespace: depok
stringData:
  username: %s
  password: %s
data:
  ca.crt: %s
---
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata:
  name: %s
  namespace: depok
spec:
  slaRef: {name: in-public}
  taxonomyRef: {name: depok}
  source:
    type: email
    email:
      host: %s
      port: %d
      caSecretRef: {name: mail, key: ca.crt}
      usernameSecretRef: {name: mail, key: username}
      auth:
        type: Password
        password:
          passwordSecretRef: {name: mail, key: password}
      staff:
        domains: [depok.example]
      polling:
        interval: 5s
`, mailUser, mailPassword, base64.StdEncoding.EncodeToString(c.mail.authority), Mail, c.mail.address.IP, c.mail.address.Port)
}

// mailHistory is what two people wrote and the desk answered, and what two wrote in vain.
func (c *City) mailHistory(now time.Time) {
	for i := range 4 {
		at := now.Add(-20*day + time.Duration(i)*time.Hour)
		id := c.writeMail(i, at)
		if i < 2 {
			c.answerMail(id, at.Add(time.Hour))
		}
		c.remember(id, record{channel: Mail, answered: i < 2, overdue: i >= 2})
	}
}

// liveMail is message number i; every other one is answered within seconds.
func (c *City) liveMail(ctx context.Context, i int) {
	id := c.writeMail(i, c.now())
	c.remember(id, record{channel: Mail})
	if i%2 == 1 || !pause(ctx, 7*time.Second) {
		return
	}
	c.answerMail(id, c.now())
	c.correct(id, func(r *record) { r.answered = true })
}

// writeMail is a citizen's message, and its Message-ID.
func (c *City) writeMail(i int, at time.Time) (id string) {
	s := samples()[i%len(samples())]
	n := c.nextSerial()
	id = fmt.Sprintf("laporan-%d@warga.example", n)
	c.mail.server.Arrive(letter(fmt.Sprintf("warga%d@warga.example", n), mailUser, s.title, id, "", s.text), at)
	return id
}

// answerMail is what the desk's mail program keeps among the sent messages.
func (c *City) answerMail(id string, at time.Time) {
	c.mail.server.Send(letter(mailUser, "warga@warga.example", "Re: laporan", "jawaban-"+id, id, answer), at)
}

// letter is a message (RFC 5322); to is the Message-ID that it answers, "" for none.
func letter(from, recipient, subject, id, to, text string) string {
	lines := []string{"From: " + from, "To: " + recipient, "Subject: " + subject, "Message-ID: <" + id + ">"}
	if to != "" {
		lines = append(lines, "In-Reply-To: <"+to+">", "References: <"+to+">")
	}
	return strings.Join(append(lines, "Content-Type: text/plain; charset=utf-8", "", text, ""), "\r\n")
}
