package taxonomy

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxWord is the most bytes of a folded word that are looked at; a longer one is no word of a language.
const maxWord = 48

// words cuts a text into folded words, one at a time and without allocating. Letters are lower-cased
// and stripped of diacritics and of the styles that phones offer (full width, bold); an apostrophe
// within a word is dropped (Jum'at); everything else that is neither letter nor digit separates words.
// A letter that is repeated stands once (sampaaah), and doubled remembers where. Digits are kept as
// they are: 112 is not 12.
type words struct {
	text string
	pos  int

	word [maxWord]byte
	n    int
	// hash is that of the word.
	hash uint64
	// doubled has bit i set if the letter that begins at word[i] is repeated in the text.
	doubled uint64
	last    rune
	lastAt  int
	tooLong bool
}

// What the table of next says of a byte, besides the letter or digit that it is folded to.
const (
	separator = 0
	dropped   = 1
	unicoded  = 2
)

// asciiFolds folds each byte: letters to lower case, apostrophes away.
var asciiFolds = func() (table [256]byte) {
	for c := range table {
		switch b := byte(c); {
		case b >= utf8.RuneSelf:
			table[c] = unicoded
		case b >= 'a' && b <= 'z', b >= '0' && b <= '9':
			table[c] = b
		case b >= 'A' && b <= 'Z':
			table[c] = b + 'a' - 'A'
		case b == '\'' || b == '`':
			table[c] = dropped
		}
	}
	return table
}()

// FNV-1a: short words, one byte at a time, while they are read.
const (
	hashStart = 14695981039346656037
	hashPrime = 1099511628211
)

func hashOf(word []byte) uint64 {
	h := uint64(hashStart)
	for _, c := range word {
		h = (h ^ uint64(c)) * hashPrime
	}
	return h
}

// next reads the next word; false is the end of the text.
func (w *words) next() bool {
	w.n, w.hash, w.doubled, w.last, w.tooLong = 0, hashStart, 0, 0, false
	for w.pos < len(w.text) {
		switch c := asciiFolds[w.text[w.pos]]; c {
		case separator:
			w.pos++
			if w.n > 0 {
				return true
			}
		case dropped:
			w.pos++
		case unicoded:
			if !w.addUnicode() && w.n > 0 {
				return true
			}
		default:
			w.pos++
			switch {
			case rune(c) == w.last && c >= 'a':
				w.doubled |= 1 << w.lastAt
			case w.n == maxWord:
				w.tooLong = true
			default:
				w.last, w.lastAt = rune(c), w.n
				w.word[w.n] = c
				w.n++
				w.hash = (w.hash ^ uint64(c)) * hashPrime
			}
		}
	}
	return w.n > 0
}

// addUnicode takes the rune at the position; false if it separates words.
func (w *words) addUnicode() bool {
	r, size := utf8.DecodeRuneInString(w.text[w.pos:])
	at := w.pos
	w.pos += size
	switch r {
	case '’', '‘', 'ʼ', '´', '\u200b', '\u200d', '\u00ad', '\ufe0f':
		return true // apostrophes, and what is not seen
	}
	decomposed := norm.NFKD.PropertiesString(w.text[at : at+size]).Decomposition()
	if decomposed == nil {
		return w.addFolded(r)
	}
	taken := false
	for len(decomposed) > 0 {
		part, size := utf8.DecodeRune(decomposed)
		decomposed = decomposed[size:]
		taken = w.addFolded(part) || taken
	}
	return taken
}

// addFolded takes one decomposed rune; false if it separates words.
func (w *words) addFolded(r rune) bool {
	switch {
	case unicode.Is(unicode.Mn, r):
		return true
	case unicode.IsLetter(r) || unicode.IsDigit(r):
		w.add(unicode.ToLower(r))
		return true
	}
	return false
}

func (w *words) add(r rune) {
	switch size := utf8.RuneLen(r); {
	case r == w.last && !unicode.IsDigit(r):
		w.doubled |= 1 << w.lastAt
	case w.n+size > maxWord:
		w.tooLong = true
	default:
		w.last, w.lastAt = r, w.n
		w.n += utf8.EncodeRune(w.word[w.n:], r)
		for _, c := range w.word[w.lastAt:w.n] {
			w.hash = (w.hash ^ uint64(c)) * hashPrime
		}
	}
}

// bytes is the current word; it is overwritten by next.
func (w *words) bytes() []byte { return w.word[:w.n] }
