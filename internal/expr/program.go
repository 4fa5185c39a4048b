package expr

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	source string
	want   Kind
	cel    cel.Program
	ast    *cel.Ast
	// shortcut is nil for an expression that always has to be evaluated.
	shortcut shortcut
}

// Source is the expression as it was written.
func (p *Program) Source() string { return p.source }

// Kind is the kind of result that the program was compiled for.
func (p *Program) Kind() Kind { return p.want }

// eval runs the program. The values of vars are Go values as encoding/json makes them, and
// time.Time, time.Duration, []byte, []string and map[string]string.
func (p *Program) eval(vars map[string]any) (ref.Val, error) {
	if p.shortcut != nil {
		if value, ok := p.shortcut(vars); ok {
			return value, nil
		}
	}
	value, _, err := p.cel.Eval(vars)
	if err != nil {
		return nil, p.evalError(err)
	}
	if optional, ok := value.(*types.Optional); ok {
		if !optional.HasValue() {
			return types.NullValue, nil
		}
		value = optional.GetValue()
	}
	return value, nil
}

// Bool evaluates to true or false. Anything else, null included, is an *EvalError.
func (p *Program) Bool(vars map[string]any) (bool, error) {
	value, err := p.eval(vars)
	if err != nil {
		return false, err
	}
	b, ok := value.(types.Bool)
	if !ok {
		return false, p.wrongKind(value, Bool)
	}
	return bool(b), nil
}

// String evaluates to a string. Null and an absent optional are ""; a number is its decimal digits.
func (p *Program) String(vars map[string]any) (string, error) {
	value, err := p.eval(vars)
	if err != nil {
		return "", err
	}
	switch v := value.(type) {
	case types.String:
		return string(v), nil
	case types.Null:
		return "", nil
	case types.Double:
		return formatDouble(float64(v)), nil
	case types.Int, types.Uint:
		if s, ok := v.ConvertToType(types.StringType).(types.String); ok {
			return string(s), nil
		}
	}
	return "", p.wrongKind(value, String)
}

// Int evaluates to a whole number.
func (p *Program) Int(vars map[string]any) (int64, error) {
	value, err := p.eval(vars)
	if err != nil {
		return 0, err
	}
	if i, ok := value.(types.Int); ok {
		return int64(i), nil
	}
	return 0, p.wrongKind(value, Int)
}

// Double evaluates to a number, whole or not.
func (p *Program) Double(vars map[string]any) (float64, error) {
	value, err := p.eval(vars)
	if err != nil {
		return 0, err
	}
	switch v := value.(type) {
	case types.Double:
		return float64(v), nil
	case types.Int:
		return float64(v), nil
	case types.Uint:
		return float64(v), nil
	}
	return 0, p.wrongKind(value, Double)
}

// Time evaluates to an instant, in UTC. Null is an *EvalError: a time has no empty value.
func (p *Program) Time(vars map[string]any) (time.Time, error) {
	value, err := p.eval(vars)
	if err != nil {
		return time.Time{}, err
	}
	if t, ok := value.(types.Timestamp); ok {
		return t.Time.UTC(), nil
	}
	return time.Time{}, p.wrongKind(value, Timestamp)
}

// List evaluates to a list of native values (see Any). Null and an absent optional are an empty list.
func (p *Program) List(vars map[string]any) ([]any, error) {
	value, err := p.Any(vars)
	if err != nil || value == nil {
		return nil, err
	}
	if list, ok := value.([]any); ok {
		return list, nil
	}
	return nil, p.fault(0, "the result is not a list")
}

// Map evaluates to a map of native values (see Any). Null and an absent optional are an empty map.
func (p *Program) Map(vars map[string]any) (map[string]any, error) {
	value, err := p.Any(vars)
	if err != nil || value == nil {
		return nil, err
	}
	if m, ok := value.(map[string]any); ok {
		return m, nil
	}
	return nil, p.fault(0, "the result is not a map")
}

// Any evaluates to a native value: nil, bool, int64, uint64, float64, string, []byte, time.Time,
// time.Duration, []any or map[string]any, and these within. Null and an absent optional are nil.
func (p *Program) Any(vars map[string]any) (any, error) {
	value, err := p.eval(vars)
	if err != nil {
		return nil, err
	}
	budget := maxElements
	native, ok := toNative(value, &budget, 0)
	if !ok {
		return nil, p.fault(0, "the result is too large or is not plain data")
	}
	return native, nil
}
