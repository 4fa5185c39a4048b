package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

const (
	// definitionsPatience is how long the API server may take to publish what was applied together with the
	// operator.
	definitionsPatience = 30
	definitionsRetry    = time.Second
	// maxNamed bounds how many fields an error names.
	maxNamed = 3
)

// CheckDefinitions is an error when the CustomResourceDefinitions in the cluster lack a field that this version
// reads or writes: the API server would drop it from specifications, and refuse every status that has it. An API
// server that does not tell is not held against it.
func CheckDefinitions(ctx context.Context, config *rest.Config, after func(time.Duration) <-chan time.Time, log logr.Logger) error {
	api, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("asking for the definitions: %w", err)
	}
	for attempt := 1; ; attempt++ {
		document, err := api.RESTClient().Get().AbsPath("/openapi/v3/apis", v1alpha1.GroupVersion.String()).Do(ctx).Raw()
		switch {
		case apierrors.IsNotFound(err):
			err = errors.New("the CustomResourceDefinitions are not installed: apply config/crd of this version first")
		case err != nil:
			log.Info("Could not look whether the CustomResourceDefinitions are of this version", "reason", err.Error())
			return nil
		default:
			err = compareDefinitions(document)
		}
		if err == nil || attempt == definitionsPatience {
			return err
		}
		select {
		case <-after(definitionsRetry):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// property is what of a schema says which fields there are.
type property struct {
	Properties           map[string]*property `json:"properties"`
	Items                *property            `json:"items"`
	AdditionalProperties *property            `json:"additionalProperties"`
	Kinds                []struct {
		Kind string `json:"kind"`
	} `json:"x-kubernetes-group-version-kind"`
}

// compareDefinitions is an error that names the fields which an OpenAPI document of the group lacks.
func compareDefinitions(document []byte) error {
	var published struct {
		Components struct {
			Schemas map[string]*property `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(document, &published); err != nil {
		return fmt.Errorf("reading the definitions: %w", err)
	}
	kinds := map[string]*property{}
	for _, schema := range published.Components.Schemas {
		for _, k := range schema.Kinds {
			kinds[k.Kind] = schema
		}
	}
	needed := map[string]any{
		"ComplaintChannel": v1alpha1.ComplaintChannel{}, "ResponseSLA": v1alpha1.ResponseSLA{}, "WorkCalendar": v1alpha1.WorkCalendar{},
		"ComplaintTaxonomy": v1alpha1.ComplaintTaxonomy{}, "ComplaintLedger": v1alpha1.ComplaintLedger{},
	}
	var lacks []string
	for _, kind := range slices.Sorted(maps.Keys(needed)) {
		for _, path := range missing(kinds[kind], reflect.TypeOf(needed[kind]), "") {
			lacks = append(lacks, strings.TrimSuffix(kind+path, "."))
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	named := strings.Join(lacks[:min(len(lacks), maxNamed)], ", ")
	if more := len(lacks) - maxNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("the CustomResourceDefinitions are older than this operator and lack %s: apply config/crd of this version first", named)
}

// missing are the paths of a type's fields that a schema does not have.
func missing(schema *property, of reflect.Type, path string) []string {
	if schema == nil {
		return []string{path}
	}
	switch of.Kind() {
	case reflect.Pointer:
		return missing(schema, of.Elem(), path)
	case reflect.Slice:
		return missing(schema.Items, of.Elem(), path+"[]")
	case reflect.Map:
		return missing(schema.AdditionalProperties, of.Elem(), path+"[]")
	case reflect.Struct:
	default:
		return nil
	}
	if reflect.PointerTo(of).Implements(reflect.TypeFor[json.Marshaler]()) {
		return nil // a time, a duration or a quantity, which is a string
	}
	var lacks []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch name {
		case "", "metadata": // the API server's own
		default:
			lacks = append(lacks, missing(schema.Properties[name], field.Type, path+"."+name)...)
		}
	}
	return lacks
}
