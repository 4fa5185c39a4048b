package taxonomy

import (
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/expr"
)

// Input is what the dimensions of a complaint depend on.
type Input struct {
	// Channel is the name of the ComplaintChannel.
	Channel string
	// Text is what the citizen wrote.
	Text string
	// Attributes are those of the complaint; category, department and priority may hold the source's own
	// names of them.
	Attributes map[string]string
}

// Classify is the dimensions of a complaint. Each is a value of the specification, never of the input:
// first what the source says, if the taxonomy knows it; then, for the category, the first category of
// which a keyword or the expression matches; then, for the priority, the first priority likewise, and the
// category's; for the department the category's; at last the fallback. An expression that fails on an
// input does not match it.
func (t *Taxonomy) Classify(in Input) complaint.Dimensions {
	if t == nil {
		fallback := Fallback{}.OrDefault()
		return complaint.Dimensions{Category: fallback.Category, Department: fallback.Department, Priority: fallback.Priority}
	}
	rank, categoryKnown := t.sourceCategory(in.Attributes)
	priority, priorityKnown := lookup(t.priorityOf, in.Attributes[complaint.AttributePriority])
	if !categoryKnown || !priorityKnown {
		found, vars := t.keywords.scan(in.Text), t.variables(in)
		if !categoryKnown {
			rank = t.category(found.category, vars)
		}
		if !priorityKnown {
			if first := t.priority(found.priority, vars); first != none {
				priority, priorityKnown = t.priorities[first].name, true
			}
		}
	}
	dimensions := complaint.Dimensions{Category: t.fallback.Category, Department: t.fallback.Department, Priority: t.fallback.Priority}
	if rank != none {
		c := &t.categories[rank]
		dimensions = complaint.Dimensions{Category: c.name, Department: c.department, Priority: c.priority}
	}
	if priorityKnown {
		dimensions.Priority = priority
	}
	if department, ok := lookup(t.departmentOf, in.Attributes[complaint.AttributeDepartment]); ok {
		dimensions.Department = department
	}
	return dimensions
}

func (t *Taxonomy) sourceCategory(attributes map[string]string) (int, bool) {
	value := attributes[complaint.AttributeCategory]
	if value == "" {
		return none, false
	}
	var buffer [maxValue]byte
	if rank, ok := t.categoryOf[string(appendFolded(buffer[:0], value))]; ok {
		return rank, true
	}
	return none, false
}

func lookup(values map[string]string, value string) (string, bool) {
	if value == "" {
		return "", false
	}
	var buffer [maxValue]byte
	name, ok := values[string(appendFolded(buffer[:0], value))]
	return name, ok
}

// maxValue is enough for the longest folded source value without allocating.
const maxValue = 256

// foldValue is a source's own name without case, diacritics and punctuation.
func foldValue(value string) string { return string(appendFolded(nil, value)) }

func appendFolded(buffer []byte, value string) []byte {
	for w := (words{text: value}); w.next(); {
		if len(buffer) > 0 {
			buffer = append(buffer, ' ')
		}
		buffer = append(buffer, w.bytes()...)
	}
	return buffer
}

// variables are what the expressions see; nil if there is none.
func (t *Taxonomy) variables(in Input) map[string]any {
	if !t.expressions {
		return nil
	}
	return map[string]any{"complaint": map[string]any{
		"channel": in.Channel, "text": in.Text, "attributes": in.Attributes,
	}}
}

// category is the first category before the one found of which the expression holds, or the one found.
func (t *Taxonomy) category(found int, vars map[string]any) int {
	for i := range t.categories[:min(found, len(t.categories))] {
		if holds(t.categories[i].match, vars) {
			return i
		}
	}
	return found
}

// priority is the first priority before the one found of which the expression holds, or the one found.
func (t *Taxonomy) priority(found int, vars map[string]any) int {
	for i := range t.priorities[:min(found, len(t.priorities))] {
		if holds(t.priorities[i].match, vars) {
			return i
		}
	}
	return found
}

func holds(match *expr.Program, vars map[string]any) bool {
	if match == nil {
		return false
	}
	matched, err := match.Bool(vars)
	return err == nil && matched
}
