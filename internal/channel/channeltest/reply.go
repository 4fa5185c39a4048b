package channeltest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// ReplyTo is an answer to a message that the ledger has, as the ledger hands it out.
func ReplyTo(e complaint.Event, text string) channel.Reply {
	return channel.Reply{
		ID: "r-1", CaseID: e.CaseID, Text: text,
		Message: channel.Message{ID: e.ID, At: e.OccurredAt, Reporter: e.Reporter, Attributes: e.Attributes},
	}
}

// NotReplied sends a reply that must fail for a reason, and returns what is said of it. Open says that nobody can
// know whether it was sent. What is said must not hold any of the private words, which are in small letters.
func NotReplied(t *testing.T, source channel.Source, reply channel.Reply, want ledgerapi.Reason, open bool, private ...string) (message string) {
	t.Helper()
	replier := source.(channel.Replier)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := replier.CheckReply(reply)
	if err == nil {
		_, err = replier.Reply(ctx, reply)
		if _, certain := errors.AsType[*channel.NotSentError](err); certain == open {
			t.Errorf("Certain that it was not sent: %v, want %v (%v)", certain, !open, err)
		}
	}
	failure, ok := errors.AsType[*channel.Error](err)
	if !ok || failure.Reason != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	for _, word := range private {
		if strings.Contains(strings.ToLower(failure.Error()), word) {
			t.Errorf("%q is in the failure %v", word, failure)
		}
	}
	return failure.Message
}
