package secrets

import (
	"reflect"
	"strings"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/field"
)

// Reference is a key of a Secret that a specification names, and where it does.
type Reference struct {
	Path field.Path
	v1alpha1.SecretKeyReference
}

// References finds every SecretKeyReference in a specification, in the order of its fields. It walks
// the structure, so that a new type of source need not be entered anywhere.
func References(path field.Path, specification any) []Reference {
	return walk(path, reflect.ValueOf(specification), nil)
}

func walk(path field.Path, v reflect.Value, found []Reference) []Reference {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			found = walk(path, v.Elem(), found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			found = walk(path.Index(i), v.Index(i), found)
		}
	case reflect.Struct:
		if reference, ok := reflect.TypeAssert[v1alpha1.SecretKeyReference](v); ok {
			return append(found, Reference{Path: path, SecretKeyReference: reference})
		}
		for member, value := range v.Fields() {
			if !member.IsExported() {
				continue
			}
			at := path
			if name, _, _ := strings.Cut(member.Tag.Get("json"), ","); name != "" {
				at = path.Child(name)
			}
			found = walk(at, value, found)
		}
	}
	return found
}

// Names are the names of the Secrets of the references, each once, in their order.
func Names(references []Reference) []string {
	var names []string
	seen := map[string]bool{}
	for _, reference := range references {
		if !seen[reference.Name] {
			seen[reference.Name] = true
			names = append(names, reference.Name)
		}
	}
	return names
}
