package expr

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/stdlib"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// CEL charges for what a call has done, and so notices too late a call whose result is far larger
// than its arguments, or that compares everything with everything. Such calls are refused beforehand.
const (
	maxResultBytes  = 4 << 20
	maxListElements = 100_000
	// maxCompared is the bytes that a call may compare, of which a second is enough for about as many.
	maxCompared = 1_000_000_000
)

const (
	errLongText = fault("the expression makes a text that is too long")
	errLongList = fault("the expression makes a list that is too long")
	errCompared = fault("the expression compares lists that are too long")
)

// growth estimates the bytes of the result of a call, by the name of its function.
func growth() map[string]func(args []ref.Val) int {
	return map[string]func(args []ref.Val) int{
		"replace":       replaceSize,
		"join":          joinSize,
		"format":        formatSize,
		"regex.replace": regexReplaceSize,
	}
}

// comparison estimates the bytes that a call compares, by the name of its function: each element of its first
// list with those of its last.
func comparison() map[string]func(args []ref.Val) int {
	return map[string]func(args []ref.Val) int{
		"distinct":        pairSize,
		"sets.contains":   pairSize,
		"sets.equivalent": pairSize,
		"sets.intersects": pairSize,
	}
}

// bounded adds to the environment the guards of growth and comparison.
func bounded(env *cel.Env) (*cel.Env, error) {
	guards := map[string]guard{}
	for name, size := range growth() {
		guards[name] = guard{size, maxResultBytes, errLongText}
	}
	for name, size := range comparison() {
		guards[name] = guard{size, maxCompared, errCompared}
	}
	var options []cel.EnvOption
	for name, g := range guards {
		function, ok := env.Functions()[name]
		if !ok {
			return nil, fmt.Errorf("the function %s does not exist", name)
		}
		bindings, err := function.Bindings()
		if err != nil {
			return nil, fmt.Errorf("reading the function %s: %w", name, err)
		}
		operations := make(map[string]functions.FunctionOp, len(bindings))
		for _, b := range bindings {
			operations[b.Operator] = operation(b)
		}
		for _, o := range function.OverloadDecls() {
			declare := cel.Overload
			if o.IsMemberFunction() {
				declare = cel.MemberOverload
			}
			options = append(options, cel.Function(name,
				declare(o.ID(), o.ArgTypes(), o.ResultType(), g.before(operations[o.ID()], len(o.ArgTypes())))))
		}
	}
	return env.Extend(options...)
}

// operation is the implementation of an overload, whatever its number of arguments.
func operation(o *functions.Overload) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		switch {
		case len(args) == 1 && o.Unary != nil:
			return o.Unary(args[0])
		case len(args) == 2 && o.Binary != nil:
			return o.Binary(args[0], args[1])
		}
		return o.Function(args...)
	}
}

// guard refuses calls whose size is over the limit.
type guard struct {
	size  func([]ref.Val) int
	limit int
	over  fault
}

// before is the operation behind the guard.
func (g guard) before(operation functions.FunctionOp, arguments int) decls.OverloadOpt {
	checked := func(args ...ref.Val) ref.Val {
		if g.size(args) > g.limit {
			return types.WrapErr(g.over)
		}
		return operation(args...)
	}
	switch arguments {
	case 1:
		return cel.UnaryBinding(func(arg ref.Val) ref.Val { return checked(arg) })
	case 2:
		return cel.BinaryBinding(func(a, b ref.Val) ref.Val { return checked(a, b) })
	}
	return cel.FunctionBinding(checked)
}

func replaceSize(args []ref.Val) int {
	text, old, replacement := asString(args[0]), asString(args[1]), asString(args[2])
	return len(text) + strings.Count(text, old)*len(replacement)
}

// regexReplaceSize takes an empty match at every character for granted. Matches do not overlap, so all
// texts of one group together are no longer than the whole.
func regexReplaceSize(args []ref.Val) int {
	text, replacement := asString(args[0]), asString(args[2])
	groups := strings.Count(replacement, `\`)
	return len(text)*(1+groups) + (1+utf8.RuneCountInString(text))*len(replacement)
}

func pairSize(args []ref.Val) int {
	first, ok := args[0].(traits.Lister)
	if !ok {
		return 0
	}
	return length(first) * textSize(args[len(args)-1], 1, 0)
}

func joinSize(args []ref.Val) int {
	separator := 0
	if len(args) > 1 {
		separator = len(asString(args[1]))
	}
	return textSize(args[0], separator, 0)
}

func formatSize(args []ref.Val) int { return len(asString(args[0])) + textSize(args[1], 8, 0) }

// textSize is about what the text of the value takes, up to a little over maxResultBytes.
func textSize(value ref.Val, separator, nested int) int {
	switch v := value.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	case traits.Mapper, traits.Lister:
		if nested > maxNativeNested {
			return maxResultBytes + 1
		}
		total := 0
		for it := v.(traits.Iterable).Iterator(); it.HasNext() == types.True && total <= maxResultBytes; {
			element := it.Next()
			total += separator + textSize(element, separator, nested+1)
			if m, ok := v.(traits.Mapper); ok {
				total += textSize(m.Get(element), separator, nested+1)
			}
		}
		return total
	}
	return 32
}

func asString(v ref.Val) string {
	s, _ := v.(types.String)
	return string(s)
}

// addition is CEL's operator + with a bound on the lists and texts that it makes: doubling one by
// itself is the cheapest way to exhaust memory.
func addition() (cel.EnvOption, error) {
	for _, function := range stdlib.Functions() {
		if function.Name() != operators.Add {
			continue
		}
		options := []cel.FunctionOpt{cel.SingletonBinaryBinding(add, traits.AdderType)}
		for _, o := range function.OverloadDecls() {
			options = append(options, cel.Overload(o.ID(), o.ArgTypes(), o.ResultType()))
		}
		return cel.Function(operators.Add, options...), nil
	}
	return nil, fmt.Errorf("the operator + does not exist")
}

func add(lhs, rhs ref.Val) ref.Val {
	switch left := lhs.(type) {
	case types.String:
		if right, ok := rhs.(types.String); ok && len(left)+len(right) > maxResultBytes {
			return types.WrapErr(errLongText)
		}
	case types.Bytes:
		if right, ok := rhs.(types.Bytes); ok && len(left)+len(right) > maxResultBytes {
			return types.WrapErr(errLongText)
		}
	case traits.Lister:
		if right, ok := rhs.(traits.Lister); ok && length(left)+length(right) > maxListElements {
			return types.WrapErr(errLongList)
		}
	}
	return lhs.(traits.Adder).Add(rhs)
}

func length(list traits.Lister) int {
	n, _ := list.Size().(types.Int)
	return int(n)
}

// costs charges for what CEL takes for free: the long texts and bytes that conversions make, the
// comparison of lists and maps, and the reading of times.
type costs struct{}

// CallCost implements cost.ActualCostEstimator.
func (costs) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	size := 0
	switch function {
	case "parseTime", "formatTime":
		size = 200
	case operators.Equals, operators.NotEquals, operators.In, operators.OldIn:
		for _, arg := range args {
			switch arg.(type) {
			case traits.Lister, traits.Mapper:
				size += textSize(arg, 1, 0)
			}
		}
	default:
		switch v := result.(type) {
		case types.String:
			size = len(v)
		case types.Bytes:
			size = len(v)
		}
	}
	if size < 100 {
		return nil
	}
	cost := uint64(size) / 10
	return &cost
}
