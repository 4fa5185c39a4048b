package taxonomy

import "math"

// none is the rank of no match.
const none = math.MaxInt

// ranks are the first category and the first priority, by their place in the specification, of which
// a keyword matches.
type ranks struct{ category, priority int }

func (r *ranks) merge(o ranks) {
	r.category = min(r.category, o.category)
	r.priority = min(r.priority, o.priority)
}

// trie holds the keywords as sequences of numbered words.
type trie struct {
	vocabulary *vocabulary
	// nodes have what the keywords that end there give; node 0 is the root.
	nodes []ranks
	// first are the nodes of the first words, by the word's number; rest those further on.
	first []int
	rest  map[edge]int
}

type edge struct{ node, word int }

func newTrie(v *vocabulary) *trie {
	return &trie{vocabulary: v, nodes: []ranks{{none, none}}, rest: map[edge]int{}}
}

// add puts in a keyword; its words are numbered already.
func (t *trie) add(ids []int, r ranks) {
	node := 0
	for _, id := range ids {
		node = t.child(node, id)
	}
	t.nodes[node].merge(r)
}

func (t *trie) child(node, word int) int {
	for word >= len(t.first) {
		t.first = append(t.first, 0)
	}
	next := t.rest[edge{node, word}]
	if node == 0 {
		next = t.first[word]
	}
	if next != 0 {
		return next
	}
	next = len(t.nodes)
	t.nodes = append(t.nodes, ranks{none, none})
	if node == 0 {
		t.first[word] = next
	} else {
		t.rest[edge{node, word}] = next
	}
	return next
}

// maxPhrase is the most words of a keyword.
const maxPhrase = 16

// scan finds the best ranks of a text. It allocates nothing, however many keywords there are.
func (t *trie) scan(text string) ranks {
	best := ranks{none, none}
	if len(t.nodes) == 1 {
		return best
	}
	// within are the nodes of the phrases that the words so far have begun.
	var within [maxPhrase]int
	n := 0
	for w := (words{text: text}); w.next(); {
		if w.tooLong {
			n = 0
			continue
		}
		ids, times := t.vocabulary.find(w.bytes(), w.hash, w.doubled)
		if ids == nil {
			n = 0
			continue
		}
		for range times {
			for _, id := range ids {
				n = t.step(within[:], n, id, &best)
			}
		}
	}
	return best
}

// step goes on with one word: every phrase that it continues, and the one that it begins.
func (t *trie) step(within []int, n, word int, best *ranks) int {
	kept := 0
	for _, node := range within[:n] {
		if next := t.rest[edge{node, word}]; next != 0 {
			best.merge(t.nodes[next])
			within[kept] = next
			kept++
		}
	}
	if next := t.first[word]; next != 0 {
		best.merge(t.nodes[next])
		// There is room: no two phrases began at the same place, so that each has come to another length.
		within[kept] = next
		kept++
	}
	return kept
}
