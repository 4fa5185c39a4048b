package manifest

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tanggap/tanggap/internal/field"
)

// locate is the node that a path such as `rules[0].clocks[1].target.within` leads to, or the one nearest
// to it that there is: a fault of a member that is missing stands at what misses it.
func locate(n *yaml.Node, path field.Path) *yaml.Node {
	at := resolve(n)
	for _, step := range steps(path) {
		var next *yaml.Node
		if i, err := strconv.Atoi(step); err == nil && at.Kind == yaml.SequenceNode {
			if i >= 0 && i < len(at.Content) {
				next = resolve(at.Content[i])
			}
		} else {
			next = child(at, step)
		}
		if next == nil {
			break
		}
		at = next
	}
	return at
}

// steps are the names and the indices of a path in their order.
func steps(path field.Path) []string {
	return strings.FieldsFunc(string(path), func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}
