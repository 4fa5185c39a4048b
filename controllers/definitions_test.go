package controllers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// publish is the part of the OpenAPI document that an API server makes of the shipped definitions, with the changes.
func publish(t *testing.T, replacer *strings.Replacer) []byte {
	t.Helper()
	files, err := filepath.Glob("../config/crd/bases/*.yaml")
	if err != nil || len(files) != 5 {
		t.Fatalf("there are %d definitions, %v", len(files), err)
	}
	schemas := map[string]any{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var definition struct {
			Spec struct {
				Names    struct{ Kind string }
				Versions []struct {
					Schema struct{ OpenAPIV3Schema map[string]any }
				}
			}
		}
		if err := yaml.Unmarshal([]byte(replacer.Replace(string(content))), &definition); err != nil {
			t.Fatal(err)
		}
		schema := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
		kind := definition.Spec.Names.Kind
		schema["x-kubernetes-group-version-kind"] = []any{map[string]any{"group": "tanggap.dev", "version": "v1alpha1", "kind": kind}}
		schemas["dev.tanggap.v1alpha1."+kind] = schema
	}
	document, err := json.Marshal(map[string]any{"components": map[string]any{"schemas": schemas}})
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestOlderDefinitionsAreRefused(t *testing.T) {
	for sentence, c := range map[string]struct {
		replace []string
		want    string
	}{
		"those of this version are taken":   {nil, ""},
		"a field that is more says nothing": {[]string{"                  suspend:", "                  addedLater: {type: string}\n                  suspend:"}, ""},
		"a field of a specification":        {[]string{"pauseWhile:", "pausedWhile:"}, "lack ResponseSLA.spec.rules[].clocks[].pauseWhile: apply config/crd"},
		"a field of a status":               {[]string{"policyRevision:", "revision:"}, "lack ComplaintLedger.status.policyRevision: apply"},
		"a kind":                            {[]string{"kind: WorkCalendar", "kind: Calendar"}, "lack WorkCalendar: apply"},
		"many fields":                       {[]string{"keywords:", "words:", "displayName:", "title:"}, "and 1 more"},
	} {
		t.Run(sentence, func(t *testing.T) {
			err := compareDefinitions(publish(t, strings.NewReplacer(c.replace...)))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("the error is %v; want %q", err, c.want)
			}
		})
	}
}
