package localnode

import (
	"sort"
	"strings"
)

// expandVariables replaces $(NAME) by the value that lookup knows, as Kubernetes does in env, command
// and args: $$ is a literal dollar sign, and a reference to an unknown name stays as it is.
func expandVariables(text string, lookup func(name string) (string, bool)) string {
	var expanded strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 == len(text) {
			expanded.WriteByte(text[i])
			continue
		}
		switch text[i+1] {
		case '$':
			expanded.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(text[i:], ')')
			if end < 0 {
				expanded.WriteString("$(")
				i++
				continue
			}
			if value, known := lookup(text[i+2 : i+end]); known {
				expanded.WriteString(value)
			} else {
				expanded.WriteString(text[i : i+end+1])
			}
			i += end
		default:
			expanded.WriteByte('$')
		}
	}
	return expanded.String()
}

// mount says that what a container finds at path lies at folder on this machine.
type mount struct{ path, folder string }

// pathTranslator replaces mount paths by the folders that hold the volumes.
type pathTranslator []mount

// newPathTranslator orders the mounts so that the longest path wins.
func newPathTranslator(mounts []mount) pathTranslator {
	translator := make(pathTranslator, 0, len(mounts))
	for _, m := range mounts {
		if path := strings.TrimRight(m.path, "/"); path != "" {
			translator = append(translator, mount{path: path, folder: m.folder})
		}
	}
	sort.SliceStable(translator, func(i, j int) bool { return len(translator[i].path) > len(translator[j].path) })
	return translator
}

// translate replaces each mount path that stands as a whole path or as the beginning of one. What was
// put in is not looked at again.
func (t pathTranslator) translate(text string) string {
	var translated strings.Builder
	for i := 0; i < len(text); {
		m, found := t.at(text, i)
		if !found {
			translated.WriteByte(text[i])
			i++
			continue
		}
		translated.WriteString(m.folder)
		i += len(m.path)
	}
	return translated.String()
}

func (t pathTranslator) at(text string, start int) (mount, bool) {
	if text[start] != '/' || !startsPath(text, start) {
		return mount{}, false
	}
	for _, m := range t {
		rest, found := strings.CutPrefix(text[start:], m.path)
		if found && (rest == "" || rest[0] == '/' || !isNameByte(rest[0])) {
			return m, true
		}
	}
	return mount{}, false
}

// startsPath says whether the slash at start begins an absolute path: it follows nothing, a character
// that cannot belong to a path, or the "//" of a URL without a host, as in file:///data/x.
func startsPath(text string, start int) bool {
	if start == 0 || strings.HasSuffix(text[:start], "://") {
		return true
	}
	before := text[start-1]
	return before != '/' && !isNameByte(before)
}

func isNameByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '.' || b == '-' || b == '_' || b == '~' || b >= 0x80
}
