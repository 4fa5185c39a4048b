package apply

import (
	"encoding/json"
	"testing"
)

func TestContains(t *testing.T) {
	for sentence, c := range map[string]struct {
		have, want string
		holds      bool
	}{
		"equal objects hold":                             {`{"a": {"b": 1}}`, `{"a": {"b": 1}}`, true},
		"what the API server has defaulted is no change": {`{"a": 1, "protocol": "TCP"}`, `{"a": 1}`, true},
		"a changed value is one":                         {`{"a": {"b": 2}}`, `{"a": {"b": 1}}`, false},
		"a removed value is one":                         {`{"a": {}}`, `{"a": {"b": 1}}`, false},
		"an empty value that is not stored is none":      {`{"spec": {}}`, `{"spec": {"egress": [], "text": "", "off": false, "none": 0, "labels": {}, "nothing": null}}`, true},
		"a value of another type is one":                 {`{"a": "1"}`, `{"a": 1}`, false},
		"an injected container is left alone": {
			`{"containers": [{"name": "mesh"}, {"name": "worker", "image": "x", "terminationMessagePath": "/dev/log"}]}`,
			`{"containers": [{"name": "worker", "image": "x"}]}`, true,
		},
		"a container that is gone is a change":   {`{"containers": [{"name": "mesh"}]}`, `{"containers": [{"name": "worker"}]}`, false},
		"another image in a container is one":    {`{"containers": [{"name": "worker", "image": "y"}]}`, `{"containers": [{"name": "worker", "image": "x"}]}`, false},
		"another owner is left alone":            {`{"ownerReferences": [{"uid": "a"}, {"uid": "b"}]}`, `{"ownerReferences": [{"uid": "b"}]}`, true},
		"a further port in a policy is a change": {`{"ports": [{"port": 1}, {"port": 2}]}`, `{"ports": [{"port": 1}]}`, false},
		"the order of arguments counts":          {`{"args": ["a", "b"]}`, `{"args": ["b", "a"]}`, false},
		"a list that became an object is one":    {`{"args": {}}`, `{"args": ["a"]}`, false},
		"an object that became a list is one":    {`{"a": []}`, `{"a": {"b": 1}}`, false},
		"a list of objects holds element by element": {
			`{"sources": [{"secret": {"name": "a", "optional": false}}]}`, `{"sources": [{"secret": {"name": "a"}}]}`, true,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			var have, want any
			for text, into := range map[string]*any{c.have: &have, c.want: &want} {
				if err := json.Unmarshal([]byte(text), into); err != nil {
					t.Fatal(err)
				}
			}
			if c.have == c.want {
				have = want
			}
			if got := contains(have, want, ""); got != c.holds {
				t.Errorf("contains is %v, want %v", got, c.holds)
			}
		})
	}
}
