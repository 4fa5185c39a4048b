package sla

import (
	"maps"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/expr"
)

// complaintEnv is what a rule's match may refer to.
func complaintEnv() (*expr.Env, error) {
	return expr.NewEnv(expr.Variable{Name: "complaint", Type: expr.Map, Fields: []expr.Variable{
		{Name: "channel", Type: expr.String},
		{Name: "official", Type: expr.Bool},
		{Name: "category", Type: expr.String},
		{Name: "department", Type: expr.String},
		{Name: "priority", Type: expr.String},
		{Name: "attributes", Type: expr.Map},
	}})
}

// eventEnv is what the acknowledgement's match may refer to.
func eventEnv() (*expr.Env, error) {
	return expr.NewEnv(expr.Variable{Name: "event", Type: expr.Map, Fields: []expr.Variable{
		{Name: "text", Type: expr.String},
		{Name: "kind", Type: expr.String},
		{Name: "actor", Type: expr.String},
		{Name: "attributes", Type: expr.Map},
	}})
}

// RuleOf is the name of the rule for a case, "" for none, wherever the policy begins to be enforced.
func (p *Policy) RuleOf(s Subject) string {
	if p == nil {
		return ""
	}
	return p.rule(&s).called()
}

// called is the name of a rule; nil has none.
func (r *rule) called() string {
	if r == nil {
		return ""
	}
	return r.name
}

// rule is the rule that matches, or that is kept; nil if there is none.
func (p *Policy) rule(s *Subject) *rule {
	found := p.matching(s)
	if s.Kept == nil || found.called() != s.Kept.Without {
		return found
	}
	if s.Kept.Rule == "" {
		return nil
	}
	for i := range p.rules {
		if p.rules[i].name == s.Kept.Rule {
			return &p.rules[i]
		}
	}
	return found // the policy no longer has it
}

// matching is the first rule that matches, or nil. A match that fails on the subject, such as one that asks
// for an attribute which the case does not have, does not match.
func (p *Policy) matching(s *Subject) *rule {
	var vars map[string]any
	for i := range p.rules {
		r := &p.rules[i]
		if r.match == nil {
			return r
		}
		if vars == nil {
			vars = s.variables()
		}
		if matches, err := r.match.Bool(vars); err == nil && matches {
			return r
		}
	}
	return nil
}

func (s *Subject) variables() map[string]any {
	return map[string]any{"complaint": map[string]any{
		"channel":    s.Channel,
		"official":   s.Official,
		"category":   s.Dimensions.Category,
		"department": s.Dimensions.Department,
		"priority":   s.Dimensions.Priority,
		"attributes": s.Attributes,
	}}
}

// onlyThanks reports whether the policy's acknowledgement matches an answer. One on which it fails is an
// answer.
func (p *Policy) onlyThanks(e *complaint.Event) bool {
	matches, err := p.thanks(e)
	return err == nil && matches
}

// thanks is what the policy's acknowledgement says of an answer. One whose content was cleared had its kind
// settled then: it must not be judged by an empty text.
func (p *Policy) thanks(e *complaint.Event) (bool, error) {
	if p == nil || p.acknowledgement == nil || e.Cleared {
		return false, nil
	}
	return p.acknowledgement.Bool(map[string]any{"event": map[string]any{
		"text":       e.Text,
		"kind":       string(e.Kind),
		"actor":      string(e.Actor),
		"attributes": e.Attributes,
	}})
}

// Attributes gathers the attributes of a case from its events up to an instant: later events win over
// earlier ones. It is a pure function of the set of events, as Evaluate is; nil when there are none. The map
// is not to be changed: it is the event's own where a single one has attributes.
func Attributes(in Input) map[string]string {
	var buffer [32]*complaint.Event
	var all map[string]string
	gathered := false
	for _, e := range known(in, buffer[:0]) {
		switch {
		case len(e.Attributes) == 0:
		case all == nil:
			all = e.Attributes
		case !gathered:
			all, gathered = maps.Clone(all), true
			fallthrough
		default:
			maps.Copy(all, e.Attributes)
		}
	}
	return all
}
