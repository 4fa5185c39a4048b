package localnode

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	corelisters "k8s.io/client-go/listers/core/v1"
)

// objects reads the Secrets and ConfigMaps that Pods use, from the node's cache.
type objects struct {
	secrets    corelisters.SecretLister
	configMaps corelisters.ConfigMapLister
}

// secret returns the data of a Secret; nil when it is missing and may be.
func (o objects) secret(namespace, name string, optional *bool) (map[string][]byte, error) {
	secret, err := o.secrets.Secrets(namespace).Get(name)
	if err != nil {
		if apierrors.IsNotFound(err) && isTrue(optional) {
			return nil, nil
		}
		return nil, fmt.Errorf("reading Secret %q: %w", name, err)
	}
	return secret.Data, nil
}

// configMap returns the data of a ConfigMap, text and binary; nil when it is missing and may be.
func (o objects) configMap(namespace, name string, optional *bool) (map[string][]byte, error) {
	configMap, err := o.configMaps.ConfigMaps(namespace).Get(name)
	if err != nil {
		if apierrors.IsNotFound(err) && isTrue(optional) {
			return nil, nil
		}
		return nil, fmt.Errorf("reading ConfigMap %q: %w", name, err)
	}
	data := make(map[string][]byte, len(configMap.Data)+len(configMap.BinaryData))
	for key, value := range configMap.Data {
		data[key] = []byte(value)
	}
	maps.Copy(data, configMap.BinaryData)
	return data, nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// variables is an environment in the order of its definition. A later definition of a name replaces
// the earlier one.
type variables struct {
	names  []string
	values map[string]string
}

func (v *variables) set(name, value string) {
	if v.values == nil {
		v.values = map[string]string{}
	}
	if _, known := v.values[name]; !known {
		v.names = append(v.names, name)
	}
	v.values[name] = value
}

func (v *variables) lookup(name string) (string, bool) {
	value, known := v.values[name]
	return value, known
}

// list renders the environment for a process; translate rewrites each value.
func (v *variables) list(translate func(string) string) []string {
	list := make([]string, 0, len(v.names))
	for _, name := range v.names {
		list = append(list, name+"="+translate(v.values[name]))
	}
	return list
}

// containerVariables resolves envFrom and env of a container.
func containerVariables(o objects, facts podFacts, container *corev1.Container) (*variables, error) {
	vars := &variables{}
	for _, source := range container.EnvFrom {
		if err := addAll(vars, o, facts.pod.Namespace, source); err != nil {
			return nil, err
		}
	}
	for _, definition := range container.Env {
		value, defined, err := variable(o, facts, container, definition, vars)
		if err != nil {
			return nil, fmt.Errorf("environment variable %s: %w", definition.Name, err)
		}
		if defined {
			vars.set(definition.Name, value)
		}
	}
	return vars, nil
}

func addAll(vars *variables, o objects, namespace string, source corev1.EnvFromSource) error {
	var data map[string][]byte
	var err error
	switch {
	case source.ConfigMapRef != nil:
		data, err = o.configMap(namespace, source.ConfigMapRef.Name, source.ConfigMapRef.Optional)
	case source.SecretRef != nil:
		data, err = o.secret(namespace, source.SecretRef.Name, source.SecretRef.Optional)
	}
	if err != nil {
		return err
	}
	keys := make([]string, 0, len(data))
	for key := range data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if name := source.Prefix + key; len(validation.IsEnvVarName(name)) == 0 {
			vars.set(name, string(data[key]))
		}
	}
	return nil
}

// variable resolves one definition; it is not defined when its optional source is missing.
func variable(o objects, facts podFacts, container *corev1.Container, definition corev1.EnvVar, vars *variables) (value string, defined bool, err error) {
	from := definition.ValueFrom
	switch {
	case from == nil:
		return expandVariables(definition.Value, vars.lookup), true, nil
	case from.FieldRef != nil:
		value, err = facts.field(from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err = resourceField(facts.pod.Spec.Containers, container.Name, from.ResourceFieldRef)
		return value, true, err
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		data, err := o.secret(facts.pod.Namespace, ref.Name, ref.Optional)
		return keyOf(data, err, "Secret", ref.Name, ref.Key, isTrue(ref.Optional))
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		data, err := o.configMap(facts.pod.Namespace, ref.Name, ref.Optional)
		return keyOf(data, err, "ConfigMap", ref.Name, ref.Key, isTrue(ref.Optional))
	}
	return "", false, fmt.Errorf("the local node does not know this source")
}

func keyOf(data map[string][]byte, err error, kind, name, key string, optional bool) (string, bool, error) {
	if err != nil {
		return "", false, err
	}
	value, found := data[key]
	if !found && !optional {
		return "", false, fmt.Errorf("%s %q has no key %q", kind, name, key)
	}
	return string(value), found, nil
}
