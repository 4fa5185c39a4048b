package main

import "fmt"

// Units by Grafana's names.
const (
	count    = "short"
	seconds  = "s"
	ratio    = "percentunit"
	perHour  = "short"
	anything = "none"
)

// good, bad and so on are Grafana's colours.
const good, warning, bad = "green", "orange", "red"

// layout puts panels beside each other until a line of 24 columns is full.
type layout struct {
	panels      []*panel
	x, y, lineH int
}

func (l *layout) add(w, h int, p *panel) {
	if l.x+w > 24 {
		l.feed()
	}
	p.ID, p.GridPos = len(l.panels)+1, gridPos{X: l.x, Y: l.y, W: w, H: h}
	l.panels = append(l.panels, p)
	l.x, l.lineH = l.x+w, max(l.lineH, h)
}

// feed begins a new line.
func (l *layout) feed() { l.x, l.y, l.lineH = 0, l.y+l.lineH, 0 }

// row is a heading over what follows.
func (l *layout) row(title string) {
	l.feed()
	open := false
	l.add(24, 1, &panel{Type: "row", Title: title, Collapsed: &open, Panels: &[]*panel{}})
}

// limits are thresholds: good from the start, then the colours from these values on.
func limits(first string, then ...step) *thresholds {
	return &thresholds{Mode: "absolute", Steps: append([]step{{Color: first}}, then...)}
}

func from(value float64, color string) step { return step{Color: color, Value: &value} }

// stat is one number. What cannot be known says so.
func stat(title, description, expr, unit string, t *thresholds) *panel {
	return &panel{
		Type: "stat", Title: title, Description: description, Datasource: source,
		Targets: []target{{RefID: "A", Datasource: source, Expr: expr, Instant: true}},
		FieldConfig: &fieldConfig{Overrides: []fieldOverride{}, Defaults: fieldDefaults{
			Unit: unit, NoValue: "unknown", Thresholds: t, Color: map[string]any{"mode": "thresholds"},
		}},
		Options: map[string]any{
			"colorMode": "value", "graphMode": "none", "textMode": "auto", "justifyMode": "auto",
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		},
	}
}

// orNone counts series, and says 0 only while there are those that say so.
func orNone(series, known string) string {
	return "count(" + series + ") or 0 * count(" + known + ")"
}

// line is an expression and what its lines are called.
type line struct{ expr, legend string }

// graph shows lines over time. A gap is a time of which nothing is known, and is not bridged.
func graph(title, description, unit string, stacked bool, lines ...line) *panel {
	custom := map[string]any{
		"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false,
		"stacking": map[string]any{"mode": "none", "group": "A"},
	}
	if stacked {
		custom["fillOpacity"] = 40
		custom["stacking"] = map[string]any{"mode": "normal", "group": "A"}
	}
	zero := 0.0
	p := &panel{
		Type: "timeseries", Title: title, Description: description, Datasource: source,
		FieldConfig: &fieldConfig{Overrides: []fieldOverride{}, Defaults: fieldDefaults{
			Unit: unit, Min: &zero, Custom: custom, Color: map[string]any{"mode": "palette-classic"},
		}},
		Options: map[string]any{
			"legend":  map[string]any{"displayMode": "table", "placement": "right", "calcs": []string{"lastNotNull", "max"}, "showLegend": true},
			"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
		},
	}
	for i, l := range lines {
		p.Targets = append(p.Targets, target{RefID: letter(i), Datasource: source, Expr: l.expr, LegendFormat: l.legend, Range: true})
	}
	return p
}

func letter(i int) string { return string(rune('A' + i)) }

// column is a column of numbers of a table.
type column struct {
	title, expr, unit string
	limits            *thresholds
}

// table joins columns on their labels, the worst of the first column first.
func table(title, description string, hide []string, columns ...column) *panel {
	p := &panel{
		Type: "table", Title: title, Description: description, Datasource: source,
		FieldConfig: &fieldConfig{Overrides: []fieldOverride{}, Defaults: fieldDefaults{
			Custom: map[string]any{"align": "auto", "filterable": true}, NoValue: "",
		}},
		Options: map[string]any{"showHeader": true, "sortBy": []any{map[string]any{"displayName": columns[0].title, "desc": true}}},
	}
	excluded := map[string]any{"Time": true}
	for _, label := range hide {
		excluded[label] = true
	}
	renamed := map[string]any{}
	for i, c := range columns {
		p.Targets = append(p.Targets, target{RefID: letter(i), Datasource: source, Expr: c.expr, Instant: true, Format: "table"})
		value := "Value #" + letter(i)
		if len(columns) == 1 {
			value = "Value"
		}
		renamed[value] = c.title
		properties := []property{{ID: "unit", Value: c.unit}}
		if c.limits != nil {
			properties = append(properties, property{ID: "thresholds", Value: c.limits},
				property{ID: "custom.cellOptions", Value: map[string]any{"type": "color-text"}})
		}
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, fieldOverride{matcher{"byName", c.title}, properties})
	}
	p.Transformations = []transformation{
		{ID: "merge", Options: map[string]any{}},
		{ID: "organize", Options: map[string]any{"excludeByName": excluded, "renameByName": renamed, "indexByName": map[string]any{}}},
	}
	return p
}

// bars shows one bar for each label, the longest first.
func bars(title, description, expr, legend, unit string, t *thresholds) *panel {
	zero := 0.0
	return &panel{
		Type: "bargauge", Title: title, Description: description, Datasource: source,
		Targets: []target{{RefID: "A", Datasource: source, Expr: expr, LegendFormat: legend, Instant: true}},
		FieldConfig: &fieldConfig{Overrides: []fieldOverride{}, Defaults: fieldDefaults{
			Unit: unit, Min: &zero, NoValue: "unknown", Thresholds: t, Color: map[string]any{"mode": "thresholds"},
		}},
		Options: map[string]any{
			"orientation": "horizontal", "displayMode": "basic", "showUnfilled": true, "valueMode": "color",
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		},
	}
}

// heatmap shows how long things take, by the classic buckets.
func heatmap(title, description, expr string) *panel {
	return &panel{
		Type: "heatmap", Title: title, Description: description, Datasource: source,
		Targets:     []target{{RefID: "A", Datasource: source, Expr: expr, LegendFormat: "{{le}}", Range: true, Format: "heatmap"}},
		FieldConfig: &fieldConfig{Overrides: []fieldOverride{}, Defaults: fieldDefaults{Custom: map[string]any{"scaleDistribution": map[string]any{"type": "linear"}}}},
		Options: map[string]any{
			"calculate": false, "yAxis": map[string]any{"unit": seconds, "axisPlacement": "left"},
			"color":   map[string]any{"mode": "scheme", "scheme": "Oranges", "steps": 64},
			"tooltip": map[string]any{"mode": "single"}, "legend": map[string]any{"show": true},
		},
	}
}

const runbooks = "https://github.com/tanggap/tanggap/blob/main/docs/runbooks/"

// alerts lists what fires now; the name leads to the runbook.
func alerts() *panel {
	p := table("Alerts that fire", "Click a name for its runbook.", []string{"Value", "__name__", "alertstate", "job"}, column{
		title: "Firing", expr: `ALERTS{alertname=~"Tanggap.+",alertstate="firing",namespace=~"$namespace|"}`, unit: anything,
	})
	p.Options["sortBy"] = []any{map[string]any{"displayName": "severity", "desc": false}}
	p.FieldConfig.Defaults.NoValue = "none"
	p.Transformations[1].Options["excludeByName"] = map[string]any{"Time": true, "Value": true, "__name__": true, "alertstate": true, "job": true}
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, fieldOverride{matcher{"byName", "alertname"}, []property{
		{ID: "links", Value: []link{{Title: "Runbook", URL: runbooks + "${__value.text}.md", TargetBlank: true}}},
	}})
	return p
}

// make puts a dashboard together.
func newDashboard(uid, title, description, past string, panels []*panel, variables ...variable) *dashboard {
	return &dashboard{
		UID: uid, Title: title, Description: description, Tags: []string{"tanggap"}, SchemaVersion: 39, Version: 1, Editable: true,
		GraphTooltip: 1, Refresh: "30s", Timezone: "browser", Time: span{From: past, To: "now"},
		Links:       []link{{Title: "Tanggap", Type: "dashboards", Tags: []string{"tanggap"}, AsDropdown: false, IncludeVars: true, KeepTime: false}},
		Templating:  templating{List: append([]variable{{Name: "datasource", Label: "Prometheus", Type: "datasource", Query: "prometheus"}}, variables...)},
		Annotations: list{List: []any{}}, Panels: panels,
	}
}

// choice is a variable that lists the values of a label.
func choice(name, label, query string) variable {
	return variable{
		Name: name, Label: label, Type: "query", Datasource: source, Definition: query, Refresh: 2, Sort: 1, Multi: true, IncludeAll: true, AllValue: ".*",
		Query:   map[string]any{"query": query, "refId": fmt.Sprintf("variable-%s", name)},
		Current: map[string]any{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}},
	}
}
