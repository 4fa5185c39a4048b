package taxonomy

// vocabulary numbers the words of the keywords, from 1, and finds them in texts by any spelling that
// the fold knows. It never changes after it is built.
type vocabulary struct {
	// index is the first entry of a spelling while the vocabulary is built, slots the same afterwards:
	// a hash table whose hashes are those of words.
	index   map[string]int
	slots   []slot
	mask    uint64
	entries []entry
	// standard are the words by number; skeletons the numbers of those with one consonant skeleton.
	standard  []standard
	skeletons map[string][]int
	chat      map[string][]spelled
}

// entry is one way to write one or several words.
type entry struct {
	word    string
	doubled uint64 // the letters that the word itself doubles, such as those of massa
	ids     []int
	next    int // the next entry of the same letters, or -1
}

// standard is a word of a keyword, and the list of its number alone.
type standard struct {
	word []byte
	ids  []int
}

// slot is a place of the hash table; entry is one more than the entry's index, and 0 if it is free.
type slot struct {
	hash  uint64
	entry int
}

// spelled is a folded word of a keyword.
type spelled struct {
	word    string
	doubled uint64
}

func newVocabulary() *vocabulary {
	v := &vocabulary{
		index:     map[string]int{},
		standard:  make([]standard, 1),
		skeletons: map[string][]int{},
		chat:      map[string][]spelled{},
	}
	for _, c := range chatWords() {
		w := words{text: c.chat}
		w.next()
		var meant []spelled
		for s := (words{text: c.standard}); s.next(); {
			meant = append(meant, spelled{string(s.bytes()), s.doubled})
		}
		v.chat[string(w.bytes())] = meant
	}
	return v
}

// keyword is the numbers of the words of a keyword; empty when there is no word in it, and false when
// one of them is too long.
func (v *vocabulary) keyword(text string) ([]int, bool) {
	var ids []int
	for w := (words{text: text}); w.next(); {
		if w.tooLong {
			return nil, false
		}
		word := w.bytes()
		for _, s := range v.meant(word, w.doubled) {
			ids = append(ids, v.add(s))
		}
	}
	return ids, true
}

// meant are the words that a word of a keyword stands for: usually itself.
func (v *vocabulary) meant(word []byte, doubled uint64) []spelled {
	if meant, ok := v.chat[string(word)]; ok {
		return meant
	}
	if stem, ok := reduplicated(word); ok {
		once := spelled{string(stem), doubled}
		return []spelled{once, once}
	}
	return []spelled{{string(word), doubled}}
}

// add is the number of the word, a new one if it has none yet.
func (v *vocabulary) add(s spelled) int {
	if ids := v.known(s); ids != nil {
		return ids[0]
	}
	id := len(v.standard)
	v.standard = append(v.standard, standard{word: []byte(s.word), ids: []int{id}})
	v.insert(s, []int{id})
	bones := string(skeleton(nil, []byte(s.word)))
	v.skeletons[bones] = append(v.skeletons[bones], id)
	return id
}

// known is the number of exactly this word, if it has one.
func (v *vocabulary) known(s spelled) []int {
	i, ok := v.index[s.word]
	for ; ok && i >= 0; i = v.entries[i].next {
		if v.entries[i].doubled == s.doubled {
			return v.entries[i].ids
		}
	}
	return nil
}

func (v *vocabulary) insert(s spelled, ids []int) {
	next, ok := v.index[s.word]
	if !ok {
		next = -1
	}
	v.entries = append(v.entries, entry{word: s.word, doubled: s.doubled, ids: ids, next: next})
	v.index[s.word] = len(v.entries) - 1
}

// seal adds the chat spellings of the words that there are and makes the vocabulary ready to be asked.
// A phrase such as lalu lintas may be spelled as one word only if all of its words are known.
func (v *vocabulary) seal() {
	for chat, meant := range v.chat {
		ids := make([]int, 0, len(meant))
		for _, s := range meant {
			ids = append(ids, v.known(s)...)
		}
		if _, taken := v.index[chat]; !taken && len(ids) == len(meant) {
			v.insert(spelled{word: chat}, ids)
		}
	}
	size := 16
	v.mask = 15
	for size < 4*len(v.index) {
		size *= 2
		v.mask = v.mask<<1 | 1
	}
	v.slots = make([]slot, size)
	for word, first := range v.index {
		hash := hashOf([]byte(word))
		at := hash & v.mask
		for v.slots[at].entry != 0 {
			at = (at + 1) & v.mask
		}
		v.slots[at] = slot{hash: hash, entry: first + 1}
	}
}

// first is the first entry of the letters, or -1.
func (v *vocabulary) first(word []byte, hash uint64) int {
	for at := hash & v.mask; v.slots[at].entry != 0; at = (at + 1) & v.mask {
		if s := v.slots[at]; s.hash == hash && v.entries[s.entry-1].word == string(word) {
			return s.entry - 1
		}
	}
	return -1
}

// exact is the words that a folded word stands for by its letters. A text may double a letter that the
// word does not, but not the other way round: "masaa" is masa, "masa" is not massa.
func (v *vocabulary) exact(word []byte, hash, doubled uint64) []int {
	var found []int
	for i := v.first(word, hash); i >= 0; i = v.entries[i].next {
		e := &v.entries[i]
		if e.doubled == doubled {
			return e.ids
		}
		if e.doubled&^doubled == 0 && (found == nil || e.doubled != 0) {
			found = e.ids
		}
	}
	return found
}

// find is the words that a folded word of a text stands for, and how often they stand there; none when
// no keyword has it. It does not allocate.
func (v *vocabulary) find(word []byte, hash, doubled uint64) (ids []int, times int) {
	if ids := v.exact(word, hash, doubled); ids != nil {
		return ids, 1
	}
	if stem, ok := reduplicated(word); ok {
		if ids = v.exact(stem, hashOf(stem), doubled); ids == nil {
			ids = v.respelled(stem, doubled)
		}
		return ids, 2
	}
	return v.respelled(word, doubled), 1
}

// respelled finds a word without the clitic -nya, or with vowels left out.
func (v *vocabulary) respelled(word []byte, doubled uint64) []int {
	stem, clitic := withoutClitic(word)
	if clitic {
		if ids := v.exact(stem, hashOf(stem), doubled); ids != nil {
			return ids
		}
	}
	if ids := v.abbreviated(word); ids != nil || !clitic {
		return ids
	}
	return v.abbreviated(stem)
}

// abbreviated is the one word that the given one has left vowels out of; none if there are several.
func (v *vocabulary) abbreviated(word []byte) []int {
	if !unpronounceable(word) {
		return nil
	}
	var buffer [maxWord]byte
	var found int
	for _, id := range v.skeletons[string(skeleton(buffer[:0], word))] {
		if !drops(word, v.standard[id].word) {
			continue
		}
		if found != 0 {
			return nil
		}
		found = id
	}
	if found == 0 {
		return nil
	}
	return v.standard[found].ids
}

// reduplicated is the word before a 2 that says "twice", as in gorong2.
func reduplicated(word []byte) ([]byte, bool) {
	n := len(word) - 1
	if n < 3 || word[n] != '2' {
		return nil, false
	}
	for _, c := range word[:n] {
		if c >= '0' && c <= '9' {
			return nil, false
		}
	}
	return word[:n], true
}

// withoutClitic is the word before -nya (its, the), which is written together with any noun; no other
// ending is taken off, as they are parts of ordinary words (masalah is not masa).
func withoutClitic(word []byte) ([]byte, bool) {
	n := len(word)
	if n >= 6 && string(word[n-3:]) == "nya" {
		return word[:n-3], true
	}
	if n >= 5 && string(word[n-2:]) == "ny" {
		return word[:n-2], true
	}
	return nil, false
}
