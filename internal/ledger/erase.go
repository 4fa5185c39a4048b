package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/policy"
)

const settingErasures = "erasures"

const (
	// maxErased bounds how many identities one request names.
	maxErased = 16
	// sweepCases is how many cases one step looks at for traces in cases of others.
	sweepCases = 500
	// sweepSteps is how many steps are done between two ticks, which they must not delay.
	sweepSteps = 10
)

// erasures are the reporters who were erased, in the order of their first erasure. They are kept as a
// setting, so that what arrives late of them is recognised.
type erasures []erasure

type erasure struct {
	ID string `json:"id"`
	// At is the instant, in microseconds since 1970, through which everything goes that the reporter said.
	At int64 `json:"at"`
	// Marks tell whether a pseudonym is one of the reporter's, and nothing else.
	Marks [][]byte `json:"marks"`
	Cases int64    `json:"cases"`
	// Events are those that something was taken from.
	Events int64 `json:"events"`
	// Done says that all cases were looked at.
	Done bool `json:"done,omitempty"`
}

func (e *erasure) status() ledgerapi.ErasureStatus {
	return ledgerapi.ErasureStatus{ID: e.ID, At: fromMicros(e.At), Cases: e.Cases, Events: e.Events, Done: e.Done}
}

// mark is what is kept of the pseudonym of somebody who was erased: who has the pseudonym can tell, and
// the mark leads to none.
func mark(pseudonym []byte) []byte {
	sum := sha256.Sum256(append([]byte("erased\x00"), pseudonym...))
	return sum[:pseudonymBytes]
}

// marked is the place of the erasure that a pseudonym is marked by, of several the one that reaches furthest: who was
// erased by a number, and by an address, may be erased by both later. It is -1 for none.
func (e erasures) marked(pseudonym []byte) int {
	found := -1
	if len(e) == 0 || pseudonym == nil {
		return found
	}
	m := mark(pseudonym)
	for i := range e {
		marks := slices.ContainsFunc(e[i].Marks, func(other []byte) bool { return bytes.Equal(m, other) })
		if marks && (found < 0 || e[i].At > e[found].At) {
			found = i
		}
	}
	return found
}

// pending reports whether there are cases to be looked at.
func (e erasures) pending() bool {
	return slices.ContainsFunc(e, func(one erasure) bool { return !one.Done })
}

// Erase takes from all events of a reporter, and from the reporter's cases, what was written until now,
// where it was and by whom, and the pseudonyms: at once from the cases that the reporter began, and step
// by step from what the reporter wrote in those of others. What arrives later and was said before is taken
// likewise. What was counted stays. Erasing the same reporter again finds the same erasure and brings it up to now.
func (l *Ledger) Erase(ctx context.Context, in ledgerapi.ErasureRequest) (ledgerapi.ErasureStatus, error) {
	pseudonyms, err := l.identify(in)
	if err != nil {
		return ledgerapi.ErasureStatus{}, err
	}
	var id string
	begin := func(ctx context.Context, t *transaction) error {
		id = t.beginErasure(pseudonyms)
		return nil
	}
	if err := l.do(ctx, &request{job: begin}); err != nil {
		return ledgerapi.ErasureStatus{}, err
	}
	l.log.Info("Began to erase a reporter", "erasure", id)
	for more := true; more; {
		step := func(ctx context.Context, t *transaction) (err error) {
			more, err = t.eraseCasesOf(ctx, pseudonyms)
			return err
		}
		if err := l.do(ctx, &request{job: step}); err != nil {
			return ledgerapi.ErasureStatus{}, err
		}
	}
	return l.Erasure(ctx, id)
}

// identify are the pseudonyms, by every key, of the identities that a request names.
func (l *Ledger) identify(in ledgerapi.ErasureRequest) (pseudonyms [][]byte, err error) {
	switch {
	case l.pseudonyms == nil:
		return nil, refuse(Invalid, "the ledger has no key of pseudonyms, so that it knows nobody")
	case len(in.Reporters) == 0 || len(in.Reporters) > maxErased:
		return nil, refuse(Invalid, "reporters: must have 1 to %d entries", maxErased)
	}
	for i, r := range in.Reporters {
		given := 0
		for _, field := range []string{r.Phone, r.Email, r.Handle} {
			if field != "" {
				given++
			}
		}
		identity := (&complaint.Reporter{Phone: r.Phone, Email: r.Email, Handle: r.Handle}).Identity(r.Channel)
		switch {
		case given != 1:
			return nil, refuse(Invalid, "reporters[%d]: must have exactly one of phone, email and handle", i)
		case r.Handle != "" && r.Channel == "":
			return nil, refuse(Invalid, "reporters[%d]: a handle needs its channel", i)
		case r.Handle == "" && r.Channel != "":
			return nil, refuse(Invalid, "reporters[%d]: only a handle has a channel; a phone number or an address is one everywhere", i)
		case identity == "":
			return nil, refuse(Invalid, "reporters[%d]: must be a phone number of at least six digits, an address or a handle", i)
		}
		current, earlier := l.pseudonyms.of(identity)
		pseudonyms = append(append(pseudonyms, current), earlier...)
	}
	return pseudonyms, nil
}

// Erasure is how far an erasure has come.
func (l *Ledger) Erasure(ctx context.Context, id string) (status ledgerapi.ErasureStatus, err error) {
	if err := l.sync(ctx); err != nil {
		return status, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	i := slices.IndexFunc(l.erasures, func(e erasure) bool { return e.ID == id })
	if i < 0 {
		return status, refuse(NotFound, "there is no erasure of this id")
	}
	status = l.erasures[i].status()
	status.MissingKeys = l.keys.without(l.own)
	return status, nil
}

// erased are the erasures, for reading.
func (t *transaction) erased() erasures {
	if t.erasures != nil {
		return *t.erasures
	}
	return t.before.erasures
}

// erasure is one of them, for changing it.
func (t *transaction) erasure(i int) *erasure {
	if t.erasures == nil {
		changed := slices.Clone(t.before.erasures)
		t.erasures = &changed
	}
	return &(*t.erasures)[i]
}

// beginErasure notes whom everything is taken from until now.
func (t *transaction) beginErasure(pseudonyms [][]byte) (id string) {
	marks := make([][]byte, len(pseudonyms))
	i := -1
	for n, p := range pseudonyms {
		marks[n] = mark(p)
		i = max(i, t.erased().marked(p))
	}
	if i < 0 {
		i = len(t.erased())
		grown := append(slices.Clone(t.erased()), erasure{ID: rand.Text()[:lifeLetters]})
		t.erasures = &grown
	}
	e := t.erasure(i)
	e.At, e.Done = micros(t.at), false
	for _, m := range marks {
		e.mark(m)
	}
	return e.ID
}

// mark adds a mark, unless it is known.
func (e *erasure) mark(m []byte) {
	if !slices.ContainsFunc(e.Marks, func(other []byte) bool { return bytes.Equal(m, other) }) {
		// The slice of the one before is not to be written to.
		e.Marks = append(slices.Clip(e.Marks), m)
	}
}

// eraseCasesOf takes the content of some of the cases that a reporter began.
func (t *transaction) eraseCasesOf(ctx context.Context, pseudonyms [][]byte) (more bool, err error) {
	queries := make([]store.ReporterQuery, 0, 2*len(pseudonyms))
	for _, p := range pseudonyms {
		queries = append(queries,
			store.ReporterQuery{Pseudonym: p, From: time.Unix(0, 0), To: t.at.Add(time.Microsecond), Limit: maintenanceCases},
			store.ReporterQuery{Pseudonym: p, Unreceived: true, Limit: maintenanceCases})
	}
	found, err := t.tx.ByReporter(ctx, queries)
	if err != nil {
		return false, err
	}
	seen := map[complaint.CaseKey]bool{}
	var rows []store.Case
	for _, cases := range found {
		for i := range cases {
			if k := cases[i].CaseKey; !seen[k] && len(rows) < maintenanceCases {
				seen[k] = true
				rows = append(rows, cases[i])
			}
		}
	}
	changed, err := t.eraseIn(ctx, rows)
	// Who wrote again since is found again, and nothing is left to be taken there.
	return changed > 0, err
}

// eraseIn takes from the cases what is to be erased there, and says from how many something was.
func (t *transaction) eraseIn(ctx context.Context, rows []store.Case) (changed int, err error) {
	err = store.EachPortion(ctx, t.tx, rows, func(some []store.Case, events [][]store.Event) error {
		n, err := t.eraseSomeIn(ctx, some, events)
		changed += n
		return err
	})
	return changed, err
}

func (t *transaction) eraseSomeIn(ctx context.Context, rows []store.Case, events [][]store.Event) (changed int, err error) {
	var cleared []store.Event
	var states []*caseState
	for i := range rows {
		state, err := load(&rows[i])
		if err != nil {
			return 0, err
		}
		if taken := t.erase(t.lastRules(rows[i].Channel), state, events[i]); len(taken) > 0 {
			cleared = append(cleared, taken...)
			states = append(states, state)
		}
	}
	if len(states) == 0 {
		return 0, nil
	}
	if err := t.tx.ReplaceEvents(ctx, cleared); err != nil {
		return 0, err
	}
	if err := t.put(ctx, states); err != nil {
		return 0, err
	}
	return len(states), t.eraseReplies(ctx, states)
}

// erase takes from the events of a case, in place, what is to be erased there, and returns those that
// changed: in a case that the reporter began everything until the erasure, whoever said it and whenever it
// arrives; in one of somebody else what the reporter wrote.
func (t *transaction) erase(rules *policy.Rules, state *caseState, events []store.Event) (cleared []store.Event) {
	if len(t.erased()) == 0 {
		return nil
	}
	through, by := fromMicros(state.record.Erased), -1
	if first := firstNamed(events); first != nil {
		if i := t.erasedBy(first); i >= 0 {
			through, by = later(through, fromMicros(t.erased()[i].At)), i
		}
	}
	ruled, known := "", false
	for i := range events {
		e, whose := &events[i], by
		if e.OccurredAt.After(through) {
			whose = t.erasedBy(e)
			if whose < 0 {
				continue
			}
		}
		if !known {
			ruled, known = state.ruled(rules, events, state.record.Kept), true
		}
		if had := strip(rules, e, store.ContentText|store.ContentHandles); had || e.Pseudonym != nil {
			e.Pseudonym = nil
			cleared = append(cleared, *e)
			if whose >= 0 {
				t.erasure(whose).Events++
			}
			by = max(by, whose)
		}
	}
	if len(cleared) == 0 {
		return nil
	}
	if by >= 0 {
		t.erasure(by).Cases++
	}
	state.keepRule(rules, ruled, events)
	state.record.Erased, state.record.Linked = micros(through), ""
	state.row.Pseudonym, state.row.Holds = pseudonym(events), holds(events)
	return cleared
}

// firstNamed is the earliest event of somebody who is known; nil for none.
func firstNamed(events []store.Event) (first *store.Event) {
	for i := range events {
		if e := &events[i]; e.Pseudonym != nil && (first == nil || complaint.Compare(&e.Event, &first.Event) < 0) {
			first = e
		}
	}
	return first
}

// erasedBy is the place of the erasure that covers an event by who wrote it and when; -1 for none. A raw
// handle is looked at as a whole: the pseudonym is of its first part only.
func (t *transaction) erasedBy(e *store.Event) int {
	candidates := append([][]byte{e.Pseudonym}, t.earlier[string(e.Pseudonym)]...)
	if r := e.Reporter; r != nil {
		for _, part := range []*complaint.Reporter{{Phone: r.Phone}, {Email: r.Email}, {Handle: r.Handle}} {
			current, earlier := t.names.of(part.Identity(e.Channel))
			candidates = append(append(candidates, current), earlier...)
		}
	}
	for _, p := range candidates {
		if i := t.erased().marked(p); i >= 0 && !e.OccurredAt.After(fromMicros(t.erased()[i].At)) {
			return i
		}
	}
	return -1
}

// eraseReplies ends the replies on their way to cases that were erased.
func (t *transaction) eraseReplies(ctx context.Context, states []*caseState) error {
	var erased []complaint.CaseKey
	for _, c := range states {
		if c.record.Erased != 0 {
			erased = append(erased, c.row.CaseKey)
		}
	}
	open, err := t.tx.OpenRepliesOf(ctx, erased)
	if err != nil {
		return err
	}
	for i := range open {
		s, err := readReply(&open[i])
		if err != nil {
			return err
		}
		was := s.State
		s.State, s.Message = ledgerapi.ReplyFailed, "the reporter was erased"
		if was == ledgerapi.ReplySending {
			// A worker has it: if it says that it was sent, the case is answered.
			s.State, s.Message = ledgerapi.ReplyUnconfirmed, "the reporter was erased while a worker sent it"
		}
		if err := t.putReply(ctx, open[i].Channel, &s, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// sweep is where the search for traces of reporters who were erased stands. It is kept by the process
// alone: another one begins anew, and so does this one when the storage was put back.
type sweep struct {
	life  string
	after *complaint.CaseKey
	// begun are the erasures that the search looks for from its beginning, by their instants.
	begun map[string]int64
}

// Sweep looks through all cases for traces of reporters who were erased, until there is none left to look
// for. Maintain does so little by little.
func (l *Ledger) Sweep(ctx context.Context) error {
	for {
		more, err := l.sweepSome(ctx, sweepSteps)
		if err != nil || !more {
			return err
		}
	}
}

// sweepSome does some steps. Only one goroutine may do so at a time.
func (l *Ledger) sweepSome(ctx context.Context, steps int) (more bool, err error) {
	for range steps {
		l.mu.RLock()
		pending := l.erasures.pending()
		l.mu.RUnlock()
		if !pending {
			l.sweeping = sweep{}
			return false, nil
		}
		var next sweep
		var done []ledgerapi.ErasureStatus
		step := func(ctx context.Context, t *transaction) (err error) {
			next, done, err = t.sweep(ctx, l.sweeping)
			return err
		}
		if err := l.do(ctx, &request{job: step}); err != nil {
			return false, err
		}
		l.sweeping = next
		for _, s := range done {
			l.log.Info("Erased a reporter", "erasure", s.ID, "cases", s.Cases, "events", s.Events)
		}
	}
	return true, nil
}

func (t *transaction) sweep(ctx context.Context, s sweep) (next sweep, done []ledgerapi.ErasureStatus, err error) {
	if s.begun == nil || s.life != t.life {
		s = sweep{life: t.life, begun: map[string]int64{}}
		for _, e := range t.erased() {
			s.begun[e.ID] = e.At
		}
	}
	rows, after, err := t.tx.Page(ctx, store.PageQuery{After: s.after, Limit: sweepCases, Scan: sweepCases})
	if err != nil {
		return s, nil, err
	}
	if _, err := t.eraseIn(ctx, rows); err != nil {
		return s, nil, err
	}
	if s.after = after; after != nil {
		return s, nil, nil
	}
	for i, e := range t.erased() {
		// One that came, or was renewed, while the search ran has its own.
		if at, looked := s.begun[e.ID]; looked && at == e.At && !e.Done {
			t.erasure(i).Done = true
			done = append(done, t.erased()[i].status())
		}
	}
	return sweep{}, done, nil
}
