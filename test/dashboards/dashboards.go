// Package dashboards reads the shipped Grafana dashboards, so that tests can hold each query of each panel
// to what there is.
package dashboards

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Dashboard is what the tests need to know of one.
type Dashboard struct {
	UID           string
	Title         string
	SchemaVersion int
	Templating    struct {
		List []Variable
	}
	Panels []Panel
}

// Variable is something that the reader chooses.
type Variable struct {
	Name, Type, AllValue, Definition string
}

// Panel is one panel.
type Panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	Datasource               *Datasource
	Targets                  []Target
	FieldConfig              struct {
		Defaults  Field
		Overrides []struct {
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
}

// Datasource is where the data come from.
type Datasource struct{ Type, UID string }

// Target is one query.
type Target struct {
	RefID      string
	Datasource *Datasource
	Expr       string
	Instant    bool
	Range      bool
}

// Field is how values are shown.
type Field struct {
	Unit       string
	Thresholds *struct {
		Mode  string
		Steps []struct {
			Color string
			Value *float64
		}
	}
}

// Load reads all dashboards of the repository at root.
func Load(root string) ([]Dashboard, error) {
	paths, err := filepath.Glob(filepath.Join(root, "config", "grafana", "dashboards", "*.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("there are no dashboards in %s", root)
	}
	var all []Dashboard
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var d Dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// Query is the target's expression as Grafana sends it when everything is chosen and the time shown is as
// long as window, such as 10m.
func (t Target) Query(window string) string {
	return strings.NewReplacer(
		"$__range", window, "$__rate_interval", "1m", "$namespace", ".*", "$channel", ".*", "$department", ".*",
	).Replace(t.Expr)
}
