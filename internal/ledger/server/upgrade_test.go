package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// TestWhatAWorkerOfAnotherVersionSaysIsTaken sends the recorded bodies of the wire, as they are and with members
// of a later version.
func TestWhatAWorkerOfAnotherVersionSaysIsTaken(t *testing.T) {
	s, _ := newSite(t)
	if _, err := s.operator(t).PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.ca.PEM)
	worker := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer worker.CloseIdleConnections()
	post := func(path, body string) (status int, answer string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/channels/dsw/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer dsw-token")
		resp, err := worker.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		content, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(content)
	}
	recorded := func(name string) string {
		t.Helper()
		content, err := os.ReadFile("../ledgerapi/testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	const added = `"addedLater": {"n": [1, null]}, `
	later := func(body string) string { // in the document, each event, and within an event
		body = strings.Replace(body, "{", "{"+added, 1)
		return strings.NewReplacer(`"actor":`, added+`"actor":`, `"lat":`, added+`"lat":`, `"quoted":`, added+`"quoted":`).Replace(body)
	}
	batch := strings.Replace(recorded("append-request"), "140737488355327", "0", 1)
	report := recorded("report")
	for _, step := range []struct{ what, path, body, want string }{
		{"A batch", "events", batch, `{"accepted":3,"duplicate":0,"cursorGeneration":1}`},
		{"The same of a later version", "events", later(strings.Replace(batch, `Generation": 0`, `Generation": 1`, 1)), `{"accepted":0,"duplicate":3,"cursorGeneration":2}`},
		{"A report", "report", report, ""},
		{"A report of a later version", "report", later(report), ""},
	} {
		status, answer := post(step.path, step.body)
		if status/100 != 2 || answer != step.want {
			t.Errorf("%s is answered %d %s; want %s", step.what, status, answer, step.want)
		}
	}
}

// TestAReplicaBesideANewerOneAnswersNobody: whoever asks is to ask the newer one, which can use the policy.
func TestAReplicaBesideANewerOneAnswersNobody(t *testing.T) {
	s, storage := newSiteOn(t, true)
	operator, worker := s.operator(t), s.worker(t, "dsw-token")
	if _, err := operator.PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(sitePolicy())
	if err != nil {
		t.Fatal(err)
	}
	encoded = bytes.Replace(encoded, []byte("{"), []byte(`{"addedLater":1,`), 1)
	put := func(tx store.Tx) error { return tx.PutSetting(t.Context(), "policy", encoded) }
	if err := storage.Store.Update(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the replica to see it", func() bool { return s.ledger.Superseded() != nil })
	for what, ask := range map[string]func() error{
		"A worker's start": func() error { _, err := worker.Channel(t.Context(), "dsw"); return err },
		"A policy":         func() error { _, err := operator.PutPolicy(t.Context(), sitePolicy()); return err },
		"A summary":        func() error { _, err := operator.Summary(t.Context(), ledgerapi.Position{}, 0); return err },
	} {
		wantStatus(t, what, http.StatusServiceUnavailable, ask())
	}
	// Nobody newer is there, as it turns out.
	waitFor(t, "the replica to go on", func() bool {
		_, err := operator.PutPolicy(t.Context(), sitePolicy())
		return err == nil
	})
	if _, err := worker.Channel(t.Context(), "dsw"); err != nil {
		t.Errorf("With a policy that it can use: %v", err)
	}
}
