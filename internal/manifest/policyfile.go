package manifest

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/field"
	"github.com/tanggap/tanggap/internal/policy"
)

// PolicyFile is the custom resources of a file, as they are applied. What else there is in the file,
// such as a Namespace, is passed over.
type PolicyFile struct {
	// Document has the channels of the file, and its SLAs, calendars and taxonomies. It is not sealed.
	Document policy.Document

	file    string
	source  []string // its lines
	places  map[objectName]place
	ignored []string
}

// place is where an object stands.
type place struct{ object, spec *yaml.Node }

// ReadPolicy reads a file of YAML documents; name stands in the errors, which hold a FileError for each thing
// that is wrong, with its line and column.
func ReadPolicy(name string, r io.Reader) (*PolicyFile, error) {
	p := &PolicyFile{file: name, places: map[objectName]place{}}
	p.Document.Channels = map[string]policy.Channel{}
	reader := &policyReader{file: p, faults: faults{file: name}}
	text, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	p.source = strings.Split(string(text), "\n")
	for _, root := range readDocuments(text, &reader.faults) {
		reader.document(root)
	}
	if err := reader.faults.err(); err != nil {
		return nil, err
	}
	return p, nil
}

type policyReader struct {
	file   *PolicyFile
	faults faults
}

const apiVersion = "tanggap.dev/v1alpha1"

// document takes over one object, or those of a List.
func (r *policyReader) document(root *yaml.Node) {
	root = resolve(root)
	if root.Kind != yaml.MappingNode {
		r.faults.add(root.Line, root.Column, "must be a Kubernetes object with apiVersion, kind, metadata and spec, not %s", describe(root))
		return
	}
	version, kind := text(child(root, "apiVersion")), text(child(root, "kind"))
	switch {
	case version == "" || kind == "":
		r.faults.add(root.Line, root.Column, "must be a Kubernetes object with apiVersion and kind")
	case version == "v1" && kind == "List":
		if items := child(root, "items"); items != nil && items.Kind == yaml.SequenceNode {
			for _, item := range items.Content {
				r.document(item)
			}
		}
	case version == apiVersion:
		r.object(root, kind)
	case strings.HasPrefix(version, "tanggap.dev/"), slices.Contains(kinds(), kind):
		at := child(root, "apiVersion")
		r.faults.add(at.Line, at.Column, "apiVersion: must be %s for a %s", apiVersion, kind)
	default:
		r.file.ignored = append(r.file.ignored, kind)
	}
}

func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

func kinds() []string {
	return []string{"ComplaintChannel", "ComplaintLedger", "ComplaintTaxonomy", "ResponseSLA", "WorkCalendar"}
}

// object takes over one of the project's own.
func (r *policyReader) object(root *yaml.Node, kind string) {
	d := &decoder{faults: &r.faults}
	before := len(r.faults.all)
	var take func(name string) error
	switch kind {
	case "ResponseSLA":
		var object v1alpha1.ResponseSLA
		d.decode(root, &object)
		take = func(name string) error { return put(&r.file.Document.SLAs, name, &object, SLA) }
	case "WorkCalendar":
		var object v1alpha1.WorkCalendar
		d.decode(root, &object)
		take = func(name string) error { return put(&r.file.Document.Calendars, name, &object, Calendar) }
	case "ComplaintTaxonomy":
		var object v1alpha1.ComplaintTaxonomy
		d.decode(root, &object)
		take = func(name string) error { return put(&r.file.Document.Taxonomies, name, &object, Taxonomy) }
	case "ComplaintChannel":
		var object v1alpha1.ComplaintChannel
		d.decode(root, &object)
		take = func(name string) error { r.file.Document.Channels[name] = Channel(&object, ""); return nil }
	case "ComplaintLedger":
		var object v1alpha1.ComplaintLedger
		d.decode(root, &object)
		take = func(string) error { return nil }
	default:
		at := child(root, "kind")
		r.faults.add(at.Line, at.Column, "kind: %s has no kind %q; the kinds are %s", apiVersion, kind, strings.Join(kinds(), ", "))
		return
	}
	if len(r.faults.all) > before {
		return
	}
	name := r.name(root, kind)
	if name == "" {
		return
	}
	if err := take(name); err != nil {
		r.faults.add(root.Line, root.Column, "%v", err)
	}
}

func put[O, S any](into *map[string]S, name string, object *O, convert func(*O) (S, error)) error {
	spec, err := convert(object)
	if err != nil {
		return err
	}
	if *into == nil {
		*into = map[string]S{}
	}
	(*into)[name] = spec
	return nil
}

// name is the object's, or "" with a fault if it has none or another of its kind has the same.
func (r *policyReader) name(root *yaml.Node, kind string) string {
	at := locate(root, "metadata.name")
	name := text(child(child(root, "metadata"), "name"))
	if name == "" {
		r.faults.add(at.Line, at.Column, "metadata.name: must not be empty")
		return ""
	}
	spec := child(root, "spec")
	if spec == nil {
		if kind != "ComplaintLedger" {
			r.faults.add(root.Line, root.Column, "spec: must be there")
			return ""
		}
		spec = root
	}
	key := objectName{kind, name}
	if first, again := r.file.places[key]; again {
		r.faults.add(at.Line, at.Column, "metadata.name: the file has the %s %q already, in line %d", kind, name, first.object.Line)
		return ""
	}
	r.file.places[key] = place{root, spec}
	return name
}

// Compile makes a Policy of the document, which is the file's own or one derived from it: entries of the
// same names are the same. The errors hold a FileError for each thing that is wrong.
func (p *PolicyFile) Compile(document policy.Document) (*policy.Policy, error) {
	compiled, err := policy.Compile(document)
	if err == nil {
		return compiled, nil
	}
	f := faults{file: p.file}
	for _, e := range field.All(err) {
		line, column, path, message := p.position(e)
		if path != "" {
			message = string(path) + ": " + message
		}
		f.add(line, column, "%s", message)
	}
	return nil, cmp.Or(f.err(), err)
}

// position is the place of a fault of the compiled document, with its path as the file has it.
func (p *PolicyFile) position(e *field.Error) (line, column int, below field.Path, message string) {
	part, named, _ := strings.Cut(string(e.Path), ".")
	kind := map[string]string{
		"slas": "ResponseSLA", "calendars": "WorkCalendar", "taxonomies": "ComplaintTaxonomy", "channels": "ComplaintChannel",
	}[part]
	at, rest, ok := p.object(kind, named)
	if !ok {
		return 1, 1, e.Path, e.Message
	}
	if kind == "ComplaintChannel" {
		switch rest {
		case "sla", "calendar", "taxonomy":
			rest += "Ref.name"
		}
	}
	line, column, message = pinpoint(p.source, locate(at.spec, field.Path(rest)), e.Message)
	return line, column, field.Path(strings.TrimSuffix("spec."+rest, ".")), message
}

// object is where the object stands whose name the path begins with, and the rest of the path. A name may
// have dots, and one name begin with another.
func (p *PolicyFile) object(kind, path string) (at place, rest string, ok bool) {
	name := ""
	for key, found := range p.places {
		if key.kind == kind && len(key.name) > len(name) && strings.HasPrefix(path+".", key.name+".") {
			name, at, ok = key.name, found, true
		}
	}
	return at, strings.TrimPrefix(path[len(name):], "."), ok
}

// Refuse is an error at the file's beginning.
func (p *PolicyFile) Refuse(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if len(p.ignored) > 0 {
		slices.Sort(p.ignored)
		message += fmt.Sprintf(" (passed over: %s)", strings.Join(slices.Compact(p.ignored), ", "))
	}
	return &FileError{File: p.file, Line: 1, Column: 1, Message: message}
}

// ForChannels is the document that events of the channels are judged by. Where the file declares
// channels, each must be among them. Where it declares none, all are under its one SLA and taxonomy.
func (p *PolicyFile) ForChannels(names []string) (policy.Document, error) {
	document := p.Document
	if len(document.Channels) > 0 {
		for _, name := range names {
			if _, ok := document.Channels[name]; !ok {
				return document, p.Refuse("there are events of the channel %q, and no ComplaintChannel of this name among %s",
					name, strings.Join(slices.Sorted(maps.Keys(document.Channels)), ", "))
			}
		}
		return document, nil
	}
	if len(document.SLAs) == 0 {
		return document, p.Refuse("there is no ResponseSLA in this file")
	}
	slas, taxonomies := slices.Sorted(maps.Keys(document.SLAs)), slices.Sorted(maps.Keys(document.Taxonomies))
	if len(slas) > 1 {
		return document, p.Refuse("there are several ResponseSLAs (%s); add the ComplaintChannel whose slaRef says which one is for %s",
			strings.Join(slas, ", "), strings.Join(names, ", "))
	}
	if len(taxonomies) > 1 {
		return document, p.Refuse("there are several ComplaintTaxonomies (%s); add the ComplaintChannel whose taxonomyRef says which one is for %s",
			strings.Join(taxonomies, ", "), strings.Join(names, ", "))
	}
	channel := policy.Channel{Official: true, SLA: slas[0]}
	if len(taxonomies) == 1 {
		channel.Taxonomy = taxonomies[0]
	}
	document.Channels = make(map[string]policy.Channel, len(names))
	for _, name := range names {
		document.Channels[name] = channel
	}
	return document, nil
}
