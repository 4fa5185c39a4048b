package ledger

import (
	"context"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxRepliesSeen bounds the replies among which the oldest that waits is looked for. A channel with more than
// that has long been reported.
const maxRepliesSeen = 1000

// countReply brings the figures of the channel's replies to a reply's new state, and says whether it was among
// those that wait.
func (t *transaction) countReply(channel string, s *replyState) (waited bool) {
	k := channelKey(familyReply, channel)
	waited, s.Waits = s.Waits, !s.State.Final()
	switch {
	case s.Waits && !waited:
		t.figures.add(k, replyWaiting, 1)
	case waited && !s.Waits:
		t.figures.add(k, replyWaiting, -1)
	}
	if s.DryRun {
		return waited
	}
	switch s.State {
	case ledgerapi.ReplyFailed:
		if s.Returned {
			t.figures.add(channelKey(familyReturned, channel), returnedCount, 1)
		} else {
			t.figures.add(k, replyFailed, 1)
		}
	case ledgerapi.ReplySent:
		t.figures.add(k, replySent, 1)
	case ledgerapi.ReplyUnconfirmed:
		t.figures.add(k, replyUnconfirmed, 1)
	default: // not done, or only checked
	}
	return waited
}

// noteOldestReply keeps since when a reply of the channel has waited, once the reply is written. The oldest is
// looked for only when the one that was is done.
func (t *transaction) noteOldestReply(ctx context.Context, channel string, s *replyState, waited bool) error {
	k := channelKey(familyReply, channel)
	oldest, created := t.figure(k)[replyOldest], micros(s.CreatedAt)
	switch {
	case s.Waits && (oldest == 0 || created < oldest):
		t.figures.add(k, replyOldest, created-oldest)
	case waited && !s.Waits && created <= oldest:
		next, err := t.oldestReply(ctx, channel)
		if err != nil {
			return err
		}
		t.figures.add(k, replyOldest, next-oldest)
	}
	return nil
}

// oldestReply looks for the oldest of a channel's replies that wait, in microseconds since 1970; 0 is none.
func (t *transaction) oldestReply(ctx context.Context, channel string) (oldest int64, err error) {
	open, err := t.tx.OpenReplies(ctx, channel, farFuture(), maxRepliesSeen)
	if err != nil {
		return 0, err
	}
	for i := range open {
		s, err := readReply(&open[i])
		if err != nil {
			return 0, err
		}
		if created := micros(s.CreatedAt); s.Waits && (oldest == 0 || created < oldest) {
			oldest = created
		}
	}
	return oldest, nil
}

// figure is a row as it is in the transaction.
func (t *transaction) figure(k figureKey) (v values) {
	if row := t.before.figures.byKey[k]; row != nil {
		v = row.values
	}
	if added := t.figures[k]; added != nil {
		for i, n := range added {
			v[i] += n
		}
	}
	return v
}

// replies adds up what the replies that are kept should contribute to the gauges. What became of those that are
// done is forgotten with them, and not recounted.
func (v *verification) replies(ctx context.Context) error {
	for k := range v.have.figures.byKey {
		if k.family != familyReply {
			continue
		}
		for after := ""; ; {
			replies, err := v.reader.RepliesAfter(ctx, k.labels[0], after, maxRepliesSeen)
			if err != nil {
				return err
			}
			for i := range replies {
				s, err := readReply(&replies[i])
				if err != nil {
					return err
				}
				if after = replies[i].ID; s.Waits {
					v.want.add(k, replyWaiting, 1)
					v.oldestReply(k, micros(s.CreatedAt))
				}
			}
			if len(replies) < maxRepliesSeen {
				break
			}
		}
	}
	return nil
}

func (v *verification) oldestReply(k figureKey, created int64) {
	if oldest := v.want[k][replyOldest]; oldest == 0 || created < oldest {
		v.want.add(k, replyOldest, created-oldest)
	}
}
