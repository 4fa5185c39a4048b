package manifest

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

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

var inExpression = regexp.MustCompile(`^line (\d+), column (\d+): `)

// pinpoint moves the fault of an expression from the beginning of its scalar to the place within it that
// the message names, and takes that off the message. Where the scalar is not written as it reads, as with
// escapes, the fault stays where it is.
func pinpoint(source []string, n *yaml.Node, message string) (line, column int, rest string) {
	m := inExpression.FindStringSubmatch(message)
	if m == nil || n.Kind != yaml.ScalarNode {
		return n.Line, n.Column, message
	}
	wantLine, lineErr := strconv.Atoi(m[1])
	wantColumn, columnErr := strconv.Atoi(m[2])
	line, column, ok := align(source, n, wantLine, wantColumn)
	if lineErr != nil || columnErr != nil || !ok {
		return n.Line, n.Column, message
	}
	return line, column, message[len(m[0]):]
}

// align walks through the scalar and its source side by side, up to a line and a column of the scalar.
// Any white space of the source may stand for white space of the scalar, as YAML folds lines.
func align(source []string, n *yaml.Node, wantLine, wantColumn int) (line, column int, ok bool) {
	at := cursor{source: source, line: n.Line - 1, column: n.Column - 1}
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		at.line, at.column = n.Line, 0
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at.column++
	}
	valueLine, valueColumn := 1, 1
	for _, r := range n.Value {
		if !unicode.IsSpace(r) {
			at.skipSpace()
		}
		if valueLine == wantLine && valueColumn == wantColumn {
			return at.line + 1, at.column + 1, true
		}
		if !unicode.IsSpace(r) {
			if at.rune() != r {
				return 0, 0, false
			}
			at.column++
		}
		if valueColumn++; r == '\n' {
			valueLine, valueColumn = valueLine+1, 1
		}
	}
	return at.line + 1, at.column + 1, valueLine == wantLine && valueColumn == wantColumn
}

// cursor is a place in the lines of a file; the column counts characters.
type cursor struct {
	source       []string
	line, column int
}

// rune is the character at the place, a line feed at the end of a line, and 0 beyond the file.
func (c *cursor) rune() rune {
	if c.line >= len(c.source) {
		return 0
	}
	i := 0
	for _, r := range c.source[c.line] {
		if i == c.column {
			return r
		}
		i++
	}
	return '\n'
}

func (c *cursor) skipSpace() {
	for {
		switch r := c.rune(); {
		case r == '\n':
			c.line, c.column = c.line+1, 0
		case unicode.IsSpace(r):
			c.column++
		default:
			return
		}
	}
}
