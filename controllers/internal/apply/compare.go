package apply

// mergeKey is the key by which the API server merges the elements of a list of that name. An element
// that somebody else added, such as an injected container, is left alone; every other list belongs to
// the operator as a whole.
func mergeKey(list string) string {
	switch list {
	case "containers", "initContainers", "volumes", "env":
		return "name"
	case "volumeMounts":
		return "mountPath"
	case "ownerReferences":
		return "uid"
	}
	return ""
}

// contains says whether have has everything that want has. name is the member that holds both.
func contains(have, want any, name string) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		return ok && containsMembers(have, want)
	case []any:
		have, ok := have.([]any)
		if !ok {
			return len(want) == 0
		}
		if key := mergeKey(name); key != "" {
			return containsElements(have, want, key)
		}
		return sameElements(have, want)
	default:
		return have == want
	}
}

func containsMembers(have, want map[string]any) bool {
	for name, value := range want {
		found, ok := have[name]
		if !ok && !isEmpty(value) || ok && !contains(found, value, name) {
			return false
		}
	}
	return true
}

// isEmpty says that a value is one that the API server leaves out when it stores the object.
func isEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case bool:
		return !value
	case string:
		return value == ""
	case float64:
		return value == 0
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return false
}

func containsElements(have, want []any, key string) bool {
	byKey := make(map[any]any, len(have))
	for _, element := range have {
		if member, ok := element.(map[string]any); ok {
			byKey[member[key]] = element
		}
	}
	for _, element := range want {
		member, ok := element.(map[string]any)
		if !ok {
			return false
		}
		found, ok := byKey[member[key]]
		if !ok || !contains(found, element, "") {
			return false
		}
	}
	return true
}

func sameElements(have, want []any) bool {
	if len(have) != len(want) {
		return false
	}
	for i := range want {
		if !contains(have[i], want[i], "") {
			return false
		}
	}
	return true
}
