package ledger

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

const (
	// followEvery is how often a replica that has nothing to do looks for what others have committed, so
	// that its summary is less than a second behind.
	followEvery = 300 * time.Millisecond
	// staleAfter is how long a replica may go without having seen the storage before it no longer says
	// what it knows: others may have gone on.
	staleAfter = 3 * time.Second
	// watchEvery is how often the replica that watches says so.
	watchEvery = time.Second
	// takeOver is how long the replica that watches may be silent before another one does.
	takeOver = 3 * time.Second
	// maxLives bounds the memory of which replicas have written.
	maxLives = 64
)

// watch says which of several replicas looks at due instants, and how far it has. There is no such
// setting where the storage is one ledger's own.
type watch struct {
	// Holder is the life that watches; "" is nobody.
	Holder string `json:"holder,omitempty"`
	// Watermark is in microseconds since 1970.
	Watermark int64 `json:"watermark"`

	revision int64
}

// life is one run of one replica, from its first revision on.
type life struct {
	ID    string `json:"id"`
	Since int64  `json:"since"`
}

// newLife names a run.
func newLife() string { return rand.Text()[:lifeLetters] }

// lives are the latest runs of all replicas in the order of their first revisions. A storage that was
// put back to an earlier state goes on with a new life, so that a revision together with the life that
// had begun last stands for one state of the storage and no other.
type lives []life

// epoch is the life that had begun last.
func (l lives) epoch() string {
	if len(l) == 0 {
		return ""
	}
	return l[len(l)-1].ID
}

// hold reports whether the revision was reached while the life of the epoch was the last to have begun.
func (l lives) hold(epoch string, revision int64) bool {
	i := slices.IndexFunc(l, func(one life) bool { return one.ID == epoch })
	return i >= 0 && l[i].Since <= revision && (i == len(l)-1 || revision < l[i+1].Since)
}

// with are the lives with one more. Where revisions were lost, lost is the first that may have been, and 0 none, it begins with
// these: who knows of any reads everything anew.
func (l lives) with(id string, since, lost int64) lives {
	if lost > 0 && len(l) > 0 {
		since = min(since, max(lost, l[len(l)-1].Since+1))
	}
	return append(slices.Clone(l[max(len(l)-maxLives+1, 0):]), life{id, since})
}

// catchUp brings the mirror to what others have committed, and to what was committed although the
// commit seemed to fail. Within an Update nobody else commits; what it reads is never undone.
func (l *Ledger) catchUp(ctx context.Context, r store.Reader) error {
	head, err := r.Head(ctx)
	if err != nil {
		return err
	}
	if head.Revision == l.revision {
		if l.shared {
			l.synced(nil)
		}
		return nil
	}
	since := l.revision
	back, lost, err := l.wentBack(ctx, r, head)
	switch {
	case err != nil:
		return err
	case back:
		l.log.Error("The storage was put back to an earlier state while the ledger ran", "revision", head.Revision, "known", since)
		since = 0
	}
	c, err := readChanges(ctx, r, since)
	if err != nil {
		return err
	}
	l.stats.catchUps.Add(1)
	if c.policyErr != nil {
		// A newer version of the program may refuse what an older one took, and an older one cannot use what a
		// newer one stored. Until the operator has sent the policy again, and was told why it is refused, no
		// channel is known and no case is judged.
		l.log.Error("Could not use the stored policy", "error", c.policyErr)
	}
	l.synced(func() {
		if since == 0 && l.revision > 0 {
			// What the storage has lost was written in this life: its revisions come again with other contents.
			l.life, l.lostRevision = newLife(), lost
		}
		if since == 0 {
			l.mirror = newMirror()
		}
		visible := l.visible
		l.take(c)
		if c.watch != nil || c.policyErr != nil {
			// Whoever has stored what cannot be used here was there a moment ago.
			l.watchedAt = l.now()
		}
		if l.visible != visible {
			l.wake()
		}
	})
	if c.keys != nil {
		l.noteMissingKeys()
	}
	l.wakeOutboxes(c)
	return nil
}

// wentBack reports whether the storage was put back to a state before the one that is known here; lost is then the first
// revision that may be gone, or 0 where a life that was begun since tells it. Another replica that was there first may
// have gone on from that state, past the revision that is known here: with a life that begins before, or, where it never
// heard of what is lost, with what this one has committed being gone.
func (l *Ledger) wentBack(ctx context.Context, r store.Reader, head store.Head) (back bool, lost int64, err error) {
	if head.Revision < l.revision {
		return true, head.Revision + 1, nil
	}
	if !l.shared || len(l.lives) == 0 {
		return false, 0, nil
	}
	if own, is := r.(store.Rememberer); is && l.committed > 0 {
		if last, err := own.Committed(ctx); err != nil || last > 0 && last < l.committed {
			return true, last + 1, err
		}
	}
	var stored lives
	value, err := r.Setting(ctx, settingLives)
	if err == nil && value != nil {
		err = decodeSetting(&store.Setting{Name: settingLives, Value: value}, &stored)
	}
	return !stored.hold(l.lives.epoch(), l.revision), 0, err
}

// synced notes that the mirror is that of the storage, once change has made it so.
func (l *Ledger) synced(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.syncedAt = l.now()
	if change != nil {
		change()
	}
}

// reach catches up if the mirror is behind a revision that another replica has spoken of, so that who
// asks one and then the other is never told of an earlier state.
func (l *Ledger) reach(ctx context.Context, revision int64) error {
	l.mu.RLock()
	behind := l.shared && revision > l.revision
	l.mu.RUnlock()
	if !behind {
		return nil
	}
	return l.sync(ctx)
}

// sync catches up with all that was committed before.
func (l *Ledger) sync(ctx context.Context) error {
	return l.do(ctx, &request{job: func(context.Context, *transaction) error { return nil }})
}

// follow catches up while there is nothing else to do.
func (l *Ledger) follow(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, staleAfter)
	defer cancel()
	err := l.store.View(ctx, func(r store.Reader) error { return l.catchUp(ctx, r) })
	l.mu.Lock()
	before := l.lost
	l.lost = err
	l.mu.Unlock()
	switch {
	case err != nil && before == nil:
		l.log.Error("Could not see what other replicas store", "error", err)
	case err == nil && before != nil:
		l.log.Info("Saw again what other replicas store")
	}
}

// superseded reports whether this replica cannot use the stored policy and another one, of the version that
// stored it, is there. When that falls silent this one goes on, for the operator to send it a policy that it can
// use. The caller holds mu.
func (l *Ledger) superseded() bool {
	return l.shared && l.unread && l.now().Sub(l.watchedAt) <= takeOver
}

// current is nil while the mirror is that of the storage, or nobody else can have changed the storage.
// The caller holds mu.
func (l *Ledger) current() error {
	if l.superseded() {
		r := refuse(Unavailable, "this replica is of a version that cannot use the policy in the storage, and leaves requests to a newer one")
		r.RetryAfter = retryAfter
		return r
	}
	if !l.shared || l.now().Sub(l.syncedAt) <= staleAfter {
		return nil
	}
	r := refuse(Unavailable, "the ledger has not reached its storage for %v and may not know what other replicas have stored", staleAfter)
	r.RetryAfter = retryAfter
	return r
}

// leads reports whether this replica is the one that watches, or is to take that over. The caller holds
// mu, or is the goroutine of Run.
func (l *Ledger) leads() bool {
	return !l.shared || l.watch.Holder == l.life && !l.unread || l.watch.Holder == "" || l.now().Sub(l.watchedAt) > takeOver
}

// resign lets another replica watch at once, and not after a time of silence.
func (l *Ledger) resign(ctx context.Context) {
	if !l.shared {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), staleAfter)
	defer cancel()
	// When it fails the others take over all the same, a little later.
	_ = l.do(ctx, &request{job: func(_ context.Context, t *transaction) error {
		if t.before.watch.Holder == l.life {
			t.watch = &watch{Watermark: t.before.watch.Watermark}
		}
		return nil
	}})
}
