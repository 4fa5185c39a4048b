package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/channel/graphapi"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Bounds of what is sent, in characters.
// https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
const (
	maxReplyText = 4096
	// maxTemplateText is for the body of a template with its parameters.
	maxTemplateText = 1024
)

// defaultGraphURL is the default of the API, for specifications that did not pass through it.
const defaultGraphURL = "https://graph.facebook.com/v26.0"

// repliesPerMinute is far below the 80 messages a second that Meta takes.
const repliesPerMinute = 600

// sender sends replies by the Cloud API.
type sender struct {
	client   *fetch.Client
	base     *url.URL
	template *v1alpha1.WhatsAppTemplate
	now      func() time.Time
}

func newSender(spec *v1alpha1.WhatsAppReply, appSecrets []v1alpha1.SecretKeyReference, settings channel.Settings) (*sender, error) {
	root := string(spec.URL)
	if root == "" {
		root = defaultGraphURL
	}
	base, err := url.Parse(root)
	if err != nil || base.Host == "" {
		return nil, field.Errorf("whatsapp.reply.url", "must be an absolute URL")
	}
	token, err := settings.Credential(spec.AccessTokenSecretRef)
	if err != nil {
		return nil, err
	}
	transport, err := graphapi.Prove(settings.Transport, appSecrets, settings.Credential)
	if err != nil {
		return nil, err
	}
	client, err := fetch.New(fetch.Config{
		Transport: transport, RequestsPerMinute: repliesPerMinute, Authorizer: fetch.Bearer(token), Now: settings.Now, After: settings.After,
	})
	if err != nil {
		return nil, err
	}
	return &sender{client: client, base: base, template: spec.Template, now: settings.Now}, nil
}

// outgoing is the body of a message that is sent.
type outgoing struct {
	Product       string `json:"messaging_product"`
	RecipientType string `json:"recipient_type"`
	address
	Type     string       `json:"type"`
	Text     *outgoingRaw `json:"text,omitempty"`
	Template *outTemplate `json:"template,omitempty"`
	// CallbackData comes back with the statuses of the message.
	CallbackData string `json:"biz_opaque_callback_data"`
}

// address is whom a message goes to: a number without its plus sign, or the id that WhatsApp gives who hides it,
// which it takes in a field of its own.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
type address struct {
	To        string `json:"to,omitempty"`
	Recipient string `json:"recipient,omitempty"`
}

type outgoingRaw struct {
	PreviewURL bool   `json:"preview_url"`
	Body       string `json:"body"`
}

type outTemplate struct {
	Name     string `json:"name"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []outComponent `json:"components"`
}

type outComponent struct {
	Type       string         `json:"type"`
	Parameters []outParameter `json:"parameters"`
}

type outParameter struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// CheckReply implements channel.Replier.
func (s *source) CheckReply(reply channel.Reply) error {
	_, _, err := s.compose(reply)
	return err
}

// compose is the message that a reply becomes, and the id of the number that it comes from.
func (s *source) compose(reply channel.Reply) (message *outgoing, number string, err error) {
	if s.sender == nil {
		return nil, "", refused("the channel does not allow replies; set whatsapp.reply")
	}
	to := addressOf(reply.Message)
	if to == (address{}) {
		return nil, "", channel.UnknownReporter()
	}
	number = reply.Message.Attributes[attributeNumber]
	if number == "" && len(s.translator.numbers) == 1 {
		for only := range s.translator.numbers {
			number = only
		}
	}
	if !s.translator.numbers[number] {
		return nil, "", refused("nobody knows which of the channel's numbers the citizen wrote to; answer in the WhatsApp Business app")
	}
	m := &outgoing{Product: "whatsapp", RecipientType: "individual", address: to, CallbackData: reply.ID}
	// The instant of the last message is the platform's; a second is left for the way.
	if s.sender.now().Before(reply.Message.At.Add(replyWindow - time.Second)) {
		if n := utf8.RuneCountInString(reply.Text); n > maxReplyText {
			return nil, "", refused(fmt.Sprintf("text: has %d characters, WhatsApp takes %d", n, maxReplyText))
		}
		m.Type, m.Text = "text", &outgoingRaw{Body: reply.Text}
		return m, number, nil
	}
	if s.sender.template == nil {
		return nil, "", refused("more than 24 hours have passed since the citizen's last message, and after that WhatsApp takes templates only; set whatsapp.reply.template, or answer by another channel")
	}
	text := oneLine(reply.Text)
	if n := utf8.RuneCountInString(text); n > maxTemplateText {
		return nil, "", refused(fmt.Sprintf("text: has %d characters, a WhatsApp template takes %d", n, maxTemplateText))
	}
	m.Type, m.Template = "template", &outTemplate{
		Name:       s.sender.template.Name,
		Components: []outComponent{{Type: "body", Parameters: []outParameter{{Type: "text", Text: text}}}},
	}
	if m.Template.Language.Code = s.sender.template.Language; m.Template.Language.Code == "" {
		m.Template.Language.Code = "id"
	}
	return m, number, nil
}

// addressOf is where a message came from; zero is nowhere.
func addressOf(m channel.Message) address {
	switch {
	case m.Reporter == nil:
		return address{}
	case m.Reporter.Phone != "":
		return address{To: strings.TrimPrefix(m.Reporter.Phone, "+")}
	}
	return address{Recipient: m.Reporter.Handle}
}

// oneLine is a text as a parameter of a template may have it: no line breaks, no tabs and no more than four
// spaces in a row, or Meta refuses it.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func refused(message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Message: message}
}

// Reply implements channel.Replier.
func (s *source) Reply(ctx context.Context, reply channel.Reply) (channel.Sent, error) {
	m, number, err := s.compose(reply)
	if err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: err}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: refused("the reply cannot be encoded")}
	}
	response, err := s.sender.client.Do(ctx, fetch.Request{
		Method: http.MethodPost, URL: s.sender.base.JoinPath(number, "messages"),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
	})
	if err != nil {
		return channel.Sent{}, fetch.NotSent(explainReply(err))
	}
	var answer struct {
		Messages []struct {
			ID string `json:"id"`
		} `json:"messages"`
	}
	if json.Unmarshal(response.Body, &answer) != nil || len(answer.Messages) != 1 || answer.Messages[0].ID == "" {
		return channel.Sent{}, &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: "the answer is not that of the WhatsApp Cloud API; check whatsapp.reply.url"}
	}
	// The status of the message, or its echo, has the same identifier.
	return channel.Sent{EventID: answerID(digest(answer.Messages[0].ID)), At: s.sender.now().UTC()}, nil
}

// explainReply puts what Meta means by a status into a sentence.
func explainReply(err error) error {
	status, ok := errors.AsType[*fetch.StatusError](err)
	failure, _ := errors.AsType[*channel.Error](err)
	if ok && status.Status == http.StatusBadRequest && failure.Reason != ledgerapi.ReasonUnauthorized {
		return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Err: status,
			Message: "WhatsApp refused the message (400): the window of 24 hours has closed, the template is not approved, or the citizen cannot be reached"}
	}
	return err
}
