package x

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/dghubble/oauth1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

const (
	// maxWeight is the length of a post as X weighs it, linkWeight what every link weighs.
	// https://docs.x.com/fundamentals/counting-characters
	maxWeight  = 280
	linkWeight = 23
)

// sender posts as the account.
type sender struct {
	client *fetch.Client
	posts  *url.URL
}

func newSender(spec *v1alpha1.XReply, base *url.URL, settings channel.Settings) (*sender, error) {
	var values [4]string
	for i, ref := range []v1alpha1.SecretKeyReference{
		spec.ConsumerKeySecretRef, spec.ConsumerSecretSecretRef, spec.AccessTokenSecretRef, spec.AccessTokenSecretSecretRef,
	} {
		value, err := settings.Credential(ref)
		if err != nil {
			return nil, err
		}
		values[i] = string(value)
	}
	// The library signs in a transport, over the one that it finds in a context.
	over := context.WithValue(context.Background(), oauth1.HTTPClient, &http.Client{Transport: settings.Transport})
	signing := oauth1.NewConfig(values[0], values[1]).Client(over, oauth1.NewToken(values[2], values[3])).Transport
	client, err := fetch.New(fetch.Config{
		Transport: &quota{next: signing, now: settings.Now, spent: map[string]time.Time{}}, Now: settings.Now, After: settings.After,
	})
	if err != nil {
		return nil, err
	}
	return &sender{client: client, posts: base.JoinPath("2", "tweets")}, nil
}

// link is what X takes for a link: it is weighed alike whatever its length.
var link = regexp.MustCompile(`(?i)\bhttps?://[^\s]+`)

// weight is the length of a text as X counts it: letters of most scripts count once, others and emoji twice.
func weight(text string) int {
	n := linkWeight * len(link.FindAllStringIndex(text, -1))
	for _, r := range link.ReplaceAllString(text, "") {
		if r <= 4351 || r >= 8192 && r <= 8205 || r >= 8208 && r <= 8223 || r >= 8242 && r <= 8247 {
			n++
		} else {
			n += 2
		}
	}
	return n
}

// CheckReply implements channel.Replier.
func (s *source) CheckReply(reply channel.Reply) error {
	switch n := weight(reply.Text); {
	case s.sender == nil:
		return refused("the channel does not allow replies; set x.reply")
	case n > maxWeight:
		return refused(fmt.Sprintf("text: weighs %d characters, X takes %d (a link weighs %d)", n, maxWeight, linkWeight))
	}
	if _, ok := parseID(reply.Message.ID); !ok {
		return refused("the citizen's post cannot be told from what the ledger keeps")
	}
	return nil
}

func refused(message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Message: message}
}

// Reply implements channel.Replier. X takes it only where the citizen mentioned or quoted the account.
func (s *source) Reply(ctx context.Context, reply channel.Reply) (channel.Sent, error) {
	if err := s.CheckReply(reply); err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: err}
	}
	body, err := json.Marshal(map[string]any{
		"text": reply.Text, "reply": map[string]string{"in_reply_to_tweet_id": reply.Message.ID},
	})
	if err != nil {
		return channel.Sent{}, &channel.NotSentError{Err: field.Errorf("text", "cannot be encoded")}
	}
	response, err := s.sender.client.Do(ctx, fetch.Request{
		Method: http.MethodPost, URL: s.sender.posts, Header: http.Header{"Content-Type": {"application/json"}}, Body: body,
	})
	if err != nil {
		return channel.Sent{}, fetch.NotSent(explainReply(err))
	}
	var answer struct {
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	err = json.Unmarshal(response.Body, &answer)
	posted, ok := parseID(answer.Data.ID)
	if err != nil || !ok {
		return channel.Sent{}, invalid("the answer is not that of the X API; check url")
	}
	return channel.Sent{EventID: posted.String(), At: posted.time()}, nil
}

// explainReply puts what X means by a status into a sentence.
func explainReply(err error) error {
	status, ok := errors.AsType[*fetch.StatusError](err)
	if ok && status.Status == http.StatusForbidden {
		return &channel.Error{Reason: ledgerapi.ReasonReplyRefused, Err: status,
			Message: "X refused the post (403): the app may not write, the same text was posted before, or the citizen did not mention the account"}
	}
	return err
}
