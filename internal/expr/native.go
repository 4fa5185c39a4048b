package expr

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Bounds of a result: lists that share their parts may be far larger than what they were made of.
const (
	maxElements     = 1_000_000
	maxNativeNested = 64
)

// toNative makes a native value of a CEL value; false when it is larger than the budget or has no
// native form.
func toNative(value ref.Val, budget *int, nested int) (any, bool) {
	if *budget--; *budget < 0 || nested > maxNativeNested {
		return nil, false
	}
	switch v := value.(type) {
	case types.Null:
		return nil, true
	case types.Bool:
		return bool(v), true
	case types.Int:
		return int64(v), true
	case types.Uint:
		return uint64(v), true
	case types.Double:
		return float64(v), true
	case types.String:
		return string(v), true
	case types.Bytes:
		return []byte(v), true
	case types.Timestamp:
		return v.Time.UTC(), true
	case types.Duration:
		return v.Duration, true
	case *types.Optional:
		if !v.HasValue() {
			return nil, true
		}
		return toNative(v.GetValue(), budget, nested)
	case traits.Lister:
		return nativeList(v, budget, nested)
	case traits.Mapper:
		return nativeMap(v, budget, nested)
	}
	return nil, false
}

func nativeList(list traits.Lister, budget *int, nested int) (any, bool) {
	native := []any{}
	for it := list.Iterator(); it.HasNext() == types.True; {
		element, ok := toNative(it.Next(), budget, nested+1)
		if !ok {
			return nil, false
		}
		native = append(native, element)
	}
	return native, true
}

func nativeMap(m traits.Mapper, budget *int, nested int) (any, bool) {
	native := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, false
		}
		value, ok := toNative(m.Get(key), budget, nested+1)
		if !ok {
			return nil, false
		}
		native[string(name)] = value
	}
	return native, true
}
