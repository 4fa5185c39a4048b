// Package field says what is wrong with which field of a specification, so that a message names the
// place where the person who wrote it looks. It is used by the pure packages, which know nothing of
// Kubernetes.
package field

import (
	"errors"
	"fmt"
	"strconv"
)

// Path names a field in the form `rules[0].clocks[1].target.within`. The zero value is the root.
type Path string

// Child is the path of a member of the object at p.
func (p Path) Child(name string) Path {
	if p == "" {
		return Path(name)
	}
	return p + "." + Path(name)
}

// Index is the path of an element of the list at p.
func (p Path) Index(i int) Path { return p + Path("["+strconv.Itoa(i)+"]") }

// Error is one fault of a specification.
type Error struct {
	// Path names the field.
	Path Path
	// Message says what is wrong and what would be right.
	Message string
}

// Error implements error in the form `path: message`.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return string(e.Path) + ": " + e.Message
}

// Errorf makes an Error of a format and its arguments.
func Errorf(p Path, format string, args ...any) *Error {
	return &Error{Path: p, Message: fmt.Sprintf(format, args...)}
}

// Within returns err with every Error in it moved below p, so that the compiler of a part need not
// know where the part stands in the whole.
func Within(p Path, err error) error {
	if err == nil {
		return nil
	}
	faults := All(err)
	if len(faults) == 0 {
		return &Error{Path: p, Message: err.Error()}
	}
	moved := make([]error, len(faults))
	for i, f := range faults {
		path := p
		switch {
		case f.Path == "":
		case p == "" || f.Path[0] == '[':
			path += f.Path
		default:
			path += "." + f.Path
		}
		moved[i] = &Error{Path: path, Message: f.Message}
	}
	return errors.Join(moved...)
}

// All lists the Errors within err, which may be one, a joined list or a wrapped one.
func All(err error) []*Error {
	switch e := err.(type) { //nolint:errorlint // the tree itself is walked here
	case nil:
		return nil
	case *Error:
		return []*Error{e}
	case interface{ Unwrap() []error }:
		var all []*Error
		for _, part := range e.Unwrap() {
			all = append(all, All(part)...)
		}
		return all
	case interface{ Unwrap() error }:
		return All(e.Unwrap())
	}
	return nil
}
