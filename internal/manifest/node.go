package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of a policy file. Aliases may make a small file stand for a large one.
const (
	maxFileBytes = 8 << 20
	maxNodes     = 500_000
	maxNesting   = 64
)

// member is one key of a mapping and its value, aliases and merges resolved.
type member struct {
	key, value *yaml.Node
}

// readDocuments reads the YAML documents of a file as trees that know their places. Every mapping in
// them has been checked for keys that stand in it twice.
func readDocuments(text []byte, f *faults) []*yaml.Node {
	if len(text) > maxFileBytes {
		f.add(1, 1, "the file has more than %d bytes", maxFileBytes)
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var roots []*yaml.Node
	budget := maxNodes
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return roots
		}
		if err != nil {
			line, message := syntaxFault(err)
			f.add(line, 1, "%s", message)
			return nil
		}
		if len(document.Content) == 0 {
			continue
		}
		root := document.Content[0]
		if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
			continue // nothing between two separators
		}
		if !checkTree(root, 0, &budget, f) {
			return nil
		}
		roots = append(roots, root)
	}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\s*)?(?:line (\d+): )?(.*)$`)

// syntaxFault is the line and the words of an error of the YAML parser.
func syntaxFault(err error) (line int, message string) {
	text := strings.ReplaceAll(err.Error(), "\n", " ")
	m := yamlLine.FindStringSubmatch(text)
	if m == nil {
		return 1, "this is not YAML: " + text
	}
	if m[1] != "" {
		line, err = strconv.Atoi(m[1])
		if err != nil {
			line = 1
		}
	}
	return line, "this is not YAML: " + m[2]
}

// checkTree looks for keys that stand twice and for trees beyond the bounds; false stops.
func checkTree(n *yaml.Node, nesting int, budget *int, f *faults) bool {
	if *budget--; *budget < 0 || nesting > maxNesting {
		f.add(n.Line, n.Column, "the file is too large or too deeply nested from here on")
		return false
	}
	if n.Kind == yaml.AliasNode {
		return checkTree(n.Alias, nesting+1, budget, f)
	}
	if n.Kind == yaml.MappingNode {
		seen := make(map[string]*yaml.Node, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if first, again := seen[key.Value]; again && key.Kind == yaml.ScalarNode {
				f.add(key.Line, key.Column, "%q stands here a second time, first in line %d", key.Value, first.Line)
			}
			seen[key.Value] = key
		}
	}
	for _, child := range n.Content {
		if !checkTree(child, nesting+1, budget, f) {
			return false
		}
	}
	return true
}

// resolve follows aliases.
func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// members are those of a mapping, with what `<<` merges into it; a key of its own wins.
func members(n *yaml.Node) []member {
	var own, merged []member
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		if key.ShortTag() != "!!merge" {
			own = append(own, member{key, value})
			continue
		}
		sources := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			sources = value.Content
		}
		for _, source := range sources {
			if source = resolve(source); source.Kind == yaml.MappingNode {
				merged = append(merged, members(source)...)
			}
		}
	}
	for _, m := range merged {
		if lookup(own, m.key.Value) == nil {
			own = append(own, m)
		}
	}
	return own
}

// lookup is the member of the name, or nil.
func lookup(all []member, name string) *member {
	for i := range all {
		if all[i].key.Value == name {
			return &all[i]
		}
	}
	return nil
}

// child is the value of a mapping's key; nil if there is none or the node is no mapping.
func child(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	if m := lookup(members(n), name); m != nil {
		return m.value
	}
	return nil
}

// describe is what a node is, for "must be ..., not ...".
func describe(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return "a mapping"
	}
	if n.Kind == yaml.SequenceNode {
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "text"
}

// quoted is how the scalar would be written as text.
func quoted(n *yaml.Node) string { return fmt.Sprintf("%q", n.Value) }
