package city

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/email"
)

// Credentials of the desk's mailbox; config/samples/depok/secrets.yaml has the same.
const (
	mailUser     = "aduan@depok.example"
	mailPassword = "demo-password-of-the-mailbox"
)

// mailbox is the desk's, at a server of its own. Mail goes to an address and not by HTTP, so that the
// channel is told where once the address is known: the city has it when somebody asks for it.
type mailbox struct {
	server    *email.Server
	address   *net.TCPAddr
	authority []byte
	// begun is closed when somebody has asked where it is.
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

// MailServer is where the desk's mailbox is; what a channel must know of it beyond config/samples/depok.
type MailServer struct {
	Host string `json:"host"`
	Port int32  `json:"port"`
	// Authority is the certificate to trust, as PEM.
	Authority string `json:"authority"`
}

// beginMail has the desk receive mail from now on, and returns where.
func (c *City) beginMail() MailServer {
	c.mu.Lock()
	begins := !c.mailBegun
	c.mailBegun = true
	c.mu.Unlock()
	if begins {
		c.mailHistory(c.now())
		close(c.mail.begun)
	}
	return MailServer{
		Host: c.mail.address.IP.String(), Port: int32(c.mail.address.Port),
		Authority: string(c.mail.authority),
	}
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
