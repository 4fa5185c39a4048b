package meta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Bounds of what is sent. Of messages on Instagram bytes are counted, of others characters.
// https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
const (
	maxComment          = 8000
	maxRemark           = 2200
	maxMessage          = 2000
	maxInstagramMessage = 1000
)

// humanAgentWindow is how long after a citizen's message a person, and no machine, may still answer.
const humanAgentWindow = 7 * 24 * time.Hour

// outgoing is a reply as it is sent.
type outgoing struct {
	// path is the edge of the Graph API.
	path string
	body any
	// direct says that it is a message, and not a comment.
	direct bool
}

// directMessage is the body of a message. https://developers.facebook.com/docs/messenger-platform/reference/send-api
type directMessage struct {
	Recipient struct {
		ID string `json:"id"`
	} `json:"recipient"`
	Type    string `json:"messaging_type"`
	Tag     string `json:"tag,omitempty"`
	Message struct {
		Text string `json:"text"`
	} `json:"message"`
}

// CheckReply implements channel.Replier.
func (s *source) CheckReply(reply channel.Reply) error {
	_, err := s.compose(reply)
	return err
}

// compose is what a reply becomes: a comment below the citizen's, or a message.
func (s *source) compose(reply channel.Reply) (outgoing, error) {
	kind, id, _ := strings.Cut(reply.Message.ID, "/")
	instagram := reply.Message.Attributes[attributePlatform] == "instagram"
	switch {
	case kind == "message":
		return s.composeMessage(reply, instagram)
	case reply.Message.Attributes == nil:
		return outgoing{}, refused("the content of the complaint has expired, and with it where it stands; answer on the platform")
	case kind == kindMention && instagram:
		return outgoing{}, refused("a mention on Instagram cannot be answered by Tanggap; answer below it in the app")
	case kind == kindMention:
		id = reply.Message.Attributes[attributeObject]
	case kind == kindComment && instagram:
		// Instagram's threads have one level: a reply goes to the comment that began the thread.
		if root, ok := strings.CutPrefix(reply.CaseID, kindComment+"/"); ok {
			id = root
		}
	case kind != kindComment && kind != kindPost:
		id = ""
	}
	if id == "" || !plain(id) {
		return outgoing{}, refused("what the citizen wrote cannot be told from what the ledger keeps; answer on the platform")
	}
	limit, edge := maxComment, "/comments"
	if instagram {
		limit, edge = maxRemark, "/replies"
	}
	if n := utf8.RuneCountInString(reply.Text); n > limit {
		return outgoing{}, refused(fmt.Sprintf("text: has %d characters, a comment may have %d", n, limit))
	}
	return outgoing{path: id + edge, body: map[string]string{"message": reply.Text}}, nil
}

func (s *source) composeMessage(reply channel.Reply, instagram bool) (outgoing, error) {
	if reply.Message.Reporter == nil || reply.Message.Reporter.Handle == "" {
		return outgoing{}, channel.UnknownReporter()
	}
	switch n := utf8.RuneCountInString(reply.Text); {
	case instagram && len(reply.Text) > maxInstagramMessage:
		return outgoing{}, refused(fmt.Sprintf("text: has %d bytes, a message on Instagram may have %d", len(reply.Text), maxInstagramMessage))
	case n > maxMessage:
		return outgoing{}, refused(fmt.Sprintf("text: has %d characters, a message may have %d", n, maxMessage))
	}
	m := directMessage{Type: "RESPONSE"}
	m.Recipient.ID, m.Message.Text = reply.Message.Reporter.Handle, reply.Text
	switch age := s.now().Sub(reply.Message.At); {
	case age >= humanAgentWindow:
		return outgoing{}, refused("more than 7 days have passed since the citizen's last message, and after that Meta takes no answer")
	case age >= replyWindow-time.Second:
		m.Type, m.Tag = "MESSAGE_TAG", "HUMAN_AGENT"
	}
	return outgoing{path: "me/messages", body: m, direct: true}, nil
}

func refused(message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Message: message}
}

// Reply implements channel.Replier.
func (s *source) Reply(ctx context.Context, reply channel.Reply) (channel.Sent, error) {
	out, err := s.compose(reply)
	if err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: err}
	}
	body, err := json.Marshal(out.body)
	if err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: refused("the reply cannot be encoded")}
	}
	response, err := s.graph.urgent.Do(ctx, fetch.Request{
		Method: http.MethodPost, URL: s.graph.base.JoinPath(out.path), Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
	})
	if err != nil {
		return channel.Sent{}, fetch.NotSent(explainReply(err))
	}
	var answer struct {
		ID        string `json:"id"`
		MessageID string `json:"message_id"`
	}
	sent := channel.Sent{At: s.now().UTC()}
	switch err := json.Unmarshal(response.Body, &answer); {
	case err == nil && out.direct && answer.MessageID != "":
		sent.EventID = "answer/" + digest(answer.MessageID)
	case err == nil && !out.direct && answer.ID != "":
		sent.EventID = kindComment + "/" + answer.ID
	default:
		return channel.Sent{}, invalid("the answer is not that of the Graph API; check url")
	}
	return sent, nil
}

// explainReply says of a refusal what it means for a reply.
func explainReply(err error) error {
	failure, ok := errors.AsType[*channel.Error](err)
	if !ok || failure.Reason != ledgerapi.ReasonInvalidResponse && failure.Reason != ledgerapi.ReasonNotFound {
		return err
	}
	return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Err: failure.Err,
		Message: "Meta refused the answer: the comment or the person is not there any more, or may not be answered now"}
}
