package golden

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// Unset are the paths of what has its zero value, and so may be left out of a JSON form. A member of the elements of
// a slice or a map is set if it is in any of them.
func Unset(document any) []string { return unset(reflect.ValueOf(document), "") }

func unset(v reflect.Value, path string) (paths []string) {
	if special, is := reflect.TypeAssert[time.Time](v); is {
		if special.IsZero() {
			return []string{path}
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range reflect.VisibleFields(v.Type()) {
			if field.IsExported() && !field.Anonymous {
				paths = append(paths, unset(v.FieldByIndex(field.Index), path+"."+field.Name)...)
			}
		}
		return paths
	case reflect.Slice:
		var elements []reflect.Value
		for _, element := range v.Seq2() {
			elements = append(elements, element)
		}
		return unsetInAll(elements, path)
	case reflect.Map:
		var elements []reflect.Value
		for _, element := range v.Seq2() {
			elements = append(elements, element)
		}
		return unsetInAll(elements, path)
	case reflect.Pointer:
		if v.IsNil() {
			return []string{path}
		}
		if v.Elem().Kind() != reflect.Struct {
			return nil
		}
		return unset(v.Elem(), path)
	default:
		if v.IsZero() && v.Kind() != reflect.Uint8 {
			return []string{path}
		}
		return nil
	}
}

// unsetInAll are the paths that are unset in every one of some values, and what holds none is unset itself.
func unsetInAll(values []reflect.Value, path string) []string {
	if len(values) == 0 {
		return []string{path}
	}
	missing := unset(values[0], path)
	within := func(all []string, path string) bool {
		return slices.ContainsFunc(all, func(above string) bool { return path == above || strings.HasPrefix(path, above+".") })
	}
	for _, value := range values[1:] {
		also := unset(value, path)
		// What is missing on one side lies within something that is missing on the other.
		missing = append(
			slices.DeleteFunc(slices.Clone(missing), func(p string) bool { return !within(also, p) }),
			slices.DeleteFunc(slices.Clone(also), func(p string) bool { return slices.Contains(missing, p) || !within(missing, p) })...)
	}
	return missing
}
