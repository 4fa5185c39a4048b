package expr

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// shortcut works an expression out without evaluating it: what only looks something up, compares it with a
// constant, or joins such comparisons. Most expressions of a mapping are such, and this is many times cheaper
// than evaluating. It is false for whatever is not a plain value in plain objects: that is evaluated, and so are
// all errors.
type shortcut func(vars map[string]any) (ref.Val, bool)

// shortcutOf is nil for an expression that does more.
func shortcutOf(e ast.Expr) shortcut {
	if p := pathOf(e); p != nil {
		return p.find
	}
	return operandOf(e)
}

// operandOf is a shortcut within another expression, where an optional value is not yet what it holds.
func operandOf(e ast.Expr) shortcut {
	switch e.Kind() {
	case ast.LiteralKind:
		switch value := e.AsLiteral().(type) {
		case types.String, types.Int, types.Bool, types.Null:
			return func(map[string]any) (ref.Val, bool) { return value, true }
		}
		return nil
	case ast.SelectKind:
		if e.AsSelect().IsTestOnly() {
			return present(e.AsSelect())
		}
	case ast.CallKind:
		if called := shortcutOfCall(e.AsCall()); called != nil {
			return called
		}
	default: // it may be a path
	}
	if p := pathOf(e); p != nil && !p.optional() {
		return p.find
	}
	return nil
}

func shortcutOfCall(call ast.CallExpr) shortcut {
	args := call.Args()
	switch {
	case call.IsMemberFunction() && call.FunctionName() == "orValue" && len(args) == 1:
		return orValue(pathOf(call.Target()), operandOf(args[0]))
	case call.IsMemberFunction():
		return nil
	case call.FunctionName() == operators.LogicalNot && len(args) == 1:
		return not(operandOf(args[0]))
	case len(args) != 2:
		return nil
	}
	switch call.FunctionName() {
	case operators.Equals:
		return equal(operandOf(args[0]), operandOf(args[1]))
	case operators.NotEquals:
		return not(equal(operandOf(args[0]), operandOf(args[1])))
	case operators.LogicalAnd:
		return joined(operandOf(args[0]), operandOf(args[1]), types.False)
	case operators.LogicalOr:
		return joined(operandOf(args[0]), operandOf(args[1]), types.True)
	case operators.In:
		return among(operandOf(args[0]), args[1])
	}
	return nil
}

// present is has(a.b).
func present(selected ast.SelectExpr) shortcut {
	p := pathOf(selected.Operand())
	if p == nil {
		return nil
	}
	return func(vars map[string]any) (ref.Val, bool) {
		value, there, ok := p.value(vars)
		_, has, isObject := member(value, selected.FieldName())
		return types.Bool(has), ok && there && isObject
	}
}

// orValue is item.?a.orValue(b).
func orValue(p *path, otherwise shortcut) shortcut {
	if p == nil || otherwise == nil || !p.optional() {
		return nil
	}
	return func(vars map[string]any) (ref.Val, bool) {
		value, there, ok := p.value(vars)
		switch {
		case !ok:
			return nil, false
		case there:
			return plain(value)
		}
		return otherwise(vars)
	}
}

// equal is a == b.
func equal(a, b shortcut) shortcut {
	if a == nil || b == nil {
		return nil
	}
	return func(vars map[string]any) (ref.Val, bool) {
		left, ok := a(vars)
		if !ok {
			return nil, false
		}
		right, ok := b(vars)
		if !ok {
			return nil, false
		}
		return types.Equal(left, right), true
	}
}

// not is !a.
func not(a shortcut) shortcut {
	if a == nil {
		return nil
	}
	return func(vars map[string]any) (ref.Val, bool) {
		value, ok := a(vars)
		is, isBool := value.(types.Bool)
		return !is, ok && isBool
	}
}

// joined is a && b, or a || b: decisive is what one of them needs to be for the other not to matter.
func joined(a, b shortcut, decisive types.Bool) shortcut {
	if a == nil || b == nil {
		return nil
	}
	return func(vars map[string]any) (ref.Val, bool) {
		left, ok := a(vars)
		if _, isBool := left.(types.Bool); !ok || !isBool {
			return nil, false
		}
		if left == decisive {
			return left, true
		}
		right, ok := b(vars)
		_, isBool := right.(types.Bool)
		return right, ok && isBool
	}
}

// among is a in ["x", "y"].
func among(a shortcut, list ast.Expr) shortcut {
	if a == nil || list.Kind() != ast.ListKind || len(list.AsList().OptionalIndices()) > 0 {
		return nil
	}
	var values []ref.Val
	for _, element := range list.AsList().Elements() {
		if element.Kind() != ast.LiteralKind {
			return nil
		}
		values = append(values, element.AsLiteral())
	}
	return func(vars map[string]any) (ref.Val, bool) {
		value, ok := a(vars)
		if !ok {
			return nil, false
		}
		for _, one := range values {
			if types.Equal(value, one) == types.True {
				return types.True, true
			}
		}
		return types.False, true
	}
}
