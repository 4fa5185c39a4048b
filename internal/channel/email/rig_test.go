package email

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/simulator/email"
)

// monday is the first working day of the tests, 09:00 in Jakarta.
var monday = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

const host = "imap.depok.example"

// certificate is the server's, made once.
var certificate = sync.OnceValues(func() (made struct {
	tls tls.Certificate
	pem []byte
}, err error) {
	made.tls, made.pem, err = email.NewCertificate(host, time.Now())
	return made, err
})

// rig is a mail server and everything around it.
type rig struct {
	t      testing.TB
	clock  *channeltest.Clock
	ledger *channeltest.Ledger
	server *email.Server
	spec   *v1alpha1.EmailSource
	// address is where the server listens; dialled counts the connections to it.
	address string
	dialled int
	refuse  error
	// transport carries the requests for tokens.
	transport http.RoundTripper
	source    channel.Source
	// silence is how long the server may say nothing; 0 is as usual.
	silence time.Duration
}

func ref(key string) v1alpha1.SecretKeyReference {
	return v1alpha1.SecretKeyReference{Name: "mail", Key: key}
}

func newSpec() *v1alpha1.EmailSource {
	ca := ref("ca")
	return &v1alpha1.EmailSource{
		Host: host, CASecretRef: &ca, UsernameSecretRef: ref("user"),
		Auth:  v1alpha1.EmailAuth{Type: v1alpha1.EmailAuthPassword, Password: &v1alpha1.EmailPassword{PasswordSecretRef: ref("password")}},
		Staff: v1alpha1.EmailStaff{Domains: []string{"depok.example"}, Addresses: []string{"lurah@mail.example"}}, AuthservID: "mx.depok.example",
	}
}

// newRig starts a server; options may be the zero value, and the certificate is filled in.
func newRig(t testing.TB, options email.Options) *rig {
	t.Helper()
	made, err := certificate()
	if err != nil {
		t.Fatal(err)
	}
	options.User, options.Password, options.Certificate = "aduan@depok.example", "rahasia", made.tls
	r := &rig{t: t, clock: channeltest.NewClock(monday), ledger: &channeltest.Ledger{}, server: email.New(options), spec: newSpec()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = listener.Addr().String()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = r.server.Serve(listener) // it ends with the listener
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		r.server.Cut()
		<-served
	})
	return r
}

// open makes the source of the specification.
func (r *rig) open() (channel.Source, error) {
	made, err := certificate()
	if err != nil {
		r.t.Fatal(err)
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if !strings.HasPrefix(address, host+":") {
			r.t.Errorf("dialled %s", address)
		}
		r.dialled++
		if r.refuse != nil {
			return nil, r.refuse
		}
		return (&net.Dialer{}).DialContext(ctx, network, r.address)
	}
	return Type{Dial: dial}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceEmail, Email: r.spec}, r.clock, r.transport, map[string]string{
		"mail/user": "aduan@depok.example", "mail/password": "rahasia", "mail/wrong": "salah", "mail/token": "ya29", "mail/ca": string(made.pem), "mail/junk": "x",
	}))
}

// poll polls once, with the source of before if there is one.
func (r *rig) poll() error {
	r.t.Helper()
	if r.source == nil {
		source, err := r.open()
		if err != nil {
			r.t.Fatal(err)
		}
		r.source = source
		if r.silence > 0 {
			useSilence(source, r.silence)
		}
		r.t.Cleanup(func() { _ = source.Close() })
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return r.source.(channel.Poller).Poll(ctx, r.ledger.Cursor(), r.ledger)
}

// polled polls and must succeed.
func (r *rig) polled() {
	r.t.Helper()
	if err := r.poll(); err != nil {
		r.t.Fatal(err)
	}
}

// useSilence has a source give up a server earlier.
func useSilence(s channel.Source, d time.Duration) { s.(*source).silence = d }

// restart begins anew with what the ledger has, as another worker does.
func (r *rig) restart() {
	if r.source != nil {
		_ = r.source.Close()
		r.source = nil
	}
}

// texts of the events in the order in which they arrived.
func (r *rig) texts() []string {
	var texts []string
	for _, e := range r.ledger.Events() {
		texts = append(texts, string(e.Kind)+": "+e.Text)
	}
	return texts
}

// letterOf is a message with a header in pairs, and a text.
func letterOf(text string, header ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(header); i += 2 {
		b.WriteString(header[i] + ": " + header[i+1] + "\n")
	}
	return b.String() + "\n" + text + "\n"
}

// reason of an error that a poll returned.
func reason(err error) string {
	if failure, ok := errors.AsType[*channel.Error](err); ok {
		return string(failure.Reason)
	}
	return ""
}
