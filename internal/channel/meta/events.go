package meta

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Attributes of an event.
const (
	// attributeType is what it is: comment, post, mention, or what is attached to a message.
	attributeType     = "type"
	attributePlatform = "platform"
	// attributeObject is the post or comment in which the city was mentioned.
	attributeObject = "objectID"
	// attributeAd is the ad below which somebody commented.
	attributeAd = "adID"
	// attributeReplyUntil is when the free reply to a message ends.
	attributeReplyUntil = "replyUntil"
)

// translator turns what Meta says into events. It remembers nothing.
type translator struct {
	// accounts are the ids of the Page and the Instagram account.
	accounts []string
	bots     []string
	window   time.Duration
}

func newTranslator(spec *v1alpha1.MetaSource) translator {
	t := translator{window: channel.Duration(spec.CaseWindow, defaultCaseWindow)}
	for _, id := range []v1alpha1.MetaID{spec.PageID, spec.InstagramAccountID} {
		if id != "" {
			t.accounts = append(t.accounts, string(id))
		}
	}
	for _, id := range spec.BotAppIDs {
		t.bots = append(t.bots, string(id))
	}
	return t
}

// ours reports whether the Page or the account is meant.
func (t *translator) ours(id ident) bool { return slices.Contains(t.accounts, string(id)) }

// result is what a delivery comes to.
type result struct {
	push.Result
	// thin are events that say where the city was mentioned and not what was said.
	thin []thin
}

// thin is the event of a mention, by its place in Events, and what it is of.
type thin struct {
	index          int
	media, comment string
}

var (
	errShape = errors.New("is not of the documented shape")
	errID    = errors.New("has no id")
	errTime  = errors.New("has no time")
)

// failed notes an item that makes no sense. The error names what is wrong and holds nothing of it.
func (r *result) failed(what string, err error) {
	r.Problems = append(r.Problems, push.Problem{Reason: ledgerapi.ReasonInvalidEvent, Message: what + " " + err.Error(), Items: 1})
}

// add takes in an event, if there is one.
func (r *result) add(what string, e *complaint.Event, err error) {
	switch {
	case err != nil:
		r.failed(what, err)
	case e != nil:
		r.Events = append(r.Events, *e)
	}
}

// translate says what has happened by a body. The error is of a body that cannot be read at all.
func (t *translator) translate(body []byte) (*result, error) {
	var d delivery
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, errors.New("the body is not JSON of the documented shape")
	}
	r := &result{}
	if d.Object != objectPage && d.Object != objectInstagram {
		r.Problems = append(r.Problems, push.Problem{Reason: ledgerapi.ReasonInvalidBody, Items: 1,
			Message: "the delivery is not about a Page or an Instagram account: subscribe this endpoint to the objects page and instagram only"})
		return r, nil
	}
	for _, raw := range d.Entry {
		var e entry
		if json.Unmarshal(raw, &e) != nil {
			r.failed("an entry", errShape)
			continue
		}
		if !t.ours(e.ID) {
			continue
		}
		if e.Field != "" {
			e.Changes = append(e.Changes, e.change)
		}
		for i := range e.Changes {
			t.change(r, d.Object, &e.Changes[i], e.Time)
		}
		for _, raw := range slices.Concat(e.Messaging, e.Standby) {
			t.conversation(r, d.Object, raw, &e)
		}
	}
	return r, nil
}

// change says what has happened by one change.
func (t *translator) change(r *result, object string, c *change, sent moment) {
	switch object + "/" + c.Field {
	case "page/feed":
		decode(r, "a change of the feed", c.Value, func(v *feedValue) (*complaint.Event, error) { return t.feed(v, sent) })
	case "page/mention":
		decode(r, "a mention", c.Value, func(v *feedValue) (*complaint.Event, error) { return t.mentioned(v, sent) })
	case "instagram/comments", "instagram/live_comments":
		decode(r, "a comment", c.Value, func(v *commentValue) (*complaint.Event, error) { return t.instagram(v, sent) })
	case "instagram/mentions":
		t.thinMention(r, c.Value, sent)
	}
}

// decode reads a value and adds what it comes to.
func decode[V any](r *result, what string, raw json.RawMessage, event func(*V) (*complaint.Event, error)) {
	var v V
	if json.Unmarshal(raw, &v) != nil {
		r.failed(what, errShape)
		return
	}
	e, err := event(&v)
	r.add(what, e, err)
}

// digest stands for the id of a message, which is long and of whose parts nothing is promised; identifiers
// are shown.
func digest(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}
