package expr

import (
	"encoding/json"
	"math"
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// objects is a type provider that also knows the members of the variables declared with Fields, so
// that the checker refuses a member that does not exist.
type objects struct {
	*types.Registry
	fields map[string][]Variable
}

func newObjects() (*objects, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	return &objects{Registry: registry, fields: map[string][]Variable{}}, nil
}

// declare is the CEL type of the variable.
func (o *objects) declare(v Variable) *cel.Type {
	if v.Type != Map || len(v.Fields) == 0 {
		return v.Type.celType()
	}
	o.fields[v.Name] = v.Fields
	return cel.ObjectType(v.Name)
}

// FindStructType implements types.Provider.
func (o *objects) FindStructType(name string) (*types.Type, bool) {
	if _, ok := o.fields[name]; ok {
		return types.NewTypeTypeWithParam(cel.ObjectType(name)), true
	}
	return o.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (o *objects) FindStructFieldNames(name string) ([]string, bool) {
	fields, ok := o.fields[name]
	if !ok {
		return o.Registry.FindStructFieldNames(name)
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names, true
}

// FindStructFieldType implements types.Provider.
func (o *objects) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	fields, ok := o.fields[name]
	if !ok {
		return o.Registry.FindStructFieldType(name, field)
	}
	for _, f := range fields {
		if f.Name == field {
			return &types.FieldType{Type: f.Type.celType()}, true
		}
	}
	return nil, false
}

// NewValue implements types.Provider; an expression cannot make one of the declared objects.
func (o *objects) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := o.fields[name]; ok {
		return types.NewErr("%s cannot be constructed", name)
	}
	return o.Registry.NewValue(name, fields)
}

// largestExact is the largest whole number up to which a float64 holds every one.
const largestExact = 1 << 53

// numbers adapts native values to CEL. JSON does not tell 17 from 17.0: a number without a fraction
// is an int, whichever way it was decoded, so that `item.id + 1` and `string(item.id)` do what
// they say.
type numbers struct{ types.Adapter }

// NativeToValue implements types.Adapter.
func (n numbers) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= largestExact {
			return types.Int(v)
		}
		return types.Double(v)
	case json.Number:
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return types.Int(i)
		}
		f, err := v.Float64()
		if err != nil {
			return types.NewErr("number out of range")
		}
		return n.NativeToValue(f)
	case map[string]any:
		return types.NewStringInterfaceMap(n, v)
	case []any:
		return types.NewDynamicList(n, v)
	}
	return n.Adapter.NativeToValue(value)
}
