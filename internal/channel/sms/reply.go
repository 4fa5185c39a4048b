package sms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxReply is the length of a message, in characters, however many parts carry it.
// https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
const maxReply = 1600

// CheckReply implements channel.Replier.
func (s *source) CheckReply(reply channel.Reply) error {
	_, err := s.compose(reply)
	return err
}

// compose is the form that a reply becomes.
func (s *source) compose(reply channel.Reply) (url.Values, error) {
	if n := utf8.RuneCountInString(reply.Text); n > maxReply {
		return nil, refused(fmt.Sprintf("text: has %d characters, Twilio takes %d", n, maxReply))
	}
	if reply.Message.Reporter == nil {
		return nil, channel.UnknownReporter()
	}
	to := reply.Message.Reporter.Phone
	if !strings.HasPrefix(to, "+") {
		return nil, refused("the message came from a short code or a name, which cannot be written to")
	}
	from := reply.Message.Attributes[attributeNumber]
	if from == "" && len(s.translator.numbers) == 1 {
		for only := range s.translator.numbers {
			from = only
		}
	}
	if !s.translator.numbers[from] {
		return nil, refused("nobody knows which of the channel's numbers the citizen wrote to; answer by another way")
	}
	return url.Values{"To": {to}, "From": {from}, "Body": {reply.Text}}, nil
}

func refused(message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Message: message}
}

// Reply implements channel.Replier. Its statuses, and the list of messages, have the same name of it.
func (s *source) Reply(ctx context.Context, reply channel.Reply) (channel.Sent, error) {
	form, err := s.compose(reply)
	if err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: err}
	}
	response, err := s.urgent.Do(ctx, fetch.Request{
		Method: http.MethodPost, URL: s.list, Header: http.Header{"Content-Type": {formType}}, Body: []byte(form.Encode()),
	})
	if err != nil {
		return channel.Sent{}, fetch.NotSent(explainReply(err))
	}
	var answer struct {
		SID string `json:"sid"`
	}
	if json.Unmarshal(response.Body, &answer) != nil || !sidPattern.MatchString(answer.SID) {
		return channel.Sent{}, errShape
	}
	return channel.Sent{EventID: messageID(answer.SID), At: s.translator.now().UTC()}, nil
}

// explainReply says of a refusal what it means for a reply.
func explainReply(err error) error {
	status, ok := errors.AsType[*fetch.StatusError](err)
	if ok && status.Status == http.StatusBadRequest {
		return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Err: status,
			Message: "Twilio refused the message (400): the citizen has opted out, the number cannot be reached, or the city's number may not send"}
	}
	return explain(err)
}
