package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

// modelReply is what the model remembers of a reply.
type modelReply struct {
	ledgerapi.ReplyStatus
	Channel, Text string
	// Next is when it is given to a worker, or when a worker has to be done with it; Ends is when it is given up,
	// and Done when it was done.
	Next, Ends, Done time.Time
	Returned         bool
}

// perhapsLosing does something of which the answer may be lost, and which is then done again at any replica.
func (m *machine) perhapsLosing(rt *rapid.T, do func() error) error {
	if rapid.IntRange(0, 5).Draw(rt, "lost") > 0 {
		return do()
	}
	m.store.silent.Store(true)
	err := do()
	m.store.silent.Store(false)
	if err == nil {
		rt.Errorf("What was not confirmed was acknowledged")
	}
	m.choose(rt)
	return do()
}

// askForReply asks for a reply, new or known, to a case that there is, or not.
func (m *machine) askForReply(rt *rapid.T) {
	channel, caseID := m.channel(rt), "none"
	if there := slices.DeleteFunc(slices.SortedFunc(maps.Keys(m.cases), compareKeys), func(k complaint.CaseKey) bool {
		return m.rules.Channel(k.Channel) == nil
	}); len(there) > 0 && rapid.IntRange(0, 7).Draw(rt, "no case") > 0 {
		k := rapid.SampledFrom(there).Draw(rt, "case")
		channel, caseID = k.Channel, k.CaseID
	}
	in := ledgerapi.ReplyRequest{
		ID: fmt.Sprint("R", rapid.IntRange(1, 9).Draw(rt, "reply")), Case: caseID,
		Text: rapid.SampledFrom([]string{"sudah", "terima kasih"}).Draw(rt, "text"), DryRun: rapid.IntRange(0, 5).Draw(rt, "dry run") == 0,
	}
	known := m.replyOf(channel, in.ID)
	if known != nil && rapid.Bool().Draw(rt, "the same") {
		in = known.request
	}
	m.clock.move(time.Microsecond) // so that no two are equally old
	now := m.clock.now()
	want := Reason(0)
	switch {
	case !m.rules.Channel(channel).Channel.Replies || !m.isRead(channel):
		want = Forbidden
	case known != nil && known.request != in:
		want = Conflict
	case known == nil && m.cases[complaint.CaseKey{Channel: channel, CaseID: in.Case}] == nil:
		want = NotFound
	case known == nil:
		known = &askedReply{request: in, modelReply: modelReply{
			ReplyStatus: ledgerapi.ReplyStatus{ID: in.ID, Case: in.Case, State: ledgerapi.ReplyPending, DryRun: in.DryRun, CreatedAt: now, ChangedAt: now},
			Channel:     channel, Text: in.Text, Next: now, Ends: now.Add(24 * time.Hour),
		}}
		m.replies = append(m.replies, known)
	}
	var status ledgerapi.ReplyStatus
	err := m.perhapsLosing(rt, func() (err error) {
		status, err = m.ledger.Reply(context.Background(), channel, in)
		return err
	})
	if got := refusalReason(err); got != want || err != nil && got == 0 {
		rt.Errorf("Asking for %+v on %s gives %v; want the reason %d", in, channel, err, want)
	}
	if want == 0 {
		status.Message = known.Message
		if diff := cmp.Diff(known.ReplyStatus, status); diff != "" {
			rt.Errorf("What is said of the reply (-model +ledger):\n%s", diff)
		}
	}
}

// askedReply is a reply with how it was asked for.
type askedReply struct {
	modelReply
	request ledgerapi.ReplyRequest
}

func (m *machine) replyOf(channel, id string) *askedReply {
	i := slices.IndexFunc(m.replies, func(r *askedReply) bool { return r.Channel == channel && r.ID == id })
	if i < 0 {
		return nil
	}
	return m.replies[i]
}

// become brings a reply to a state, and counts what became of it.
func (m *machine) become(r *askedReply, state ledgerapi.ReplyState) {
	now := m.clock.now()
	r.State, r.ChangedAt = state, now
	switch {
	case state.Final():
		r.Text, r.Next, r.Ends, r.Done = "", time.Time{}, time.Time{}, now
	case state == ledgerapi.ReplySending:
		r.Attempts++
		r.Next = now.Add(2 * time.Minute)
		r.Ends = r.Next
	default:
		r.Ends = r.CreatedAt.Add(24 * time.Hour)
	}
	column := map[ledgerapi.ReplyState]int{
		ledgerapi.ReplySent: replySent, ledgerapi.ReplyFailed: replyFailed, ledgerapi.ReplyUnconfirmed: replyUnconfirmed,
	}[state]
	switch {
	case r.DryRun:
	case r.Returned:
		m.counters.add(channelKey(familyReturned, r.Channel), returnedCount, 1)
	case column != 0:
		m.counters.add(channelKey(familyReply, r.Channel), column, 1)
	}
}

// waiting are the figures of the replies that are not done.
func (m *machine) waiting(sum tally) {
	for _, r := range m.replies {
		if r.State.Final() {
			continue
		}
		k := channelKey(familyReply, r.Channel)
		sum.add(k, replyWaiting, 1)
		created := r.CreatedAt.UnixMicro()
		if oldest := sum[k][replyOldest]; oldest == 0 || created < oldest {
			sum.add(k, replyOldest, created-oldest)
		}
	}
}

// giveUp ends a reply that a worker did not come back from, or that has waited for a day.
func (m *machine) giveUp(r *askedReply) bool {
	switch {
	case r.State == ledgerapi.ReplySending:
		r.Reason = ledgerapi.ReasonTimeout
		m.become(r, ledgerapi.ReplyUnconfirmed)
	case !m.clock.now().Before(r.Ends):
		if r.Reason == "" {
			r.Reason = ledgerapi.ReasonTimeout
		}
		m.become(r, ledgerapi.ReplyFailed)
	default:
		return false
	}
	return true
}

// fetchReplies has a worker ask for what it has to send. The replies that have waited longest come first, and each
// once; an answer that is lost leaves them with nobody.
func (m *machine) fetchReplies(rt *rapid.T) {
	channel := m.channel(rt)
	m.clock.move(time.Microsecond) // so that what changes is told from what does not
	now := m.clock.now()
	var due []*askedReply
	for _, r := range m.replies {
		if r.Channel == channel && !r.State.Final() && !r.Next.After(now) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b *askedReply) int { return a.Next.Compare(b.Next) })
	lost := rapid.IntRange(0, 5).Draw(rt, "lost") == 0
	m.store.silent.Store(lost)
	box, err := m.ledger.Outbox(context.Background(), channel, 0)
	m.store.silent.Store(false)
	if (err != nil) != (lost && len(due) > 0) {
		rt.Fatalf("Reading the outbox: %v", err)
	}
	given := map[string]ledgerapi.OutgoingReply{}
	for _, r := range box.Replies {
		given[r.ID] = r
	}
	if len(given) != len(box.Replies) || len(given) > outboxReplies {
		rt.Errorf("A worker is given %+v", box.Replies)
	}
	stored := m.storedReplies(rt)
	var seen []*askedReply
	for _, r := range due {
		if s := stored[[2]string{channel, r.ID}]; s == nil || !s.ChangedAt.Equal(now) {
			continue
		}
		seen = append(seen, r)
		if want := m.outgoing(r); !m.giveUp(r) {
			m.become(r, ledgerapi.ReplySending)
			if diff := cmp.Diff(want, given[r.ID]); diff != "" && !lost {
				rt.Errorf("A worker is given (-model +ledger):\n%s", diff)
			}
			delete(given, r.ID)
		}
	}
	if len(given) > 0 {
		rt.Errorf("A worker is given %+v, which is not due", given)
	}
	left := slices.DeleteFunc(due, func(r *askedReply) bool { return slices.Contains(seen, r) })
	if len(left) > 0 && (len(seen) < outboxReplies || left[0].ChangedAt.Equal(now)) {
		rt.Errorf("Of what is due only %d were looked at, and %s left", len(seen), left[0].ID)
	}
}

// outgoing is a reply as a worker has to be given it.
func (m *machine) outgoing(r *askedReply) ledgerapi.OutgoingReply {
	out := ledgerapi.OutgoingReply{ID: r.ID, Case: r.Case, Text: r.Text, DryRun: r.DryRun}
	said := slices.DeleteFunc(slices.Clone(m.cases[complaint.CaseKey{Channel: r.Channel, CaseID: r.Case}].events), func(e store.Event) bool {
		return e.Kind != complaint.KindReceived && e.Kind != complaint.KindCitizenMessage
	})
	if len(said) > 0 {
		latest := slices.MaxFunc(said, func(a, b store.Event) int { return complaint.Compare(&a.Event, &b.Event) })
		out.Message, out.At, out.Attributes = latest.ID, latest.OccurredAt, latest.Attributes
	}
	return out
}

// finishReply has a worker say what became of a reply, be it its own to tell or not.
func (m *machine) finishReply(rt *rapid.T) {
	if len(m.replies) == 0 {
		return
	}
	some := slices.DeleteFunc(slices.Clone(m.replies), func(r *askedReply) bool { return r.State != ledgerapi.ReplySending })
	if len(some) == 0 || rapid.IntRange(0, 3).Draw(rt, "any") == 0 {
		some = m.replies
	}
	r := rapid.SampledFrom(some).Draw(rt, "reply")
	m.clock.move(time.Microsecond)
	now := m.clock.now()
	in := rapid.SampledFrom([]ledgerapi.ReplyResult{
		{State: ledgerapi.ReplySent}, {State: ledgerapi.ReplySent},
		{State: ledgerapi.ReplyFailed, Reason: ledgerapi.ReasonReplyRefused, Message: "refused"},
		{State: ledgerapi.ReplyUnconfirmed, Reason: ledgerapi.ReasonTimeout},
		{State: ledgerapi.ReplyPending, Reason: ledgerapi.ReasonRateLimited, Message: "not now"},
		{State: ledgerapi.ReplyPending, Reason: ledgerapi.ReasonRateLimited, Message: "not now", RetryAfterSeconds: 7200},
	}).Draw(rt, "result")
	if in.State == ledgerapi.ReplySent && r.DryRun {
		in.State = ledgerapi.ReplyChecked
	}
	answers := in.State == ledgerapi.ReplySent && (!r.State.Final() || r.State == ledgerapi.ReplyUnconfirmed)
	if in.State == ledgerapi.ReplySent {
		in.At = now.Add(-time.Duration(rapid.IntRange(0, 90).Draw(rt, "ago")) * time.Minute)
		in.Event = r.Event
		if in.Event == "" {
			in.Event = fmt.Sprintf("%s/%s", r.ID, rapid.SampledFrom([]string{"P1", "P2"}).Draw(rt, "event"))
		}
	}
	text := r.Text
	gone := answers && m.rules.Channel(r.Channel) == nil
	err := m.perhapsLosing(rt, func() error { return m.ledger.ReplyDone(context.Background(), r.Channel, r.ID, in) })
	if gone && refusalReason(err) == NotFound {
		return
	}
	if err != nil || gone {
		rt.Fatalf("Saying what became of %s on %s: %v", r.ID, r.Channel, err)
	}
	if answers {
		e := event(r.Case, in.Event, complaint.KindAnswered, complaint.ActorOfficial, in.At)
		e.Text = text
		m.accept(r.Channel, e)
	}
	if answers || !r.State.Final() {
		r.Reason, r.Message, r.Event = in.Reason, in.Message, in.Event
		r.Next = now.Add(max(30*time.Second, time.Duration(in.RetryAfterSeconds)*time.Second))
		m.become(r, in.State)
		if _, early := m.early[[2]string{r.Channel, r.Event}]; early && in.State == ledgerapi.ReplySent {
			m.comeBack(r)
		}
	}
}

// comeBack has a reply that was sent have failed.
func (m *machine) comeBack(r *askedReply) {
	r.Returned, r.Reason, r.Message = true, ledgerapi.ReasonReplyRefused, "it came back"
	m.become(r, ledgerapi.ReplyFailed)
}

// returnReplies has a platform say that messages came back, replies of the ledger's among them, perhaps once more.
func (m *machine) returnReplies(rt *rapid.T) {
	channel := m.channel(rt)
	events := []string{"of somebody else", "R1/P1", "R2/P1", "R3/P2", "E1"}
	for _, r := range m.replies {
		if m.isRead(r.Channel) && r.Event != "" {
			channel = r.Channel
		}
	}
	for _, r := range m.replies {
		if r.Channel == channel && r.Event != "" {
			events = append(events, r.Event, r.Event, r.Event)
		}
	}
	m.clock.move(time.Microsecond)
	in := ledgerapi.AppendRequest{}
	for _, e := range rapid.SliceOfN(rapid.SampledFrom(events), 1, 3).Draw(rt, "came back") {
		in.Returned = append(in.Returned, ledgerapi.ReturnedReply{Event: e, Message: "it came back"})
	}
	err := m.perhapsLosing(rt, func() error {
		_, err := m.ledger.Append(context.Background(), channel, in)
		return err
	})
	if err != nil {
		rt.Fatalf("Saying that replies came back: %v", err)
	}
	replied := m.want()[channelKey(familyReply, channel).encode()] != (values{})
	for _, back := range in.Returned {
		at := slices.IndexFunc(m.replies, func(r *askedReply) bool { return r.Channel == channel && r.Event == back.Event })
		place := [2]string{channel, back.Event}
		switch _, known := m.early[place]; {
		case at >= 0 && m.replies[at].State == ledgerapi.ReplySent:
			m.comeBack(m.replies[at])
		case at < 0 && replied && !known:
			m.early[place] = m.clock.now()
		}
	}
}

// tidyReplies gives up what no worker came for, and forgets what was done a month ago and what came back a day ago.
func (m *machine) tidyReplies() {
	now := m.clock.now()
	for _, r := range m.replies {
		if !r.State.Final() && !r.Ends.After(now) {
			m.giveUp(r)
		}
	}
	m.replies = slices.DeleteFunc(m.replies, func(r *askedReply) bool { return r.State.Final() && r.Done.Before(now.Add(-30*day)) })
	maps.DeleteFunc(m.early, func(_ [2]string, at time.Time) bool { return at.Add(day).Before(now) })
}

// storedReplies are the replies as they are stored, without what is said to people.
func (m *machine) storedReplies(rt *rapid.T) map[[2]string]*modelReply {
	stored := map[[2]string]*modelReply{}
	err := m.store.View(context.Background(), func(r store.Reader) error {
		for _, channel := range []string{"dsw", "sigap", "wa"} {
			rows, err := r.RepliesAfter(context.Background(), channel, "", MaxPage)
			if err != nil {
				return err
			}
			for i := range rows {
				if !replyID.MatchString(rows[i].ID) {
					continue // what came back early
				}
				s, err := readReply(&rows[i])
				if err != nil {
					return err
				}
				s.Message = ""
				stored[[2]string{channel, s.ID}] = &modelReply{
					ReplyStatus: s.ReplyStatus, Channel: channel, Text: s.Text, Next: rows[i].NextAt, Ends: rows[i].EndsAt, Done: rows[i].DoneAt, Returned: s.Returned,
				}
			}
		}
		return nil
	})
	if err != nil {
		rt.Fatalf("Reading replies: %v", err)
	}
	return stored
}

func (m *machine) compareReplies(rt *rapid.T) {
	want := map[[2]string]*modelReply{}
	for _, r := range m.replies {
		known := r.modelReply
		known.Message = ""
		want[[2]string{r.Channel, r.ID}] = &known
	}
	if diff := cmp.Diff(want, m.storedReplies(rt)); diff != "" {
		rt.Errorf("At %v the replies differ (-model +ledger):\n%s", m.clock.now(), diff)
	}
}

// repliesTo are the replies on their way to cases that somebody began who is to be erased, and those to cases where
// anybody who was erased has left traces.
func (m *machine) repliesTo(erased map[string]time.Time) (begun, traces []*askedReply) {
	gone := func(e *store.Event) bool {
		return slices.ContainsFunc(phones(), func(phone string) bool {
			until, is := erased[phone]
			return is && m.is(phone, e.Pseudonym) && !e.OccurredAt.After(until)
		})
	}
	for _, r := range m.replies {
		if r.State.Final() {
			continue
		}
		events := m.cases[complaint.CaseKey{Channel: r.Channel, CaseID: r.Case}].events
		if first := firstNamed(events); first != nil && gone(first) {
			begun = append(begun, r)
		}
		if slices.ContainsFunc(events, func(e store.Event) bool { return gone(&e) }) {
			traces = append(traces, r)
		}
	}
	return begun, traces
}

// eraseReplies ends the replies that an erasure has ended: it has to where the case is one of the reporter's own,
// and may where it has traces of anybody who was erased.
func (m *machine) eraseReplies(rt *rapid.T, begun, traces []*askedReply) {
	stored := m.storedReplies(rt)
	for _, r := range traces {
		s := stored[[2]string{r.Channel, r.ID}]
		if s == nil || !s.State.Final() && !slices.Contains(begun, r) {
			continue
		}
		if r.State == ledgerapi.ReplySending {
			m.become(r, ledgerapi.ReplyUnconfirmed)
		} else {
			m.become(r, ledgerapi.ReplyFailed)
		}
	}
}
