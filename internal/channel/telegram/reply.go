package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf16"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxReplyUnits is the length of a message, in UTF-16 code units as Telegram counts.
// https://core.telegram.org/bots/api#sendmessage
const maxReplyUnits = 4096

// CheckReply implements channel.Replier.
func (s *source) CheckReply(reply channel.Reply) error {
	if n := len(utf16.Encode([]rune(reply.Text))); n > maxReplyUnits {
		return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Message: fmt.Sprintf("text: has %d characters, Telegram takes %d", n, maxReplyUnits)}
	}
	if _, err := chatOf(reply.Message); err != nil {
		return err
	}
	return nil
}

// chatOf is the private chat with who wrote a message: its number is the person's.
func chatOf(m channel.Message) (int64, error) {
	if m.Reporter == nil || m.Reporter.Handle == "" {
		return 0, channel.UnknownReporter()
	}
	chat, err := strconv.ParseInt(m.Reporter.Handle, 10, 64)
	if err != nil {
		return 0, &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Message: "the citizen's chat cannot be told from what the ledger keeps"}
	}
	return chat, nil
}

// Reply implements channel.Replier. A citizen of a business account's chat is answered there, through the
// connection by which the message came.
func (s *source) Reply(ctx context.Context, reply channel.Reply) (channel.Sent, error) {
	chat, err := chatOf(reply.Message)
	if err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: err}
	}
	body, err := json.Marshal(struct {
		ChatID       int64  `json:"chat_id"`
		Text         string `json:"text"`
		ConnectionID string `json:"business_connection_id,omitempty"`
	}{chat, reply.Text, reply.Message.Attributes[attributeConnection]})
	if err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "the reply cannot be encoded"}}
	}
	response, err := s.urgent.Do(ctx, fetch.Request{
		Method: http.MethodPost, URL: s.sendMessage, Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
	})
	if err != nil {
		return channel.Sent{}, fetch.NotSent(explainReply(err))
	}
	var answer struct {
		OK     bool    `json:"ok"`
		Result message `json:"result"`
	}
	if err := json.Unmarshal(response.Body, &answer); err != nil || !answer.OK || answer.Result.ID == 0 || answer.Result.Chat.ID == 0 {
		return channel.Sent{}, invalid("the answer is not that of the Telegram Bot API; check url")
	}
	return channel.Sent{EventID: s.translator.name(&answer.Result), At: time.Unix(answer.Result.Date, 0).UTC()}, nil
}

// explainReply puts what Telegram means by a status into a sentence.
func explainReply(err error) error {
	status, ok := errors.AsType[*fetch.StatusError](err)
	if !ok {
		return err
	}
	switch status.Status {
	case http.StatusForbidden:
		return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Err: status,
			Message: "Telegram does not let the bot write to this citizen (403): the chat was blocked, or was never begun with the bot"}
	case http.StatusBadRequest:
		return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Err: status,
			Message: "Telegram refused the message (400): the chat does not exist any more, or the business account no longer lets the bot reply"}
	}
	return explain(err)
}
