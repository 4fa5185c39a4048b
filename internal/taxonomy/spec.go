// Package taxonomy finds the category, the department responsible and the priority of a complaint's
// text, by keywords and by CEL. It is pure: no I/O and no clock of its own.
package taxonomy

// Spec is a taxonomy as it is written down; its JSON form is the spec of a ComplaintTaxonomy.
type Spec struct {
	// Categories are tried in order; the first that matches wins.
	Categories []Category `json:"categories"`
	// Departments are the departments that categories may name; a department that the source gives
	// counts only if it is one of them.
	Departments []Department `json:"departments,omitempty"`
	// Priorities are tried in order after the category; the first that matches wins over the category's.
	Priorities []Priority `json:"priorities,omitempty"`
	// Fallback is what a complaint gets that nothing matches.
	Fallback Fallback `json:"fallback,omitzero"`
}

// Category is one kind of complaint.
type Category struct {
	// Name is the label value: a DNS label.
	Name string `json:"name"`
	// DisplayName is for people.
	DisplayName string `json:"displayName,omitempty"`
	// Department names one of the Departments; "" is the fallback's.
	Department string `json:"department,omitempty"`
	// Priority is the label value of the priority; "" is the fallback's.
	Priority string `json:"priority,omitempty"`
	// Keywords are words or phrases; any of them in the text matches (case, diacritics, punctuation and
	// common Indonesian chat spelling folded; whole words).
	Keywords []string `json:"keywords,omitempty"`
	// Match is CEL over `complaint` (channel, text, attributes); true matches.
	Match string `json:"match,omitempty"`
	// SourceValues are the source's own names of this category; they win over every text match.
	SourceValues []string `json:"sourceValues,omitempty"`
}

// Department is who has to answer.
type Department struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName,omitempty"`
	// SourceValues are the source's own names of this department.
	SourceValues []string `json:"sourceValues,omitempty"`
}

// Priority is a rule that gives a priority.
type Priority struct {
	Name         string   `json:"name"`
	Keywords     []string `json:"keywords,omitempty"`
	Match        string   `json:"match,omitempty"`
	SourceValues []string `json:"sourceValues,omitempty"`
}

// Fallback are the label values of a complaint that nothing matches; empty members are
// "uncategorized", "unassigned" and "normal".
type Fallback struct {
	Category   string `json:"category,omitempty"`
	Department string `json:"department,omitempty"`
	Priority   string `json:"priority,omitempty"`
}
