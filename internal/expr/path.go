package expr

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// path is an expression that only looks something up: item.a, or item.?a.?b.
type path struct {
	variable string
	steps    []step
}

type step struct {
	name string
	// optional says that there is nothing to be found where the member is absent; else that is an error.
	optional bool
}

// pathOf is nil for an expression that does more.
func pathOf(e ast.Expr) *path {
	switch e.Kind() {
	case ast.IdentKind:
		return &path{variable: e.AsIdent()}
	case ast.SelectKind:
		selected := e.AsSelect()
		if selected.IsTestOnly() {
			return nil
		}
		return pathOf(selected.Operand()).with(step{name: selected.FieldName()})
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.OptSelect || call.IsMemberFunction() || len(call.Args()) != 2 || call.Args()[1].Kind() != ast.LiteralKind {
			return nil
		}
		name, ok := call.Args()[1].AsLiteral().(types.String)
		if !ok {
			return nil
		}
		return pathOf(call.Args()[0]).with(step{name: string(name), optional: true})
	default:
		return nil
	}
}

// with is the path with one more step.
func (p *path) with(s step) *path {
	if p == nil {
		return nil
	}
	p.steps = append(p.steps, s)
	return p
}

// optional says that the path may have no value.
func (p *path) optional() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return s.optional })
}

// value looks the value up: there is false where an optional member is absent, ok where it has to be evaluated.
func (p *path) value(vars map[string]any) (value any, there, ok bool) {
	value, ok = vars[p.variable]
	if !ok {
		return nil, false, false
	}
	for _, s := range p.steps {
		var has, isObject bool
		if value, has, isObject = member(value, s.name); !has {
			return nil, false, isObject && s.optional
		}
	}
	return value, true, true
}

// member is a member of an object.
func member(object any, name string) (value any, has, isObject bool) {
	switch members := object.(type) {
	case map[string]any:
		value, has = members[name]
		return value, has, true
	case map[string]string:
		text, has := members[name]
		return text, has, true
	}
	return nil, false, false
}

// find is a shortcut. What is absent is null.
func (p *path) find(vars map[string]any) (ref.Val, bool) {
	value, _, ok := p.value(vars)
	if !ok {
		return nil, false
	}
	return plain(value)
}

// plain is a value that an expression has as it is.
func plain(value any) (ref.Val, bool) {
	switch v := value.(type) {
	case string:
		return types.String(v), true
	case int64:
		return types.Int(v), true
	case float64:
		return numbers{}.NativeToValue(v), true
	case bool:
		return types.Bool(v), true
	case nil:
		return types.NullValue, true
	}
	return nil, false
}
