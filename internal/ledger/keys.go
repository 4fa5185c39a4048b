package ledger

import (
	"bytes"
	"slices"

	"github.com/tanggap/tanggap/internal/ledger/store"
)

const settingKeys = "keys"

// keyMarks tell keys of pseudonyms apart, and lead to none. Those by which anything that is stored was made are kept as
// a setting: a ledger that lacks one, as its storage was restored beside another Secret or a key was replaced instead of
// put before the others, would find nobody who reported under it and say that nothing was left to erase.
type keyMarks [][]byte

// marks are of the keys, in their order. No identity begins with a zero byte.
func (p *Pseudonyms) marks() (marks keyMarks) {
	if p == nil {
		return nil
	}
	for _, key := range p.keys {
		marks = append(marks, key.Sum([]byte("\x00key"))[:pseudonymBytes])
	}
	return marks
}

func (k keyMarks) has(mark []byte) bool {
	return slices.ContainsFunc(k, func(other []byte) bool { return bytes.Equal(mark, other) })
}

// without counts the marks that others lack.
func (k keyMarks) without(others keyMarks) (missing int) {
	for _, mark := range k {
		if !others.has(mark) {
			missing++
		}
	}
	return missing
}

// noteKeys notes all keys of this ledger once it stores the first pseudonym by the current one. What an earlier version
// stored was made by one of them.
func (t *transaction) noteKeys(events []store.Event, inserted []bool) {
	if len(t.own) == 0 || t.before.keys.has(t.own[0]) {
		return
	}
	for i := range events {
		if inserted[i] && events[i].Pseudonym != nil {
			noted := slices.Clone(t.before.keys)
			for _, mark := range t.own {
				if !noted.has(mark) {
					noted = append(noted, mark)
				}
			}
			t.keys = &noted
			return
		}
	}
}

// recognise marks by the current key who was erased under an earlier one and is heard of again. Identities that were
// erased together are one reporter's: who asks to erase one of them names nothing by which the others were stored since.
func (t *transaction) recognise(earlier map[string][][]byte) {
	for current, others := range earlier {
		for _, other := range others {
			if i := t.erased().marked(other); i >= 0 && t.erased().marked([]byte(current)) < 0 {
				t.erasure(i).mark(mark([]byte(current)))
			}
		}
	}
}

// noteMissingKeys logs that there are pseudonyms by keys that this ledger does not have.
func (l *Ledger) noteMissingKeys() {
	if missing := l.mirror.keys.without(l.own); missing > 0 && l.pseudonyms != nil {
		l.log.Error("The storage has pseudonyms by keys that this ledger does not have: whoever reported under them is not recognised, nor erased",
			"missing", missing)
	}
}
