// Package expr compiles and evaluates the CEL expressions of the specifications. What an expression
// may do, what it may cost and what its errors say is decided here once, so that no channel and no
// rule can be made to spend unbounded time or to print what a citizen wrote. It is pure.
package expr

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	celenv "cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// Kind is the kind of a variable or of an expression's result.
type Kind int

// The kinds. A Map has string keys. Any is checked at evaluation only, as a JSON document is.
const (
	Any Kind = iota
	Bool
	Int
	Double
	String
	Bytes
	Timestamp
	Duration
	List
	Map
)

// String is the kind as the error texts name it.
func (k Kind) String() string {
	switch k {
	case Bool:
		return "bool"
	case Int:
		return "int"
	case Double:
		return "double"
	case String:
		return "string"
	case Bytes:
		return "bytes"
	case Timestamp:
		return "timestamp"
	case Duration:
		return "duration"
	case List:
		return "list"
	case Map:
		return "map"
	case Any:
	}
	return "any"
}

func (k Kind) celType() *cel.Type {
	switch k {
	case Bool:
		return cel.BoolType
	case Int:
		return cel.IntType
	case Double:
		return cel.DoubleType
	case String:
		return cel.StringType
	case Bytes:
		return cel.BytesType
	case Timestamp:
		return cel.TimestampType
	case Duration:
		return cel.DurationType
	case List:
		return cel.ListType(cel.DynType)
	case Map:
		return cel.MapType(cel.StringType, cel.DynType)
	case Any:
	}
	return cel.DynType
}

// Variable is what an expression may refer to.
type Variable struct {
	Name string
	Type Kind
	// Fields, of a Map, are its members: an expression that names another is refused when it is
	// compiled. The value must have every one of them. Without Fields any member may be asked for.
	Fields []Variable
}

// Limits of an expression. MaxSourceBytes is far above what a person writes and keeps compilation
// within milliseconds; costLimit is what one evaluation may cost in CEL's units, of which a microsecond
// buys about one.
const (
	MaxSourceBytes = 8 << 10
	maxNodes       = 20_000
	maxDepth       = 100
	costLimit      = 1_000_000
	regexLimit     = 5_000
)

// Env is a set of variables and functions that expressions are compiled against. It is safe for
// concurrent use.
type Env struct {
	cel   *cel.Env
	names []string
}

// NewEnv makes an environment of the variables, CEL's standard library, its extensions for strings,
// optional values, lists, sets, math, base64 and regular expressions, and the functions of this
// package. An error is a mistake of the program, not of a specification.
func NewEnv(vars ...Variable) (*Env, error) {
	objects, err := newObjects()
	if err != nil {
		return nil, err
	}
	plus, err := addition()
	if err != nil {
		return nil, err
	}
	options := []cel.EnvOption{
		cel.CustomTypeProvider(objects),
		cel.CustomTypeAdapter(numbers{objects}),
		cel.StdLib(cel.StdLibSubset(celenv.NewLibrarySubset().AddExcludedFunctions(celenv.NewFunction(operators.Add)))),
		plus,
		cel.OptionalTypes(),
		ext.Strings(),
		ext.Lists(ext.ListsMaxRangeSize(10_000)),
		ext.Sets(),
		ext.Math(),
		ext.Encoders(ext.EncodersVersion(0)),
		ext.Regex(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxSourceBytes),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(regexLimit),
	}
	options = append(options, ownFunctions()...)
	names := make([]string, 0, len(vars))
	for _, v := range vars {
		options = append(options, cel.Variable(v.Name, objects.declare(v)))
		names = append(names, v.Name)
	}
	env, err := cel.NewCustomEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("declaring the variables of an expression: %w", err)
	}
	if env, err = bounded(env); err != nil {
		return nil, fmt.Errorf("bounding the functions of an expression: %w", err)
	}
	slices.Sort(names)
	return &Env{cel: env, names: names}, nil
}

// Compile checks the source and makes it a program whose result is of the kind wanted. The error is
// a *CompileError. Hostile sources cost bounded time and never panic.
func (e *Env) Compile(source string, want Kind) (program *Program, err error) {
	defer func() {
		if recover() != nil {
			program, err = nil, &CompileError{Line: 1, Column: 1, Message: "this expression cannot be compiled"}
		}
	}()
	switch {
	case len(source) > MaxSourceBytes:
		return nil, &CompileError{Line: 1, Column: 1, Message: fmt.Sprintf(
			"the expression has %d bytes, at most %d are allowed", len(source), MaxSourceBytes)}
	case !utf8.ValidString(source):
		return nil, &CompileError{Line: 1, Column: 1, Message: "the expression must be UTF-8"}
	}
	ast, issues := e.cel.Compile(source)
	if issues.Err() != nil {
		return nil, e.explain(source, issues)
	}
	if !convertible(ast.OutputType(), want) {
		return nil, &CompileError{Line: 1, Column: 1, Message: fmt.Sprintf(
			"the expression gives %s, but %s is expected", article(typeName(ast.OutputType())), article(want.String()))}
	}
	compiled, err := e.cel.Program(ast,
		cel.EvalOptions(cel.OptOptimize),
		cel.CostLimit(costLimit),
		cel.CostTracking(costs{}),
	)
	if err != nil {
		return nil, planError(err)
	}
	return &Program{source: source, want: want, cel: compiled, ast: ast, shortcut: shortcutOf(ast.NativeRep().Expr())}, nil
}

// convertible reports whether a result of the type can become the kind wanted when evaluated.
func convertible(t *cel.Type, want Kind) bool {
	if t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type" && len(t.Parameters()) == 1 {
		t = t.Parameters()[0]
	}
	switch t.Kind() {
	case types.DynKind, types.TypeParamKind, types.AnyKind:
		return true
	}
	switch want {
	case Any:
		return true
	case String:
		// Numbers have one obvious text: identifiers are often numbers in JSON.
		return slices.Contains([]types.Kind{types.StringKind, types.IntKind, types.UintKind, types.DoubleKind}, t.Kind())
	case List:
		return t.Kind() == types.ListKind
	case Map:
		return t.Kind() == types.MapKind || t.Kind() == types.StructKind
	case Bool, Int, Double, Bytes, Timestamp, Duration:
	}
	return want.celType().Kind() == t.Kind()
}
