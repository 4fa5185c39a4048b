package taxonomy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tanggap/tanggap/internal/expr"
	"github.com/tanggap/tanggap/internal/field"
)

// Taxonomy is a compiled Spec; it never changes and may be used by any number of goroutines. A nil
// Taxonomy gives every complaint the default fallback.
type Taxonomy struct {
	categories []category
	priorities []priority
	fallback   Fallback
	keywords   *trie
	// expressions says that there are any.
	expressions bool
	// The source's own names, folded, and what they stand for.
	categoryOf   map[string]int
	departmentOf map[string]string
	priorityOf   map[string]string
}

type category struct {
	name, department, priority string
	match                      *expr.Program // nil if there is none
}

type priority struct {
	name  string
	match *expr.Program
}

// compiler gathers the faults of a specification, so that all are reported at once.
type compiler struct {
	taxonomy   *Taxonomy
	vocabulary *vocabulary
	trie       *trie
	env        *expr.Env // made when the first expression is met
	faults     []error
}

// Compile checks a specification and makes a Taxonomy of it. All faults are reported at once, as
// field.Error with paths such as `categories[2].keywords[0]`.
func Compile(spec Spec) (*Taxonomy, error) {
	v := newVocabulary()
	c := &compiler{
		vocabulary: v,
		trie:       newTrie(v),
		taxonomy: &Taxonomy{
			fallback:     spec.Fallback.OrDefault(),
			categoryOf:   map[string]int{},
			departmentOf: map[string]string{},
			priorityOf:   map[string]string{},
		},
	}
	c.fallback(spec.Fallback)
	c.departments(spec.Departments)
	c.categories(spec)
	c.priorities(spec)
	c.names(spec)
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	v.seal()
	c.taxonomy.keywords = c.trie
	return c.taxonomy, nil
}

// OrDefault is f with its empty members filled in.
func (f Fallback) OrDefault() Fallback {
	if f.Category == "" {
		f.Category = "uncategorized"
	}
	if f.Department == "" {
		f.Department = "unassigned"
	}
	if f.Priority == "" {
		f.Priority = "normal"
	}
	return f
}

func (c *compiler) fault(p field.Path, format string, args ...any) {
	c.faults = append(c.faults, field.Errorf(p, format, args...))
}

func (c *compiler) fallback(f Fallback) {
	c.optionalLabel("fallback.category", f.Category)
	c.optionalLabel("fallback.department", f.Department)
	c.optionalLabel("fallback.priority", f.Priority)
}

func (c *compiler) departments(departments []Department) {
	seen := map[string]struct{}{}
	values := sourceValues{}
	for i, d := range departments {
		path := field.Path("departments").Index(i)
		c.label(path.Child("name"), d.Name, seen)
		for j, value := range d.SourceValues {
			if folded, ok := c.sourceValue(path.Child("sourceValues").Index(j), value, d.Name, values); ok {
				c.taxonomy.departmentOf[folded] = d.Name
			}
		}
	}
}

func (c *compiler) categories(spec Spec) {
	if len(spec.Categories) == 0 {
		c.fault("categories", "must have at least one category")
	}
	departments := map[string]struct{}{}
	for _, d := range spec.Departments {
		departments[d.Name] = struct{}{}
	}
	seen := map[string]struct{}{}
	values := sourceValues{}
	for i, s := range spec.Categories {
		path := field.Path("categories").Index(i)
		c.label(path.Child("name"), s.Name, seen)
		if _, ok := departments[s.Department]; s.Department != "" && !ok {
			c.fault(path.Child("department"), "%q does not stand in departments", s.Department)
		}
		c.optionalLabel(path.Child("priority"), s.Priority)
		if len(s.Keywords) == 0 && s.Match == "" && len(s.SourceValues) == 0 {
			c.fault(path, "needs keywords, match or sourceValues, or nothing ever falls into it")
		}
		c.keywords(path, s.Keywords, ranks{i, none})
		for j, value := range s.SourceValues {
			if folded, ok := c.sourceValue(path.Child("sourceValues").Index(j), value, s.Name, values); ok {
				c.taxonomy.categoryOf[folded] = i
			}
		}
		fallback := c.taxonomy.fallback
		c.taxonomy.categories = append(c.taxonomy.categories, category{
			name:       s.Name,
			department: or(s.Department, fallback.Department),
			priority:   or(s.Priority, fallback.Priority),
			match:      c.expression(path.Child("match"), s.Match),
		})
	}
}

func (c *compiler) priorities(spec Spec) {
	seen := map[string]struct{}{}
	values := sourceValues{}
	for i, s := range spec.Priorities {
		path := field.Path("priorities").Index(i)
		c.label(path.Child("name"), s.Name, seen)
		if len(s.Keywords) == 0 && s.Match == "" && len(s.SourceValues) == 0 {
			c.fault(path, "needs keywords, match or sourceValues, or nothing ever gets it")
		}
		c.keywords(path, s.Keywords, ranks{none, i})
		for j, value := range s.SourceValues {
			if folded, ok := c.sourceValue(path.Child("sourceValues").Index(j), value, s.Name, values); ok {
				c.taxonomy.priorityOf[folded] = s.Name
			}
		}
		c.taxonomy.priorities = append(c.taxonomy.priorities, priority{name: s.Name, match: c.expression(path.Child("match"), s.Match)})
	}
}

// names lets a source use the label values themselves, where no source value says otherwise.
func (c *compiler) names(spec Spec) {
	t := c.taxonomy
	for i, s := range spec.Categories {
		if name := foldValue(s.Name); !has(t.categoryOf, name) {
			t.categoryOf[name] = i
		}
		setDefault(t.priorityOf, s.Priority)
	}
	for _, d := range spec.Departments {
		setDefault(t.departmentOf, d.Name)
	}
	for _, p := range spec.Priorities {
		setDefault(t.priorityOf, p.Name)
	}
	setDefault(t.departmentOf, t.fallback.Department)
	setDefault(t.priorityOf, t.fallback.Priority)
}

func setDefault(values map[string]string, name string) {
	if folded := foldValue(name); folded != "" && !has(values, folded) {
		values[folded] = name
	}
}

func has[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

func (c *compiler) keywords(path field.Path, keywords []string, r ranks) {
	for i, keyword := range keywords {
		at := path.Child("keywords").Index(i)
		ids, ok := c.vocabulary.keyword(keyword)
		switch {
		case !ok:
			c.fault(at, "has a word of more than %d letters", maxWord)
		case len(ids) == 0:
			c.fault(at, "has neither a letter nor a digit")
		case len(ids) > maxPhrase:
			c.fault(at, "has %d words, at most %d are allowed", len(ids), maxPhrase)
		default:
			c.trie.add(ids, r)
		}
	}
}

// sourceValues are the folded source values met so far and the name that each stands for.
type sourceValues map[string]string

func (c *compiler) sourceValue(at field.Path, value, name string, seen sourceValues) (string, bool) {
	folded := foldValue(value)
	if folded == "" {
		c.fault(at, "has neither a letter nor a digit")
		return "", false
	}
	if other, taken := seen[folded]; taken && other != name {
		c.fault(at, "%q already stands for %q", value, other)
		return "", false
	}
	seen[folded] = name
	return folded, true
}

func (c *compiler) expression(at field.Path, source string) *expr.Program {
	if source == "" {
		return nil
	}
	if c.env == nil {
		env, err := expr.NewEnv(expr.Variable{Name: "complaint", Type: expr.Map, Fields: []expr.Variable{
			{Name: "channel", Type: expr.String}, {Name: "text", Type: expr.String}, {Name: "attributes", Type: expr.Map},
		}})
		if err != nil {
			c.fault(at, "%v", err)
			return nil
		}
		c.env = env
		c.taxonomy.expressions = true
	}
	program, err := c.env.Compile(source, expr.Bool)
	if err != nil {
		c.fault(at, "%v", err)
		return nil
	}
	return program
}

func (c *compiler) label(at field.Path, name string, seen map[string]struct{}) {
	if fault := labelFault(name); fault != "" {
		c.fault(at, "%s", fault)
		return
	}
	if _, again := seen[name]; again {
		c.fault(at, "%q stands here a second time", name)
	}
	seen[name] = struct{}{}
}

func (c *compiler) optionalLabel(at field.Path, name string) {
	if name == "" {
		return
	}
	if fault := labelFault(name); fault != "" {
		c.fault(at, "%s", fault)
	}
}

const maxLabel = 63

// labelFault is what keeps a name from being a label value; "" if nothing does.
func labelFault(name string) string {
	switch {
	case name == "":
		return "must not be empty"
	case len(name) > maxLabel:
		return fmt.Sprintf("has %d characters, at most %d are allowed", len(name), maxLabel)
	case strings.HasPrefix(name, "-"), strings.HasSuffix(name, "-"), strings.ContainsFunc(name, notOfLabel):
		return "must have lower-case letters, digits and '-' only, and no '-' at either end, as it becomes a label value"
	}
	return ""
}

func notOfLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
