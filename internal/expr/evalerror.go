package expr

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// EvalError is why an expression has no value. Its text is one of a fixed set and a place within the
// expression: nothing of the data stands in it, so that it may be logged and shown.
type EvalError struct {
	// Line and Column of the part that failed, from 1; 0 when it is not known.
	Line, Column int
	Message      string
}

// Error implements error in the form "line 1, column 5: message".
func (e *EvalError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// fault is a text of this package that holds no data and may be shown as it is.
type fault string

// Error implements error.
func (f fault) Error() string { return string(f) }

// evalError makes an EvalError of whatever CEL reports; only the kind and the place are taken over.
func (p *Program) evalError(err error) *EvalError {
	var node int64
	if celErr, ok := errors.AsType[*types.Err](err); ok {
		node = celErr.NodeID()
	}
	return p.fault(node, message(err))
}

func message(err error) string {
	var cancelled interpreter.EvalCancelledError
	var own fault
	switch {
	case errors.As(err, &own):
		return own.Error()
	case errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded:
		return "the expression costs too much on this input"
	}
	text := err.Error()
	for _, known := range [...]struct{ part, message string }{
		{"no such key", "the field does not exist in this input"},
		{"no such attribute", "the variable has no value"},
		{"no such field", "the field does not exist in this input"},
		{"index out of", "the index is out of range"},
		{"out of range in list", "the index is out of range"},
		{"no such overload", "the operation does not fit the kinds of its values"},
		{"division by zero", "division by zero"},
		{"modulus by zero", "division by zero"},
		{"overflow", "the number is out of range"},
		{"optional.none", "the optional value is absent"},
		{"timestamp", "the text is not a time of the form 2006-01-02T15:04:05+07:00"},
		{"unknown time zone", "the time zone is unknown"},
		{"conversion", "the value cannot be converted"},
		{"strconv", "the text is not a number"},
		{"regex", "the regular expression is invalid"},
		{"error parsing regexp", "the regular expression is invalid"},
	} {
		if strings.Contains(text, known.part) {
			return known.message
		}
	}
	return "the expression failed on this input"
}

// fault is an EvalError at the part of the expression with the id, if it is known.
func (p *Program) fault(node int64, message string) *EvalError {
	e := &EvalError{Message: message}
	if node == 0 {
		return e
	}
	if at := p.ast.NativeRep().SourceInfo().GetStartLocation(node); at != nil && at.Line() > 0 {
		e.Line, e.Column = at.Line(), at.Column()+1
	}
	return e
}

// wrongKind is the error of a result of another kind than wanted.
func (p *Program) wrongKind(value ref.Val, want Kind) *EvalError {
	got := "null"
	if value != nil && value != types.NullValue {
		got = value.Type().TypeName()
		if i := strings.LastIndexByte(got, '.'); i >= 0 {
			got = strings.ToLower(got[i+1:])
		}
	}
	return p.fault(0, fmt.Sprintf("the result is %s, but %s is expected", got, article(want.String())))
}
