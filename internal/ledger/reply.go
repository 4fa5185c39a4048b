package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
)

const (
	// outboxReplies is how many replies a worker is given at once: it must be done with all of them within
	// ledgerapi.ReplyPatience.
	outboxReplies = 4
	// outboxLook is how often a waiting worker's outbox is looked at for what is to be tried again.
	outboxLook = 10 * time.Second
	// replyAttempts is how long a reply that cannot be sent is tried: later it answers nobody any more.
	replyAttempts = 24 * time.Hour
	// replyRetry is between two attempts, unless the platform asks for more.
	replyRetry = 30 * time.Second
	// replyKept is how long a reply that is done is remembered, so that it is recognised when it is asked for
	// again.
	replyKept = 30 * 24 * time.Hour
	// maxReplyMessage bounds what a worker says about a reply.
	maxReplyMessage = 512
)

// replyState is what is kept of a reply besides what it is found by.
type replyState struct {
	ledgerapi.ReplyStatus
	// Text is what is sent; it goes when the reply is done, as it is in the case's event then.
	Text string `json:"text,omitempty"`
	// Digest tells whether the same is asked for again.
	Digest []byte `json:"digest"`
	// Waits says that the figures count it among those that wait; those of earlier versions are not.
	Waits bool `json:"waits,omitempty"`
	// Returned says that it was sent, and came back.
	Returned bool `json:"returned,omitempty"`
}

var replyID = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9._-]{1,%d}$`, ledgerapi.MaxReplyIDBytes))

// Reply takes a reply, for the channel's worker to send. The same request finds the same reply.
func (l *Ledger) Reply(ctx context.Context, channel string, in ledgerapi.ReplyRequest) (ledgerapi.ReplyStatus, error) {
	switch {
	case !replyID.MatchString(in.ID):
		return ledgerapi.ReplyStatus{}, refuse(Invalid, "id: must have 1 to %d letters, digits, '.', '_' and '-'", ledgerapi.MaxReplyIDBytes)
	case in.Case == "" || len(in.Case) > complaint.MaxIDBytes || !findable(in.Case):
		return ledgerapi.ReplyStatus{}, refuse(Invalid, "case: must be the identifier of a case, of at most %d bytes of UTF-8 without NUL characters", complaint.MaxIDBytes)
	case strings.TrimSpace(in.Text) == "" || len(in.Text) > ledgerapi.MaxReplyBytes:
		return ledgerapi.ReplyStatus{}, refuse(Invalid, "text: must have 1 to %d bytes, and not only spaces", ledgerapi.MaxReplyBytes)
	case in.Text != plain(in.Text):
		return ledgerapi.ReplyStatus{}, refuse(Invalid, "text: must be UTF-8 without NUL characters")
	}
	var refusal error
	var status ledgerapi.ReplyStatus
	take := func(ctx context.Context, t *transaction) (err error) {
		status, refusal, err = t.takeReply(ctx, channel, in)
		return err
	}
	if err := l.do(ctx, &request{channel: channel, job: take, bytes: requestBytes + len(in.Text)}); err != nil {
		return ledgerapi.ReplyStatus{}, err
	}
	if refusal == nil {
		l.outboxes.wake(channel)
	}
	return status, refusal
}

// takeReply stores a reply that is new.
func (t *transaction) takeReply(ctx context.Context, channel string, in ledgerapi.ReplyRequest) (status ledgerapi.ReplyStatus, refusal, err error) {
	switch rules := t.rules(channel); {
	case rules == nil:
		return status, unknownChannel(), nil
	case rules.Channel.Suspended:
		return status, refuse(Forbidden, "the channel is suspended"), nil
	case !rules.Channel.Replies:
		return status, refuse(Forbidden, "the channel allows no replies: its source has no reply, or its type can have none"), nil
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "%s\x00%t\x00%s", in.Case, in.DryRun, in.Text))
	found, err := t.tx.Replies(ctx, channel, []string{in.ID})
	if err != nil {
		return status, nil, err
	}
	if found[0] != nil {
		known, err := readReply(found[0])
		if err == nil && !bytes.Equal(known.Digest, digest[:]) {
			refusal = refuse(Conflict, "id: was used for another reply on this channel")
		}
		return known.ReplyStatus, refusal, err
	}
	cases, err := t.tx.Cases(ctx, []complaint.CaseKey{{Channel: channel, CaseID: in.Case}})
	if err != nil {
		return status, nil, err
	}
	if cases[0] == nil {
		return status, refuse(NotFound, "case: the channel has no case of this identifier"), nil
	}
	if n := cases[0].Events; n >= maxCaseEvents {
		return status, refuse(Forbidden, "case: has %d events already, no more are taken: answer on the platform itself", n), nil
	}
	s := replyState{
		ReplyStatus: ledgerapi.ReplyStatus{
			ID: in.ID, Case: in.Case, State: ledgerapi.ReplyPending, DryRun: in.DryRun, CreatedAt: t.at, ChangedAt: t.at,
		},
		Text: in.Text, Digest: digest[:],
	}
	return s.ReplyStatus, nil, t.putReply(ctx, channel, &s, t.at)
}

// ReplyStatus is how a reply fares.
func (l *Ledger) ReplyStatus(ctx context.Context, channel, id string) (ledgerapi.ReplyStatus, error) {
	state, err := l.reply(ctx, channel, id)
	if err != nil {
		return ledgerapi.ReplyStatus{}, err
	}
	return state.ReplyStatus, nil
}

func (l *Ledger) reply(ctx context.Context, channel, id string) (state replyState, err error) {
	if !replyID.MatchString(id) {
		return state, unknownReply() // nor does every store take the question
	}
	known := false
	err = l.store.View(ctx, func(r store.Reader) error {
		found, err := r.Replies(ctx, channel, []string{id})
		if err != nil || found[0] == nil {
			return err
		}
		known = true
		state, err = readReply(found[0])
		return err
	})
	switch {
	case err != nil:
		return state, unavailable(err)
	case !known:
		return state, unknownReply()
	}
	return state, nil
}

func unknownReply() *RefusalError { return refuse(NotFound, "the channel has no reply of this id") }

func readReply(row *store.Reply) (state replyState, err error) {
	if err := json.Unmarshal(row.State, &state); err != nil {
		return state, fmt.Errorf("%w: a reply cannot be read", store.ErrDamaged)
	}
	return state, nil
}

// putReply writes a reply; next is when something is to be done about it, unless it is done.
func (t *transaction) putReply(ctx context.Context, channel string, s *replyState, next time.Time) error {
	row := store.Reply{Channel: channel, ID: s.ID, CaseID: s.Case, Event: s.Event}
	switch s.ChangedAt = t.at; {
	case s.State.Final():
		s.Text, row.DoneAt = "", t.at
	case s.State == ledgerapi.ReplySending:
		row.NextAt, row.EndsAt = next, next
	default:
		row.NextAt, row.EndsAt = next, s.CreatedAt.Add(replyAttempts)
	}
	waited := t.countReply(channel, s)
	var err error
	if row.State, err = json.Marshal(s); err != nil {
		return fmt.Errorf("encoding a reply: %w", err)
	}
	if err := t.tx.PutReplies(ctx, []store.Reply{row}); err != nil {
		return err
	}
	return t.noteOldestReply(ctx, channel, s, waited)
}

// Outbox gives the channel's worker what it has to send, once. It waits for something at most as long as
// said, and then gives nothing.
func (l *Ledger) Outbox(ctx context.Context, channel string, wait time.Duration) (ledgerapi.Outbox, error) {
	box := ledgerapi.Outbox{Replies: []ledgerapi.OutgoingReply{}}
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		// Who is woken looks at what is there by then, so that nothing is missed.
		woken := l.outboxes.wait(channel)
		waiting := 0
		err := l.store.View(ctx, func(r store.Reader) error {
			open, err := r.OpenReplies(ctx, channel, l.now(), 1)
			waiting = len(open)
			return err
		})
		if err != nil {
			return box, unavailable(err)
		}
		if waiting > 0 {
			replies, err := l.handOut(ctx, channel)
			if err != nil || len(replies) > 0 {
				return ledgerapi.Outbox{Replies: replies}, err
			}
		}
		look := time.NewTimer(l.outboxes.look)
		select {
		case <-woken:
		case <-look.C:
		case <-end.C:
			look.Stop()
			return box, nil
		case <-ctx.Done():
			look.Stop()
			return box, ctx.Err()
		}
		look.Stop()
	}
}

func (l *Ledger) handOut(asked context.Context, channel string) ([]ledgerapi.OutgoingReply, error) {
	var replies []ledgerapi.OutgoingReply
	job := func(ctx context.Context, t *transaction) (err error) {
		if asked.Err() == nil { // who asked is still there to send them
			replies, err = t.handOut(ctx, channel)
		}
		return err
	}
	if err := l.do(asked, &request{channel: channel, job: job, bytes: requestBytes}); err != nil {
		return nil, err
	}
	return replies, nil
}

// handOut gives a worker the replies that wait. One that a worker was given before, and did not come back
// from, may have been sent; nobody knows, and it is not given again.
func (t *transaction) handOut(ctx context.Context, channel string) ([]ledgerapi.OutgoingReply, error) {
	var out []ledgerapi.OutgoingReply
	open, err := t.tx.OpenReplies(ctx, channel, t.at, outboxReplies)
	if err != nil {
		return nil, err
	}
	for i := range open {
		s, err := readReply(&open[i])
		if err != nil {
			return nil, err
		}
		if t.giveUp(&s) {
			if err := t.putReply(ctx, channel, &s, time.Time{}); err != nil {
				return nil, err
			}
			continue
		}
		reply, err := t.outgoing(ctx, channel, &s)
		if err != nil {
			return nil, err
		}
		s.State, s.Attempts = ledgerapi.ReplySending, s.Attempts+1
		if err := t.putReply(ctx, channel, &s, t.at.Add(ledgerapi.ReplyPatience)); err != nil {
			return nil, err
		}
		out = append(out, reply)
	}
	return out, nil
}

// giveUp ends a reply that a worker did not come back from, or that could not be sent for too long.
func (t *transaction) giveUp(s *replyState) bool {
	switch {
	case s.State == ledgerapi.ReplySending:
		s.State, s.Reason = ledgerapi.ReplyUnconfirmed, ledgerapi.ReasonTimeout
		s.Message = "the worker did not say whether it was sent; look at the platform before sending it again"
	case t.at.Sub(s.CreatedAt) >= replyAttempts:
		s.State = ledgerapi.ReplyFailed
		if s.Message == "" {
			s.Reason, s.Message = ledgerapi.ReasonTimeout, "the channel's worker did not take it within a day"
		}
	default:
		return false
	}
	return true
}

// outgoing is a reply with the citizen's latest message.
func (t *transaction) outgoing(ctx context.Context, channel string, s *replyState) (ledgerapi.OutgoingReply, error) {
	out := ledgerapi.OutgoingReply{ID: s.ID, Case: s.Case, Text: s.Text, DryRun: s.DryRun}
	events, err := t.tx.Events(ctx, []complaint.CaseKey{{Channel: channel, CaseID: s.Case}})
	if err != nil {
		return out, err
	}
	var latest *store.Event
	for i := range events[0] {
		e := &events[0][i]
		if e.Kind != complaint.KindReceived && e.Kind != complaint.KindCitizenMessage {
			continue
		}
		if latest == nil || complaint.Compare(&latest.Event, &e.Event) < 0 {
			latest = e
		}
	}
	if latest != nil {
		out.Message, out.At, out.Reporter, out.Attributes = latest.ID, latest.OccurredAt, latest.Reporter, latest.Attributes
	}
	return out, nil
}

// ReplyDone takes what became of a reply. One that was sent is an answer in its case, in the same
// transaction.
func (l *Ledger) ReplyDone(ctx context.Context, channel, id string, in ledgerapi.ReplyResult) error {
	switch in.State {
	case ledgerapi.ReplyPending, ledgerapi.ReplyChecked, ledgerapi.ReplyFailed, ledgerapi.ReplyUnconfirmed, ledgerapi.ReplySent:
	default:
		return refuse(Invalid, "state: must be one of Pending, Checked, Failed, Unconfirmed and Sent")
	}
	known, err := l.reply(ctx, channel, id)
	if err != nil {
		return err
	}
	r := &request{channel: channel, bytes: requestBytes + len(in.Message)}
	if in.State == ledgerapi.ReplySent && (!known.State.Final() || known.State == ledgerapi.ReplyUnconfirmed) {
		if r.submission, err = l.answer(channel, &known, in); err != nil {
			return err
		}
		r.events = 1
	}
	r.job = func(ctx context.Context, t *transaction) error { return t.noteReply(ctx, channel, id, in) }
	return l.do(ctx, r)
}

// answer is the append of a reply that was sent.
func (l *Ledger) answer(channel string, known *replyState, in ledgerapi.ReplyResult) (*submission, error) {
	s := &submission{earlier: map[string][][]byte{}, told: true}
	e, err := l.prepare(complaint.Event{
		Channel: channel, CaseID: known.Case, ID: in.Event, Kind: complaint.KindAnswered, Actor: complaint.ActorOfficial,
		OccurredAt: in.At, Text: known.Text,
	}, channel, l.now(), false, s)
	if err != nil {
		return nil, refuse(Invalid, "%v", err)
	}
	s.events, s.index = []store.Event{e}, []int{0}
	return s, nil
}

// noteReply changes the state of a reply. What a worker says after it was given up still counts; a reply
// that was sent stays sent.
func (t *transaction) noteReply(ctx context.Context, channel, id string, in ledgerapi.ReplyResult) error {
	found, err := t.tx.Replies(ctx, channel, []string{id})
	if err != nil || found[0] == nil {
		return err
	}
	s, err := readReply(found[0])
	if err != nil || s.State.Final() && !(s.State == ledgerapi.ReplyUnconfirmed && in.State == ledgerapi.ReplySent) {
		return err
	}
	s.State, s.Reason, s.Message, s.Event = in.State, in.Reason, cut(in.Message, maxReplyMessage), in.Event
	wait := max(time.Duration(min(in.RetryAfterSeconds, int64(replyAttempts/time.Second)))*time.Second, replyRetry)
	if err := t.putReply(ctx, channel, &s, t.at.Add(wait)); err != nil || s.State != ledgerapi.ReplySent {
		return err
	}
	return t.returnEarly(ctx, channel, s.Event)
}

// tidyReplies ends what no worker comes for and forgets what was done long ago.
func (t *transaction) tidyReplies(ctx context.Context, limit int) (more bool, err error) {
	ending, err := t.tx.EndingReplies(ctx, t.at, limit)
	if err != nil {
		return false, err
	}
	ended := 0
	for i := range ending {
		s, err := readReply(&ending[i])
		if err != nil {
			return false, err
		}
		if !t.giveUp(&s) {
			continue
		}
		if err := t.putReply(ctx, ending[i].Channel, &s, time.Time{}); err != nil {
			return false, err
		}
		ended++
	}
	dropped, err := t.tx.DropReplies(ctx, t.at.Add(-replyKept), limit)
	return dropped == limit || ended == limit, err
}
