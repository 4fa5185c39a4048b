package ledger

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/policy"
)

const settingDeparted = "departed"

// departedKept is how much longer than its content is kept it is remembered what a channel was judged by that is gone:
// a ledger that was away for weeks clears what expired meanwhile when it is back.
const departedKept = 60 * 24 * time.Hour

// maxDepartedBytes bounds the setting: it is as long as a policy can be, of which it is a part each time.
const maxDepartedBytes = 32 << 20

// departed is what channels were judged by that the policy no longer names. Their cases are not judged by it, but it
// tells what the content that goes meanwhile had decided, which stays when a channel comes back. It is kept as a setting.
type departed []departure

// departure is of channels that one policy left out.
type departure struct {
	// At is when, in microseconds since 1970.
	At int64 `json:"at"`
	// Document is the part of the policy before that is about them.
	Document policy.Document `json:"document"`

	// compiled is nil where another version of the program wrote what this one cannot use.
	compiled *policy.Policy
}

// compile makes the rules of what was read. It leaves out what cannot be used, as nothing more is lost then than before.
func (d departed) compile() {
	for i := range d {
		d[i].compiled, _ = policy.Compile(d[i].Document)
	}
}

// bounded is without the earliest, if all together are too long.
func (d departed) bounded() departed {
	size := 0
	for i := range slices.Backward(d) {
		encoded, _ := json.Marshal(d[i].Document) // what fails here fails where it is stored
		if size += len(encoded); size > maxDepartedBytes {
			return d[i+1:]
		}
	}
	return d
}

// rules are those of a channel; nil when it is not among them.
func (d departed) rules(channel string) *policy.Rules {
	for i := range d {
		if rules := d[i].compiled.Channel(channel); rules != nil {
			return rules
		}
	}
	return nil
}

// lastRules are those of a channel or, when the policy does not name it, those that it had.
func (t *transaction) lastRules(channel string) *policy.Rules {
	if rules := t.rules(channel); rules != nil {
		return rules
	}
	if t.departed != nil {
		return t.departed.rules(channel)
	}
	return t.before.departed.rules(channel)
}

// depart keeps what the channels were judged by that the next policy leaves out, and forgets what those were which it
// names again, and those of which no content is left.
func (t *transaction) depart(old policy.Document, next *policy.Policy) {
	before := t.before.departed
	if t.departed != nil {
		before = *t.departed
	}
	now := departed{}
	add := func(at int64, document policy.Document, keep func(channel string) bool) (channels int) {
		document = document.Only(keep)
		if len(document.Channels) > 0 {
			now = append(now, departure{At: at, Document: document})
		}
		return len(document.Channels)
	}
	gone := func(channel string) bool { return next.Channel(channel) == nil }
	r, changed := next.Retention, false
	for _, d := range before {
		cleared := r.Content >= 0 && r.Idle >= 0 && t.at.Sub(fromMicros(d.At)) > r.Content+r.Idle+departedKept
		if cleared || add(d.At, d.Document, gone) < len(d.Document.Channels) {
			changed = true
		}
	}
	left := add(micros(t.at), old, func(channel string) bool {
		return gone(channel) && (t.before.channels[channel] != nil || t.channels[channel] != nil) // else it has no case
	})
	if changed || left > 0 {
		now = now.bounded()
		now.compile()
		t.departed = &now
	}
}
