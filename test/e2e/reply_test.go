package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/telegram"
)

// deskOf is a client of the town's ledger with the token of a service account.
func (c *town) deskOf(t *testing.T, account string) *client.Client {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(c.token(t, account, ledgerapi.Audience)), 0o600); err != nil {
		t.Fatal(err)
	}
	desk, err := client.New(client.Config{BaseURL: c.ledgerURL(""), Transport: c.ledgerClient(t, nil).Transport, TokenFile: file})
	if err != nil {
		t.Fatal(err)
	}
	return desk
}

// TestTheDeskAnswersACitizen goes the whole way: a complaint to a bot, the desk's answer by the cluster's own
// roles, the worker that sends it, and the figure that falls.
func TestTheDeskAnswersACitizen(t *testing.T) {
	t.Parallel()
	const botToken, citizen = "123456:e2e-t0ken", int64(5501)
	bot := telegram.New(telegram.Options{Token: botToken, Now: time.Now})
	server := httptest.NewServer(bot)
	t.Cleanup(server.Close)
	bot.Add("message", telegram.Private(citizen, "Banjir di Jl. Margonda, belum ada petugas"))
	c := newTown(t, "answers")
	c.apply(t, "bot.yaml", "token", botToken, "url", server.URL)
	c.awaitReady(t, "bot")
	c.awaitFigures(t, "bot", figures{Received: 1, Answered: 0, Unanswered: 1})

	desk := c.deskOf(t, "desk")
	list, err := desk.Cases(t.Context(), client.CasesQuery{Channel: "bot", State: "unanswered"})
	if err != nil || len(list.Cases) != 1 {
		t.Fatalf("the desk sees %+v, %v", list, err)
	}
	request := ledgerapi.ReplyRequest{ID: "visit-1", Case: list.Cases[0].CaseID, Text: "Petugas DPUPR menuju lokasi, perkiraan tiba pukul 10.30"}
	_, err = c.deskOf(t, "passer-by").Reply(t.Context(), "bot", request)
	if refusal, ok := errors.AsType[*client.Error](err); !ok || refusal.Status != http.StatusForbidden {
		t.Errorf("somebody without the right: %v", err)
	}
	dry := request
	dry.ID, dry.DryRun = "visit-0", true
	c.reply(t, desk, dry, ledgerapi.ReplyChecked)
	c.reply(t, desk, request, ledgerapi.ReplySent)
	c.reply(t, desk, request, ledgerapi.ReplySent) // the same again is the same reply
	want := []telegram.Sent{{Chat: citizen, Text: request.Text}}
	if diff := cmp.Diff(want, bot.Sent(), cmpopts.IgnoreFields(telegram.Sent{}, "ID")); diff != "" {
		t.Errorf("what the citizen got (-want +got):\n%s", diff)
	}
	c.awaitFigures(t, "bot", figures{Received: 1, Answered: 1, Unanswered: 0})

	// The citizen blocks the bot: the desk is told why, in words without a name.
	bot.Block(citizen)
	again := request
	again.ID = "visit-2"
	if status := c.reply(t, desk, again, ledgerapi.ReplyFailed); status.Reason != ledgerapi.ReasonReplyRefused || status.Message == "" {
		t.Errorf("after the bot was blocked: %+v", status)
	}
}

// reply asks for a reply and waits for its outcome.
func (c *town) reply(t *testing.T, desk *client.Client, request ledgerapi.ReplyRequest, want ledgerapi.ReplyState) (status ledgerapi.ReplyStatus) {
	t.Helper()
	if _, err := desk.Reply(t.Context(), "bot", request); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, fmt.Sprintf("the reply %s is %s", request.ID, want), func(ctx context.Context) (err error) {
		if status, err = desk.ReplyStatus(ctx, "bot", request.ID); err == nil && status.State != want {
			err = fmt.Errorf("it is %s: %s", status.State, status.Message)
		}
		return err
	})
	return status
}
