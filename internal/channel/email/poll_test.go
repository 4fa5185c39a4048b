package email

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/email"
)

// question is what a citizen writes, under a Message-ID of its own.
func question(n int) string {
	return letterOf(fmt.Sprintf("Isi %d", n), "From", "ani@warga.example", "To", "aduan@depok.example", "Message-ID", fmt.Sprintf("<q%d@warga.example>", n), "Subject", fmt.Sprintf("Soal %d", n))
}

// answer is what the staff reply to it.
func answer(n int) string {
	return letterOf(fmt.Sprintf("Jawab %d", n), "From", "aduan@depok.example", "To", "ani@warga.example",
		"Message-ID", fmt.Sprintf("<a%d@depok.example>", n), "In-Reply-To", fmt.Sprintf("<q%d@warga.example>", n), "References", fmt.Sprintf("<q%d@warga.example>", n))
}

func TestQuestionsAndAnswersAreReadInTheOrderInWhichTheyCame(t *testing.T) {
	r := newRig(t, email.Options{})
	r.server.Arrive(question(1), monday)
	r.server.Arrive(question(2), monday.Add(2*time.Hour))
	r.server.Send(answer(1), monday.Add(time.Hour))
	r.server.Send(answer(2), monday.Add(3*time.Hour))
	r.server.Arrive(string(fixtures(t)["auto_reply"]), monday.Add(4*time.Hour))
	r.clock.Advance(5 * time.Hour)
	r.polled()
	want := []string{"Received: Soal 1\n\nIsi 1", "Answered: Jawab 1", "Received: Soal 2\n\nIsi 2", "Answered: Jawab 2"}
	if diff := cmp.Diff(want, r.texts()); diff != "" {
		t.Error(diff)
	}
	if !r.ledger.Through().Equal(monday.Add(5 * time.Hour)) {
		t.Errorf("read through %s", r.ledger.Through())
	}
	// What comes later is all that is read then, by this worker and by the next.
	r.server.Arrive(question(3), monday.Add(6*time.Hour))
	r.polled()
	r.restart()
	r.server.Send(answer(3), monday.Add(7*time.Hour))
	appends := r.ledger.Appends()
	r.polled()
	if got := r.texts(); len(got) != 6 || r.ledger.Appends() != appends+2 {
		t.Errorf("got %q in %d batches", got, r.ledger.Appends()-appends)
	}
	if problems := r.ledger.Problems(); len(problems) > 0 {
		t.Errorf("problems: %v", r.ledger.Messages())
	}
}

// TestNothingIsChanged looks at what was asked of the server.
func TestNothingIsChanged(t *testing.T) {
	r := newRig(t, email.Options{})
	for n := range 60 {
		r.server.Arrive(question(n), monday.Add(-time.Duration(60-n)*time.Minute))
	}
	r.polled()
	r.polled()
	for _, command := range r.server.Asked() {
		if verb, rest, _ := strings.Cut(command, " "); verb != "EXAMINE" && verb != "SEARCH" && command != "FETCH" && (verb != "FETCH" || rest != "BODY.PEEK") {
			t.Errorf("asked for %s", command)
		}
	}
	if got := len(r.ledger.Events()); got != 60 {
		t.Errorf("%d events", got)
	}
}

func TestAMailboxThatIsRenumberedIsReadAgainWithoutDoubles(t *testing.T) {
	r := newRig(t, email.Options{})
	for n := range 5 {
		r.server.Arrive(question(n), monday.Add(time.Duration(n)*time.Minute))
	}
	r.clock.Advance(time.Hour)
	r.polled()
	before := r.ledger.IDs()
	r.server.Renumber(email.Inbox)
	r.server.Arrive(question(5), monday.Add(90*time.Minute))
	r.polled()
	if got := r.ledger.IDs(); len(got) != 6 || len(before) != 5 {
		t.Errorf("%d events after %d", len(got), len(before))
	}
}

func TestHowFarBackTheFirstPollReads(t *testing.T) {
	r := newRig(t, email.Options{})
	r.spec.Polling = &v1alpha1.EmailPolling{Lookback: &metav1.Duration{Duration: 48 * time.Hour}}
	r.server.Arrive(question(1), monday.Add(-72*time.Hour))
	r.server.Arrive(question(2), monday.Add(-49*time.Hour)) // on the same day, as servers compare days
	r.polled()
	if got := r.texts(); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	r.server.Arrive(question(3), monday.Add(-time.Hour))
	r.server.Put(email.Inbox, question(4), monday.Add(-100*time.Hour)) // somebody moves an old one here
	r.polled()
	if diff := cmp.Diff([]string{"Received: Soal 3\n\nIsi 3"}, r.texts()); diff != "" {
		t.Error(diff)
	}
}

func TestAnOutageLosesNothing(t *testing.T) {
	r := newRig(t, email.Options{})
	for n := range 130 {
		r.server.Arrive(question(n), monday.Add(time.Duration(n)*time.Second))
		r.server.Send(answer(n), monday.Add(time.Hour+time.Duration(n)*time.Second))
	}
	r.clock.Advance(2 * time.Hour)
	// The ledger goes away between pages, or its answer gets lost; the connection breaks within an answer.
	r.ledger.Fault = func(n int) (before, after error) {
		switch n {
		case 2:
			return channeltest.Away(), nil
		case 4:
			return nil, channeltest.Away()
		}
		return nil, nil
	}
	failures := map[string]int{}
	for n := 0; ; n++ {
		if n%3 == 2 {
			r.server.CutAfter(4000)
		}
		err := r.poll()
		if err == nil {
			break
		}
		failures[reason(err)]++
		if n > 50 {
			t.Fatal(err)
		}
	}
	if got := len(r.ledger.Events()); got != 260 {
		t.Errorf("%d events", got)
	}
	if failures["LedgerUnavailable"] != 2 || failures["Unreachable"] == 0 {
		t.Errorf("failures: %v", failures)
	}
}

func TestABoundedPollGoesOnWithTheNext(t *testing.T) {
	r := newRig(t, email.Options{})
	one := int32(1)
	r.spec.Polling = &v1alpha1.EmailPolling{MaxPages: &one}
	for n := range 70 {
		r.server.Arrive(question(n), monday.Add(-time.Minute))
	}
	if err := r.poll(); reason(err) != "Connected" {
		t.Fatal(err)
	}
	if !r.ledger.Through().IsZero() || len(r.ledger.Events()) != 50 {
		t.Errorf("through %s, %d events", r.ledger.Through(), len(r.ledger.Events()))
	}
	for n := 0; r.poll() != nil; n++ {
		if n > 3 {
			t.Fatal("there is no end")
		}
	}
	if len(r.ledger.Events()) != 70 {
		t.Errorf("%d events", len(r.ledger.Events()))
	}
}

// TestAMessageOfNoUseBlocksNothing: it is counted, and what stands behind it is read.
func TestAMessageOfNoUseBlocksNothing(t *testing.T) {
	r := newRig(t, email.Options{})
	size := int32(65536)
	r.spec.MaxMessageBytes = &size
	r.server.Arrive("   \n", monday)
	r.server.Arrive("nothing that looks like a header\n", monday)
	r.server.Arrive(strings.Replace(question(1), "Isi 1", "Isi 1\n"+strings.Repeat("panjang ", 100_000), 1), monday)
	r.server.Arrive(letterOf("Siap", "From", "aduan@depok.example", "To", "ani@warga.example", "Message-ID", "<f@x>", "In-Reply-To", "<q1@warga.example>"), monday)
	r.server.Arrive(question(2), monday)
	r.clock.Advance(time.Minute)
	r.polled()
	got := r.texts()
	if len(got) != 2 || !strings.HasPrefix(got[0], "Received: Soal 1\n\nIsi 1\npanjang") || got[1] != "Received: Soal 2\n\nIsi 2" {
		t.Errorf("got %.200q", got)
	}
	want := map[ledgerapi.Reason]int{"InvalidResponse": 2, "SignatureInvalid": 0}
	if diff := cmp.Diff(want, r.ledger.Problems()); diff != "" {
		t.Error(diff, r.ledger.Messages())
	}
	for _, message := range r.ledger.Messages() {
		if strings.Contains(message, "looks like") || strings.Contains(message, "example") {
			t.Errorf("said %q", message)
		}
	}
}

func TestWhatAServerMayOffer(t *testing.T) {
	bearer := v1alpha1.EmailAuth{Type: v1alpha1.EmailAuthBearer, Bearer: &v1alpha1.BearerAuth{TokenSecretRef: ref("token")}}
	for name, tt := range map[string]struct {
		options email.Options
		change  func(*v1alpha1.EmailSource)
		reason  string
	}{
		"a password":                         {},
		"STARTTLS":                           {email.Options{STARTTLS: true}, func(s *v1alpha1.EmailSource) { s.TLS = v1alpha1.EmailTLSStart }, ""},
		"LOGIN and nothing else":             {email.Options{Mechanisms: []string{}}, nil, ""},
		"a token by XOAUTH2":                 {email.Options{Token: "ya29"}, func(s *v1alpha1.EmailSource) { s.Auth = bearer }, ""},
		"a token by OAUTHBEARER":             {email.Options{Token: "ya29", Mechanisms: []string{"OAUTHBEARER"}}, func(s *v1alpha1.EmailSource) { s.Auth = bearer }, ""},
		"hardly anything":                    {email.Options{Capabilities: []imap.Cap{}}, func(s *v1alpha1.EmailSource) { s.SentMailbox = email.Sent }, ""},
		"a wrong password":                   {email.Options{}, func(s *v1alpha1.EmailSource) { s.Auth.Password.PasswordSecretRef = ref("wrong") }, "Unauthorized"},
		"an old token by XOAUTH2":            {email.Options{Token: "ya30"}, func(s *v1alpha1.EmailSource) { s.Auth = bearer }, "Unauthorized"},
		"an old token by OAUTHBEARER":        {email.Options{Token: "ya30", Mechanisms: []string{"OAUTHBEARER"}}, func(s *v1alpha1.EmailSource) { s.Auth = bearer }, "Unauthorized"},
		"no tokens":                          {email.Options{}, func(s *v1alpha1.EmailSource) { s.Auth = bearer }, "Unauthorized"},
		"no such mailbox":                    {email.Options{}, func(s *v1alpha1.EmailSource) { s.Mailboxes = []string{"Tidak ada"} }, "NotFound"},
		"no such mailbox of sent messages":   {email.Options{}, func(s *v1alpha1.EmailSource) { s.SentMailbox = "Keluar" }, "NotFound"},
		"a certificate that nobody trusts":   {email.Options{}, func(s *v1alpha1.EmailSource) { s.CASecretRef = nil }, "Unreachable"},
		"TLS where STARTTLS is expected":     {email.Options{STARTTLS: true}, nil, "Unreachable"},
		"STARTTLS where TLS is expected":     {email.Options{}, func(s *v1alpha1.EmailSource) { s.TLS = v1alpha1.EmailTLSStart }, "Unreachable"},
		"no word about the folder that sent": {email.Options{Unmarked: true}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tt.options)
			if tt.change != nil {
				tt.change(r.spec)
			}
			r.server.Arrive(question(1), monday)
			err := r.poll()
			if reason(err) != tt.reason || err != nil && tt.reason == "" {
				t.Fatalf("got %v", err)
			}
			if err == nil && len(r.ledger.Events()) != 1 {
				t.Errorf("%d events", len(r.ledger.Events()))
			}
			if problems, want := r.ledger.Messages(), 0; tt.options.Unmarked {
				if len(problems) != 1 || !strings.Contains(problems[0], "set sentMailbox") {
					t.Errorf("said %q", problems)
				}
			} else if len(problems) != want {
				t.Errorf("said %q", problems)
			}
			if err != nil && (strings.Contains(err.Error(), "rahasia") || strings.Contains(err.Error(), "salah") || strings.Contains(err.Error(), "ya29")) {
				t.Errorf("said too much: %v", err)
			}
		})
	}
}

func TestWhatAServerMayRefuse(t *testing.T) {
	no := func(code imap.ResponseCode) imap.Error {
		return imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: "ani@warga.example"}
	}
	for name, tt := range map[string]struct {
		refusal imap.Error
		reason  string
	}{
		"too many connections": {no(imap.ResponseCodeLimit), "RateLimited"},
		"throttled":            {no("THROTTLED"), "RateLimited"},
		"not now":              {no(imap.ResponseCodeUnavailable), "ServerError"},
		"without a word":       {no(""), "ServerError"},
		"no permission":        {no(imap.ResponseCodeNoPerm), "Unauthorized"},
		"not understood":       {imap.Error{Type: imap.StatusResponseTypeBad, Text: "what?"}, "InvalidResponse"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, email.Options{})
			r.server.Arrive(question(1), monday)
			r.server.Fail(tt.refusal)
			err := r.poll()
			if reason(err) != tt.reason || strings.Contains(err.Error(), "ani@") {
				t.Errorf("got %v", err)
			}
			r.polled()
			if len(r.ledger.Events()) != 1 || r.dialled != 2 {
				t.Errorf("%d events, dialled %d times", len(r.ledger.Events()), r.dialled)
			}
		})
	}
}

func TestWhatIsNotThere(t *testing.T) {
	r := newRig(t, email.Options{})
	r.refuse = errors.New("lookup secret.example: no such host")
	if err := r.poll(); reason(err) != "Unreachable" || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	r.refuse = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.source.(channel.Poller).Poll(ctx, nil, r.ledger); err == nil {
		t.Error("a poll that was called off succeeded")
	}
	r.polled()
	for name, change := range map[string]func(*v1alpha1.EmailSource){
		"the user":          func(s *v1alpha1.EmailSource) { s.UsernameSecretRef = ref("none") },
		"the password":      func(s *v1alpha1.EmailSource) { s.Auth.Password.PasswordSecretRef = ref("none") },
		"certificates":      func(s *v1alpha1.EmailSource) { s.CASecretRef.Key = "none" },
		"real certificates": func(s *v1alpha1.EmailSource) { s.CASecretRef.Key = "junk" },
		"a token": func(s *v1alpha1.EmailSource) {
			s.Auth = v1alpha1.EmailAuth{Type: "Bearer", Bearer: &v1alpha1.BearerAuth{TokenSecretRef: ref("none")}}
		},
		"the id of a client": func(s *v1alpha1.EmailSource) {
			s.Auth = v1alpha1.EmailAuth{Type: "OAuth2", OAuth2: &v1alpha1.OAuth2Auth{TokenURL: "https://login.example/token", ClientIDSecretRef: ref("none"), ClientSecretSecretRef: ref("password")}}
		},
	} {
		r.spec = newSpec()
		change(r.spec)
		if _, err := r.open(); reason(err) != "CredentialMissing" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	r.spec = nil
	if _, err := r.open(); err == nil {
		t.Error("a channel without its member was opened")
	}
}

// TestATokenOfTheAuthorizationServer: it is got once, and anew when the mail server refuses it.
func TestATokenOfTheAuthorizationServer(t *testing.T) {
	tokens := []string{"stale", "ya29"}
	asked := 0
	login := channeltest.Direct{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, tokens[asked]) // to a recorder
		asked++
	})}
	r := newRig(t, email.Options{Token: "ya29"})
	r.spec.Auth = v1alpha1.EmailAuth{Type: "OAuth2", OAuth2: &v1alpha1.OAuth2Auth{
		TokenURL: "https://login.example/token", ClientIDSecretRef: ref("user"), ClientSecretSecretRef: ref("password"), Scopes: []string{"https://mail.example/.default"},
	}}
	r.transport = login
	r.server.Arrive(question(1), monday)
	if err := r.poll(); reason(err) != "Unauthorized" {
		t.Fatalf("got %v", err)
	}
	r.polled()
	r.server.Cut()
	r.polled()
	if asked != 2 || len(r.ledger.Events()) != 1 {
		t.Errorf("asked %d times, %d events", asked, len(r.ledger.Events()))
	}
}

// TestTheServersWordOfANewMessageWakesTheSource: after a poll the connection stays, and tells.
func TestTheServersWordOfANewMessageWakesTheSource(t *testing.T) {
	r := newRig(t, email.Options{})
	r.polled()
	woken := r.source.(channel.Waker).Woken()
	select {
	case <-woken:
		t.Fatal("woken for nothing")
	default:
	}
	r.server.Arrive(question(1), monday)
	select {
	case <-woken:
	case <-time.After(time.Minute):
		t.Fatal("not woken")
	}
	r.polled()
	if len(r.ledger.Events()) != 1 || r.dialled != 1 {
		t.Errorf("%d events, dialled %d times", len(r.ledger.Events()), r.dialled)
	}
	// A connection that was cut in the meantime is opened again.
	r.server.Cut()
	r.server.Arrive(question(2), monday)
	r.polled()
	if len(r.ledger.Events()) != 2 || r.dialled != 2 {
		t.Errorf("%d events, dialled %d times", len(r.ledger.Events()), r.dialled)
	}
}

// TestAConnectionThatSaysNothingIsGivenUp: between polls it may be silent, and when it is asked it may not be for long.
func TestAConnectionThatSaysNothingIsGivenUp(t *testing.T) {
	r := newRig(t, email.Options{})
	r.silence = 2 * time.Second
	r.polled()
	r.server.Stall()
	r.server.Arrive(question(1), monday)
	r.polled() // with another one
	if len(r.ledger.Events()) != 1 || r.dialled != 2 {
		t.Errorf("%d events, dialled %d times", len(r.ledger.Events()), r.dialled)
	}
	r.ledger.Fault = func(int) (before, after error) {
		r.server.Stall() // in the middle of a poll
		return nil, nil
	}
	r.server.Arrive(question(2), monday)
	if err := r.poll(); reason(err) != "Timeout" {
		t.Errorf("got %v", err)
	}
	r.ledger.Fault = nil
	r.polled()
	if len(r.ledger.Events()) != 2 || r.dialled != 3 {
		t.Errorf("%d events, dialled %d times", len(r.ledger.Events()), r.dialled)
	}
}

func TestMailboxesOfSeveralDesks(t *testing.T) {
	r := newRig(t, email.Options{})
	r.server.Create("Lurah")
	r.spec.Mailboxes = []string{email.Inbox, "Lurah"}
	r.server.Put("Lurah", question(1), monday.Add(time.Second))
	r.server.Arrive(question(1), monday)
	r.server.Put("Lurah", question(2), monday)
	r.polled()
	ids := r.ledger.IDs()
	if len(ids) != 2 || !slices.IsSorted(ids) {
		t.Errorf("got %v", ids)
	}
}
