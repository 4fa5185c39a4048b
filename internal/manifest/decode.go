package manifest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/internal/field"
)

// decoder fills Go values from YAML as strictly as the API server does from JSON: a member that the
// type does not have and a scalar of another kind are faults.
type decoder struct {
	faults *faults
}

// decode fills the value that into points to.
func (d *decoder) decode(n *yaml.Node, into any) {
	d.value(resolve(n), reflect.ValueOf(into).Elem(), "")
}

func (d *decoder) fault(n *yaml.Node, path field.Path, format string, args ...any) {
	if path != "" {
		format = strings.ReplaceAll(string(path), "%", "%%") + ": " + format
	}
	d.faults.add(n.Line, n.Column, format, args...)
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path field.Path) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return // as the API server: null is not there
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if _, own := reflect.TypeAssert[json.Unmarshaler](v.Addr()); own {
		d.unmarshal(n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.slice(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path field.Path) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, path, "must be a mapping, not %s", describe(n))
		return
	}
	known := fieldsOf(v.Type())
	for _, m := range members(n) {
		index, ok := known.index[m.key.Value]
		if !ok {
			d.fault(m.key, path.Child(m.key.Value), "there is no such field; the fields are %s", strings.Join(known.names, ", "))
			continue
		}
		d.value(m.value, v.FieldByIndex(index), path.Child(m.key.Value))
	}
}

// structFields are the members of a type by their JSON names.
type structFields struct {
	names []string
	index map[string][]int
}

func fieldsOf(t reflect.Type) structFields {
	fields := structFields{index: map[string][]int{}}
	for _, f := range reflect.VisibleFields(t) {
		tag, tagged := f.Tag.Lookup("json")
		name, _, _ := strings.Cut(tag, ",")
		if !tagged || name == "" || name == "-" || !f.IsExported() {
			continue // embedded types are visited by their members
		}
		fields.names = append(fields.names, name)
		fields.index[name] = f.Index
	}
	return fields
}

func (d *decoder) slice(n *yaml.Node, v reflect.Value, path field.Path) {
	if n.Kind != yaml.SequenceNode {
		d.fault(n, path, "must be a list, not %s", describe(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		d.value(resolve(element), v.Index(i), path.Index(i))
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path field.Path) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, path, "must be a mapping, not %s", describe(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, m := range members(n) {
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(m.value, value, path.Child(m.key.Value))
		v.SetMapIndex(reflect.ValueOf(m.key.Value).Convert(v.Type().Key()), value)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path field.Path) {
	wrong := func(want string) { d.fault(n, path, "must be %s, not %s", want, describe(n)) }
	switch v.Kind() {
	case reflect.String:
		if n.Kind == yaml.ScalarNode && !isText(n) {
			d.fault(n, path, "must be text, not %s; put it in quotes: %s", describeOld(n), quoted(n))
			return
		}
		if n.Kind != yaml.ScalarNode {
			wrong("text")
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		var b bool
		if n.Kind != yaml.ScalarNode || n.Decode(&b) != nil {
			wrong("true or false")
			return
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&i) != nil || v.OverflowInt(i) {
			wrong("a whole number")
			return
		}
		v.SetInt(i)
	default:
		d.fault(n, path, "cannot be read here")
	}
}

// isText reports whether the API server would see a string. YAML 1.1, which it reads, takes a plain yes,
// no, on or off for true or false.
func isText(n *yaml.Node) bool {
	switch n.ShortTag() {
	case "!!str":
		return n.Style != 0 || !oldBoolean(n.Value)
	case "!!timestamp":
		return true
	}
	return false
}

func oldBoolean(value string) bool {
	return slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(value))
}

func describeOld(n *yaml.Node) string {
	if n.ShortTag() == "!!str" {
		return "true or false"
	}
	return describe(n)
}

// unmarshal fills a value that reads its own JSON: a duration, a time, a quantity, or what the API
// server keeps in metadata.
func (d *decoder) unmarshal(n *yaml.Node, v reflect.Value, path field.Path) {
	want := "valid"
	switch v.Interface().(type) {
	case metav1.Duration:
		want = "a duration such as 15m or 8h"
	case metav1.Time:
		want = "a time such as 2026-01-01T00:00:00+07:00"
	case resource.Quantity:
		want = "a quantity such as 10Gi"
	}
	encoded, err := asJSON(n)
	if err == nil {
		err = json.Unmarshal(encoded, v.Addr().Interface())
	}
	if err != nil {
		d.fault(n, path, "must be %s", want)
	}
}

func asJSON(n *yaml.Node) ([]byte, error) {
	if n.Kind == yaml.ScalarNode && isText(n) {
		return json.Marshal(n.Value)
	}
	var value any
	if err := n.Decode(&value); err != nil {
		return nil, fmt.Errorf("reading a value: %w", err)
	}
	return json.Marshal(value)
}
