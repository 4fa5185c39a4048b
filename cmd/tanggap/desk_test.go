package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/tlstest"
	"github.com/tanggap/tanggap/internal/policy"
)

// roles is an API server on which the token "desk-token" may reply on the channel wa of depok, and the
// token "worker-token" is the worker's. It writes the kubeconfig that leads to it.
func roles(t *testing.T, dir string) (kubeconfig string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(bytes.Buffer)
		_, _ = body.ReadFrom(r.Body)
		// The client sends protobuf, in which texts stand as they are.
		has := func(texts ...string) bool {
			for _, text := range texts {
				if !strings.Contains(body.String(), text) {
					return false
				}
			}
			return true
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		if strings.HasSuffix(r.URL.Path, "/subjectaccessreviews") {
			review := authorization.SubjectAccessReview{}
			review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SubjectAccessReview"
			review.Status.Allowed = has("system:serviceaccount:depok:desk", "create", "complaintchannels", "reply", "depok", "wa")
			_ = json.NewEncoder(w).Encode(review)
			return
		}
		review := authentication.TokenReview{}
		review.APIVersion, review.Kind = "authentication.k8s.io/v1", "TokenReview"
		for _, name := range []string{"desk", "worker"} {
			if has(name + "-token") {
				review.Status.Authenticated, review.Status.User.Username = true, "system:serviceaccount:depok:"+name
			}
		}
		review.Status.Audiences = []string{ledgerapi.Audience}
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: server.URL}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", Namespace: "depok"}
	config.CurrentContext = "c"
	kubeconfig = filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// desk is a ledger that runs, with one complaint on the channel wa, and what its clients need.
type desk struct {
	t      *testing.T
	flags  []string
	worker *client.Client
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	t.Setenv("POD_NAMESPACE", "") // it would come before the kubeconfig's
	dir, ca := t.TempDir(), tlstest.New(t)
	cert, key := ca.Issue(t, dir, "ledger")
	operatorCert, operatorKey := ca.Issue(t, dir, ledgerapi.OperatorCommonName)
	caFile := tlstest.Write(t, dir, "ca.crt", ca.PEM)
	listen, health := freeAddress(t), freeAddress(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := execute(ctx, "ledger", "--listen", listen, "--health-listen", health, "--data", filepath.Join(dir, "data"), "--tls-cert", cert,
			"--tls-key", key, "--client-ca", caFile, "--kubeconfig", roles(t, dir), "--log-level", "error")
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("The ledger ended: %v", err)
		}
	})
	waitForReady(t, "http://"+health+"/readyz", ended)
	operator := dial(t, client.Config{BaseURL: "https://" + listen, TLS: client.TLS{CAFile: caFile, CertFile: operatorCert, KeyFile: operatorKey, ServerName: "127.0.0.1"}})
	wa := policy.Channel{Type: "whatsapp", Writer: "system:serviceaccount:depok:worker", Replies: true}
	document := policy.Document{Channels: map[string]policy.Channel{"wa": wa, "sigap": wa}}
	if _, err := operator.PutPolicy(t.Context(), document.Seal()); err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t}
	d.worker = dial(t, client.Config{BaseURL: "https://" + listen, TLS: client.TLS{CAFile: caFile, ServerName: "127.0.0.1"}, TokenFile: tlstest.Write(t, dir, "worker", []byte("worker-token"))})
	_, err := d.worker.Append(t.Context(), "wa", ledgerapi.AppendRequest{Events: []complaint.Event{{
		CaseID: "wa-1", ID: "message/1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: time.Now(), Text: "Banjir RAHASIA",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	d.flags = []string{
		"--ledger", "https://" + listen, "--ledger-ca", caFile, "--ledger-name", "127.0.0.1", "--token-file", tlstest.Write(t, dir, "desk", []byte("desk-token")),
	}
	return d
}

// run runs a command of the desk with a text as its input.
func (d *desk) run(text string, args ...string) (string, error) {
	out := new(bytes.Buffer)
	root := newRootCommand()
	root.SetIn(strings.NewReader(text))
	root.SetOut(out)
	root.SetArgs(append(args, d.flags...))
	err := root.ExecuteContext(d.t.Context())
	return out.String(), err
}

// work sends what the ledger has for the channel with one outcome, until the test ends.
func (d *desk) work(outcome func(ledgerapi.OutgoingReply) ledgerapi.ReplyResult) {
	go func() {
		for {
			box, err := d.worker.Outbox(d.t.Context(), "wa", 20*time.Second)
			if err != nil {
				return
			}
			for _, r := range box.Replies {
				if err := d.worker.ReplyDone(d.t.Context(), "wa", r.ID, outcome(r)); err != nil && d.t.Context().Err() == nil {
					d.t.Errorf("Telling the outcome: %v", err)
				}
			}
		}
	}()
}

func TestTheDeskListsAndAnswers(t *testing.T) {
	d := newDesk(t)
	d.work(func(r ledgerapi.OutgoingReply) ledgerapi.ReplyResult {
		switch {
		case r.DryRun:
			return ledgerapi.ReplyResult{State: ledgerapi.ReplyChecked}
		case r.Text != "Petugas menuju lokasi":
			return ledgerapi.ReplyResult{State: ledgerapi.ReplyFailed, Reason: ledgerapi.ReasonReplyRefused, Message: "the window has closed"}
		}
		return ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "answer/1", At: time.Now()}
	})
	list, err := d.run("", "cases", "--channel", "wa")
	if err != nil || !strings.Contains(list, "wa-1 ") || !strings.Contains(list, "unanswered") || strings.Contains(list, "RAHASIA") {
		t.Errorf("cases says %q, %v", list, err)
	}
	for _, step := range []struct {
		text    string
		args    []string
		want    string
		failure string
	}{
		{"Petugas menuju lokasi\n", []string{"--id", "r0", "--dry-run"}, "r0: Checked\n", ""},
		{"Terlambat\n", []string{"--id", "r1"}, "", "the reply r1 is Failed: the window has closed"},
		{"Petugas menuju lokasi\n", []string{"--id", "r2"}, "r2: Sent\n", ""},
		{"Petugas menuju lokasi\n", []string{"--id", "r2"}, "r2: Sent\n", ""}, // once more
		{"Lain\n", []string{"--id", "r2"}, "", "id: was used for another reply"},
		{"\n", nil, "", "text: must have"},
	} {
		out, err := d.run(step.text, append([]string{"reply", "--channel", "wa", "--case", "wa-1"}, step.args...)...)
		if out != step.want || (err == nil) != (step.failure == "") || err != nil && !strings.Contains(err.Error(), step.failure) {
			t.Errorf("%v says %q, %v; want %q, %q", step.args, out, err, step.want, step.failure)
		}
	}
	list, err = d.run("", "cases", "--channel", "wa", "-o", "json", "--state", "open")
	if err != nil || !strings.Contains(list, `"unanswered":false`) {
		t.Errorf("After the reply cases says %q, %v", list, err)
	}
}

// TestNoIdentifierIsObeyedByATerminal lists a case whose identifier, which the sender of a complaint may choose, is made to
// clear the screen and to look like another case.
func TestNoIdentifierIsObeyedByATerminal(t *testing.T) {
	d := newDesk(t)
	_, err := d.worker.Append(t.Context(), "wa", ledgerapi.AppendRequest{Events: []complaint.Event{{
		CaseID: "\x1b[2J\nwa-2\u202e", ID: "message/2", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: time.Now(),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := d.run("", "cases", "--channel", "wa")
	if err != nil || strings.ContainsAny(list, "\x1b\u202e") || strings.Count(list, "\n") != 3 || !strings.Contains(list, `"\x1b[2J\nwa-2\u202e"`) {
		t.Errorf("the desk reads %q, %v", list, err)
	}
}

func TestTheDeskMayDoWhatTheRolesLetIt(t *testing.T) {
	d := newDesk(t)
	for _, args := range [][]string{{"cases", "--channel", "sigap"}, {"reply", "--channel", "sigap", "--case", "1"}} {
		if out, err := d.run("Petugas menuju lokasi", args...); err == nil || !strings.Contains(err.Error(), "complaintchannels/reply") {
			t.Errorf("%v says %q, %v", args, out, err)
		}
	}
}

func TestAReplyThatNobodySendsIsSaidToWait(t *testing.T) {
	d := newDesk(t)
	_, err := d.run("Petugas menuju lokasi", "reply", "--channel", "wa", "--case", "wa-1", "--id", "r1", "--wait", "10ms")
	if want := fmt.Sprintf("the reply r1 is still %s; ask again with --id r1", ledgerapi.ReplyPending); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestAReplyThatMayHaveBeenTakenIsAskedForAgainByItsName: who sends it again without its name would have the citizen hear
// twice.
func TestAReplyThatMayHaveBeenTakenIsAskedForAgainByItsName(t *testing.T) {
	dir, ca := t.TempDir(), tlstest.New(t)
	certificate, err := tls.LoadX509KeyPair(ca.Issue(t, dir, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"--ledger-ca", tlstest.Write(t, dir, "ca.crt", ca.PEM), "--token-file", tlstest.Write(t, dir, "token", []byte("t")), "--ledger-name", "127.0.0.1"}
	lost := func(http.ResponseWriter) { panic(http.ErrAbortHandler) }
	refused := func(status int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(status) }
	}
	taken := func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"id": "r", "state": "Pending"}`)) }
	for name, test := range map[string]struct {
		asked, looked func(http.ResponseWriter)
		named         bool
	}{
		"the answer was lost":                    {asked: lost, named: true},
		"the ledger cannot store it now":         {asked: refused(http.StatusServiceUnavailable), named: true},
		"it was refused":                         {asked: refused(http.StatusForbidden)},
		"it was taken, and the token then ended": {asked: taken, looked: refused(http.StatusUnauthorized), named: true},
	} {
		t.Run(name, func(t *testing.T) {
			var sent ledgerapi.ReplyRequest
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					test.looked(w)
					return
				}
				if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
					t.Error(err)
				}
				test.asked(w)
			}))
			server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
			server.StartTLS()
			defer server.Close()
			d := &desk{t: t, flags: append(files, "--ledger", server.URL)}
			_, err := d.run("Petugas menuju lokasi", "reply", "--channel", "wa", "--case", "wa-1")
			if named := err != nil && strings.Contains(err.Error(), "ask again with --id "+sent.ID); err == nil || sent.ID == "" || named != test.named {
				t.Errorf("the reply %s: %v", sent.ID, err)
			}
		})
	}
}
