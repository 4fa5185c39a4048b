package ledger

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
)

// mirror is in memory what the store holds as of a revision, apart from events and cases. Only the
// goroutine of Run changes it: by its own transactions after their commits, and by what others have
// committed.
type mirror struct {
	// revision is the latest whose changes are in the mirror, visible the latest that changed anything
	// that a summary shows.
	revision, visible int64
	// committed is the latest that this ledger committed itself, 0 for none.
	committed int64

	policy   *policy.Policy // nil before the first
	document policy.Document
	// ruled is the revision that put the policy; unread says that the one which is stored cannot be used, and
	// then policy is nil.
	ruled    int64
	unread   bool
	channels map[string]*channelState
	figures  ledgerFigures
	rederive rederivation
	lives    lives
	watch    watch
	erasures erasures
	departed departed
	keys     keyMarks
	// watermark is the instant through which due and warning instants have been looked at; latest is the
	// latest instant at which anything was judged.
	watermark, latest time.Time
	// advanced are the channels whose observedThrough has moved since their verdicts were looked at.
	advanced map[string]bool
}

func newMirror() mirror {
	return mirror{channels: map[string]*channelState{}, figures: newLedgerFigures(), advanced: map[string]bool{}}
}

// The names of the settings.
const (
	settingPolicy   = "policy"
	settingRederive = "rederive"
	settingLives    = "lives"
	settingWatch    = "watch"
)

// changes are what a store holds that is newer than a revision.
type changes struct {
	head     store.Head
	channels []*channelState
	figures  []store.Figures

	// The settings are nil where they have not changed.
	policy    *newPolicy
	policyErr error // why the policy cannot be used
	ruled     int64
	rederive  *rederivation
	lives     *lives
	watch     *watch
	erasures  *erasures
	departed  *departed
	keys      *keyMarks
}

// readChanges reads what has changed after the revision since, which is everything after 0.
func readChanges(ctx context.Context, r store.Reader, since int64) (*changes, error) {
	c := &changes{}
	var err error
	if c.head, err = r.Head(ctx); err != nil {
		return nil, err
	}
	settings, err := r.Settings(ctx, since)
	if err != nil {
		return nil, err
	}
	for i := range settings {
		if err := c.setting(&settings[i]); err != nil {
			return nil, err
		}
	}
	channels, err := r.Channels(ctx, since)
	if err != nil {
		return nil, err
	}
	for i := range channels {
		channel, err := loadChannel(channels[i])
		if err != nil {
			return nil, err
		}
		c.channels = append(c.channels, channel)
	}
	err = r.Figures(ctx, since, func(f store.Figures) error {
		c.figures = append(c.figures, f)
		return nil
	})
	slices.SortFunc(c.figures, func(a, b store.Figures) int { return cmp.Compare(a.Revision, b.Revision) })
	return c, err
}

func (c *changes) setting(s *store.Setting) error {
	switch s.Name {
	case settingPolicy:
		c.policy, c.ruled = &newPolicy{}, s.Revision
		if err := decodeSetting(s, &c.policy.document); err != nil {
			return err
		}
		c.policy.compiled, c.policyErr = compileStored(s.Value)
	case settingRederive:
		c.rederive = &rederivation{}
		return decodeSetting(s, c.rederive)
	case settingLives:
		c.lives = &lives{}
		return decodeSetting(s, c.lives)
	case settingWatch:
		c.watch = &watch{revision: s.Revision}
		return decodeSetting(s, c.watch)
	case settingErasures:
		c.erasures = &erasures{}
		return decodeSetting(s, c.erasures)
	case settingDeparted:
		c.departed = &departed{}
		if err := decodeSetting(s, c.departed); err != nil {
			return err
		}
		c.departed.compile()
	case settingKeys:
		c.keys = &keyMarks{}
		return decodeSetting(s, c.keys)
	}
	return nil
}

// compileStored compiles a policy that this version of the program or another one has stored. A member that is
// not known is an error: cases judged without it would be judged otherwise than the storage says.
func compileStored(stored []byte) (*policy.Policy, error) {
	var document policy.Document
	decoder := json.NewDecoder(bytes.NewReader(stored))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("reading the stored policy: %w", err)
	}
	// The digest of one version of the program need not be that of another.
	document.Revision = ""
	compiled, err := policy.Compile(document)
	if err != nil {
		return nil, fmt.Errorf("compiling the stored policy: %w", err)
	}
	return compiled, nil
}

func decodeSetting(s *store.Setting, into any) error {
	if err := json.Unmarshal(s.Value, into); err != nil {
		return fmt.Errorf("%w: the setting %q cannot be read", store.ErrDamaged, s.Name)
	}
	return nil
}

func putSetting(ctx context.Context, tx store.Tx, name string, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding the setting %q: %w", name, err)
	}
	return tx.PutSetting(ctx, name, encoded)
}

// take brings the mirror to what was read.
func (m *mirror) take(c *changes) {
	m.revision, m.latest = c.head.Revision, later(m.latest, c.head.At)
	if c.policy != nil {
		m.policy, m.document, m.ruled, m.unread = c.policy.compiled, c.policy.document, c.ruled, c.policyErr != nil
	}
	if c.rederive != nil {
		m.rederive = *c.rederive
	}
	if c.lives != nil {
		m.lives = *c.lives
	}
	if c.watch != nil {
		m.watch = *c.watch
		m.watermark = later(m.watermark, fromMicros(c.watch.Watermark))
	}
	if c.erasures != nil {
		m.erasures = *c.erasures
	}
	if c.departed != nil {
		m.departed = *c.departed
	}
	if c.keys != nil {
		m.keys = *c.keys
	}
	for _, channel := range c.channels {
		before := m.channels[channel.row.Name]
		if before == nil || channel.row.ObservedThrough.After(before.row.ObservedThrough) {
			m.advanced[channel.row.Name] = true
		}
		m.channels[channel.row.Name] = channel
	}
	for i := range c.figures {
		m.figures.set(&c.figures[i])
	}
	if c.policy != nil || c.rederive != nil || len(c.channels)+len(c.figures) > 0 {
		m.visible = m.revision
	}
}

// apply brings the mirror to what a transaction of its own has committed.
func (m *mirror) apply(t *transaction) {
	m.latest = t.at
	if t.looked {
		m.watermark = t.at
	}
	for name := range t.advanced {
		m.advanced[name] = true
	}
	for _, o := range t.settled {
		delete(m.advanced, o.Channel)
	}
	if !t.tx.wrote {
		return
	}
	m.revision = t.revision()
	m.committed = m.revision
	seen := m.figures.add(t.figures, m.revision)
	for name := range t.changed {
		c := t.channels[name]
		c.row.Revision = m.revision
		m.channels[name] = c
	}
	if t.policy != nil {
		m.policy, m.document, m.ruled, m.unread = t.policy.compiled, t.policy.document, m.revision, false
	}
	if t.rederive != nil {
		m.rederive = *t.rederive
	}
	if t.lives != nil {
		m.lives = *t.lives
	}
	if t.watch != nil {
		m.watch = *t.watch
	}
	if t.erasures != nil {
		m.erasures = *t.erasures
	}
	if t.departed != nil {
		m.departed = *t.departed
	}
	if t.keys != nil {
		m.keys = *t.keys
	}
	if seen || len(t.changed) > 0 || t.policy != nil || t.rederive != nil {
		m.visible = m.revision
	}
}

func (m *mirror) policyStatus() ledgerapi.PolicyStatus {
	if m.policy == nil {
		return ledgerapi.PolicyStatus{} // the operator then sends it (again)
	}
	return ledgerapi.PolicyStatus{Revision: m.document.Revision, Rederive: m.rederive.progress()}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
