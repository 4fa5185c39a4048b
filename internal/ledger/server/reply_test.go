package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

func TestReplyOverTheWire(t *testing.T) {
	s, _ := newSite(t)
	d := sitePolicy()
	dsw := d.Channels["dsw"]
	dsw.Replies = true
	d.Channels["dsw"] = dsw
	if _, err := s.operator(t).PutPolicy(t.Context(), d.Seal()); err != nil {
		t.Fatal(err)
	}
	worker, desk := s.worker(t, "dsw-token"), s.worker(t, "desk-token")
	complained := complaintOf("case/1")
	if _, err := worker.Append(t.Context(), "dsw", ledgerapi.AppendRequest{Events: []complaint.Event{complained}}); err != nil {
		t.Fatal(err)
	}
	// The worker waits before there is anything.
	type handed struct {
		box ledgerapi.Outbox
		err error
	}
	out := make(chan handed, 1)
	go func() {
		box, err := worker.Outbox(t.Context(), "dsw", 30*time.Second)
		out <- handed{box, err}
	}()
	request := ledgerapi.ReplyRequest{ID: "r-1", Case: "case/1", Text: "Petugas \"menuju\" lokasi\n<segera>"}
	status, err := desk.Reply(t.Context(), "dsw", request)
	if err != nil || status.State != ledgerapi.ReplyPending {
		t.Fatalf("got %+v, %v", status, err)
	}
	got := <-out
	if got.err != nil || len(got.box.Replies) != 1 || got.box.Replies[0].Text != request.Text || got.box.Replies[0].Case != "case/1" {
		t.Fatalf("the outbox is %+v, %v", got.box, got.err)
	}
	if err := worker.ReplyDone(t.Context(), "dsw", "r-1", ledgerapi.ReplyResult{State: ledgerapi.ReplySent, Event: "answer/1", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if status, err = desk.ReplyStatus(t.Context(), "dsw", "r-1"); err != nil || status.State != ledgerapi.ReplySent || status.Event != "answer/1" {
		t.Errorf("got %+v, %v", status, err)
	}
	list, err := worker.Cases(t.Context(), client.CasesQuery{Channel: "dsw"})
	if err != nil || len(list.Cases) != 1 || list.Cases[0].Unanswered {
		t.Errorf("the case is %+v, %v", list.Cases, err)
	}
}

func TestWhoMayReplyAndWhoMaySend(t *testing.T) {
	s, _ := newSite(t)
	if _, err := s.operator(t).PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	request := ledgerapi.ReplyRequest{ID: "r-1", Case: "1", Text: "Petugas menuju lokasi RAHASIA"}
	reply := func(token, channel string) error {
		_, err := s.worker(t, token).Reply(t.Context(), channel, request)
		return err
	}
	wantStatus(t, "a worker that replies by itself", http.StatusForbidden, reply("dsw-token", "dsw"))
	wantStatus(t, "the desk on another channel", http.StatusForbidden, reply("desk-token", "sigap"))
	wantStatus(t, "nobody", http.StatusUnauthorized, reply("nobody", "dsw"))
	wantStatus(t, "while rights cannot be asked for", http.StatusServiceUnavailable, reply("away", "dsw"))
	err := reply("desk-token", "dsw")
	wantStatus(t, "a channel that allows none", http.StatusForbidden, err)
	if err != nil && strings.Contains(err.Error(), "RAHASIA") {
		t.Errorf("The text stands in the error: %v", err)
	}
	_, err = s.worker(t, "other-token").Outbox(t.Context(), "dsw", 0)
	wantStatus(t, "another worker's outbox", http.StatusForbidden, err)
	_, err = s.worker(t, "desk-token").Outbox(t.Context(), "dsw", 0)
	wantStatus(t, "the desk at the outbox", http.StatusForbidden, err)
	wantStatus(t, "an outcome of nothing", http.StatusNotFound,
		s.worker(t, "dsw-token").ReplyDone(t.Context(), "dsw", "none", ledgerapi.ReplyResult{State: ledgerapi.ReplyFailed}))
	wantStatus(t, "an outcome that is none", http.StatusBadRequest,
		s.worker(t, "dsw-token").ReplyDone(t.Context(), "dsw", "none", ledgerapi.ReplyResult{State: "Lost"}))
}

// A worker that waits for replies must not keep the ledger from stopping, whenever it began to wait.
func TestAWaitForRepliesEndsWithTheServer(t *testing.T) {
	site, _ := newSite(t)
	if _, err := site.operator(t).PutPolicy(t.Context(), sitePolicy()); err != nil {
		t.Fatal(err)
	}
	s := New(site.ledger, tokens{"dsw-token": "dsw-worker"}, slog.New(slog.DiscardHandler))
	request := httptest.NewRequest(http.MethodGet, "/v1/channels/dsw/outbox?wait=1m", nil)
	request.Header.Set("Authorization", "Bearer dsw-token")
	recorded := httptest.NewRecorder()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.ServeHTTP(recorded, request)
	}()
	s.stop()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("It waits on")
	}
	if recorded.Code != http.StatusServiceUnavailable || recorded.Header().Get("Retry-After") == "" {
		t.Errorf("It ended with %d %s", recorded.Code, recorded.Body)
	}
}
