package expr

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
)

// CompileError is why a source is not an expression: the first fault, as a person reads it. Line and
// Column count from 1; a column is a character.
type CompileError struct {
	Line, Column int
	// Message says what is wrong and, where it is known, what would be right.
	Message string
}

// Error implements error in the form "line 1, column 5: message".
func (e *CompileError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// maxMessage bounds an error text: a part of a hostile source may stand in it.
const maxMessage = 300

// explain is the first of the issues in a person's words.
func (e *Env) explain(source string, issues *cel.Issues) *CompileError {
	all := issues.Errors()
	if len(all) == 0 {
		return &CompileError{Line: 1, Column: 1, Message: "this expression cannot be compiled"}
	}
	first := all[0]
	for _, other := range all[1:] {
		if l, f := other.Location, first.Location; l.Line() < f.Line() || l.Line() == f.Line() && l.Column() < f.Column() {
			first = other
		}
	}
	message := e.reword(source, first.Message)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + " ..."
	}
	return &CompileError{
		Line:    max(first.Location.Line(), 1),
		Column:  max(first.Location.Column()+1, 1),
		Message: message,
	}
}

// patterns of CEL's messages that are reworded. They are compiled on use: an error is rare.
const (
	undeclared   = `^undeclared reference to '([^']*)'`
	undefined    = `^undefined field '([^']*)'`
	noOverload   = `^found no matching overload for '([^']*)' applied to '(.*)'$`
	syntaxFault  = `(?s)^Syntax error: (.*)$`
	expectingSet = ` expecting \{.*\}$| expecting .*$`
)

func (e *Env) reword(source, message string) string {
	if strings.TrimSpace(source) == "" {
		return "the expression must not be empty"
	}
	if m := regexp.MustCompile(undeclared).FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("there is no variable or function %q; the variables are %s", m[1], list(e.names))
	}
	if m := regexp.MustCompile(undefined).FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("there is no field %q here", m[1])
	}
	if m := regexp.MustCompile(noOverload).FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s cannot be applied to %s", operatorName(m[1]), plainTypes(m[2]))
	}
	if m := regexp.MustCompile(syntaxFault).FindStringSubmatch(message); m != nil {
		fault := regexp.MustCompile(expectingSet).ReplaceAllString(m[1], "")
		fault = strings.NewReplacer("'<EOF>'", "the end of the expression", "<EOF>", "the end of the expression",
			"mismatched input", "unexpected", "extraneous input", "unexpected", "no viable alternative at input", "unexpected",
			"token recognition error at:", "unexpected", "\n", " ").Replace(fault)
		return "syntax error: " + fault
	}
	return strings.ReplaceAll(message, "\n", " ")
}

// operatorName turns the internal name of an operator, such as _&&_, into what is written.
func operatorName(name string) string {
	switch {
	case name == "_?_:_":
		return "the condition ? :"
	case name == "_[_]" || name == "_[?_]":
		return "the index []"
	case name == "-_" || name == "!_":
		return name[:1]
	case len(name) > 2 && strings.HasPrefix(name, "_") && strings.HasSuffix(name, "_"):
		return strings.Trim(name, "_")
	case name == "@in":
		return "in"
	}
	return name
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// typeName is a CEL type as the error texts name it.
func typeName(t *cel.Type) string { return plainTypes(t.String()) }

// plainTypes renames the types that CEL names for itself.
func plainTypes(names string) string {
	return regexp.MustCompile(`\b(dyn|null_type)\b`).ReplaceAllStringFunc(names, func(name string) string {
		if name == "dyn" {
			return "any"
		}
		return "null"
	})
}

// article puts "a" or "an" before the name of a kind.
func article(name string) string {
	switch {
	case name == "any":
		return "any value"
	case name == "null" || name == "bytes":
		return name
	case strings.ContainsAny(name[:1], "aeiou"):
		return "an " + name
	}
	return "a " + name
}

// planError is what is wrong with an expression that checks but cannot be run, such as a regular
// expression in it that does not compile.
func planError(err error) *CompileError {
	cause := err
	for errors.Unwrap(cause) != nil {
		cause = errors.Unwrap(cause)
	}
	message := strings.ReplaceAll(cause.Error(), "\n", " ")
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + " ..."
	}
	return &CompileError{Line: 1, Column: 1, Message: message}
}
