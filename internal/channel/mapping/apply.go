package mapping

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Result is what a document holds.
type Result struct {
	// Events in the order of the items and, within one, of the rules. Each passes complaint.Event.Validate.
	Events []complaint.Event
	// Items counts what the document held, faulty ones included.
	Items int
	// UpdatedAt is the newest updatedAt; zero when no item has one.
	UpdatedAt time.Time
	// Problems of items that could not be understood, wholly or in part, by kind.
	Problems []Problem
}

// Problem is what is wrong with some items. Its message names the field of the specification and
// never holds what stands in an item.
type Problem struct {
	Reason  ledgerapi.Reason
	Message string
	Items   int
}

// Apply reads the events out of a document made by Decode. A faulty item does not stop the others,
// and what can be understood of it is kept: a complaint without its position is still a complaint.
// The error says that the document has no list of items where the mapping looks for it, as when the
// other side reports a failure of its own: nothing is known then, not even that there are none.
func (m *Mapping) Apply(document any) (Result, error) {
	items, err := m.list(document)
	if err != nil {
		return Result{}, err
	}
	result := Result{Items: len(items)}
	for _, item := range items {
		m.item(&result, map[string]any{string(m.root): document, itemVariable: item})
	}
	return result, nil
}

// list is the items of the document.
func (m *Mapping) list(document any) ([]any, error) {
	if m.items != nil {
		items, err := m.items.program.List(map[string]any{string(m.root): document})
		return items, m.items.failed(err)
	}
	switch v := document.(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	}
	return []any{document}, nil
}

// item adds what one item holds to the result: at most one problem, which is the first.
func (m *Mapping) item(result *Result, vars map[string]any) {
	var fault error
	note := func(err error) { fault = first(fault, err) }
	defer func() {
		if fault != nil {
			result.fault(fault)
		}
	}()

	if m.updatedAt != nil {
		updated, err := m.optionalTime(m.updatedAt, vars)
		note(err)
		if updated.After(result.UpdatedAt) {
			result.UpdatedAt = updated
		}
	}
	caseID, err := m.identify(vars)
	if err != nil {
		note(err)
		return
	}
	// A rule only ever adds, so that what follows is the item's own.
	start := len(result.Events)
	for i := range m.rules {
		note(m.apply(&m.rules[i], caseID, vars, &result.Events))
	}
	if events := result.Events[start:]; len(events) > 0 {
		note(m.describe(events, vars))
	}
}

// fault counts an item under the problem that the error is.
func (r *Result) fault(err error) {
	reason := ledgerapi.ReasonInvalidEvent
	if _, ok := errors.AsType[*evaluationError](err); ok {
		reason = ledgerapi.ReasonMappingFailed
	}
	message := strings.ReplaceAll(err.Error(), "\n", "; ")
	i := slices.IndexFunc(r.Problems, func(p Problem) bool { return p.Reason == reason && p.Message == message })
	if i < 0 {
		i = len(r.Problems)
		r.Problems = append(r.Problems, Problem{Reason: reason, Message: message})
	}
	r.Problems[i].Items++
}

func (m *Mapping) identify(vars map[string]any) (string, error) {
	id, err := m.caseID.text(vars)
	switch {
	case err != nil:
		return "", err
	case id == "":
		return "", m.caseID.fault("yields nothing, but every item needs the identifier of its case")
	case len(id) > complaint.MaxIDBytes:
		return "", m.caseID.fault("yields more than %d bytes", complaint.MaxIDBytes)
	}
	return id, nil
}

// describe sets what all events of an item share, and reports the first part that failed. Reporter and
// position go with what the citizen did only: they are personal data, and once is enough, unless a case is to be
// found by the reporter.
func (m *Mapping) describe(events []complaint.Event, vars map[string]any) error {
	who, whoErr := m.reporter.evaluate(vars)
	where, whereErr := m.location(vars)
	attributes, attributesErr := m.attributes(vars)
	for i := range events {
		if m.window > 0 {
			events[i].Reporter, events[i].Thread = who, &complaint.Thread{WindowSeconds: int64(m.window / time.Second)}
		}
		switch events[i].Kind {
		case complaint.KindReceived, complaint.KindCitizenMessage, complaint.KindEdited:
			events[i].Reporter, events[i].Location, events[i].Attributes = who, where, attributes
		case complaint.KindRedacted:
			// What is to be forgotten is not told again.
		default:
			events[i].Attributes = attributes
		}
	}
	return first(whoErr, whereErr, attributesErr)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// text evaluates the expression to a string without NUL bytes, which not every store takes; "" when
// there is no expression.
func (e *expression) text(vars map[string]any) (string, error) {
	if e == nil {
		return "", nil
	}
	text, err := e.program.String(vars)
	return strings.ReplaceAll(text, "\x00", ""), e.failed(err)
}

// evaluationError is an expression that has no value for an item.
type evaluationError struct{ at *field.Error }

// Error implements error.
func (e *evaluationError) Error() string { return e.at.Error() }

// failed is the error of an evaluation with its place in the specification; nil stays nil.
func (e *expression) failed(err error) error {
	if err == nil {
		return nil
	}
	return &evaluationError{field.Errorf("mapping."+e.path, "%v", err)}
}

// fault is the error of a value that cannot be used.
func (e *expression) fault(format string, args ...any) error {
	return field.Errorf("mapping."+e.path, format, args...)
}
