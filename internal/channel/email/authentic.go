package email

import (
	"strings"
)

// authentic reports whether the city's own mail server found that a message really is from the domain of its
// sender. Anybody can write anything into From, and into a header that looks like the server's: only the
// topmost field of the server's name counts, as servers put theirs on top and are to remove what pretends to
// be theirs (RFC 8601 section 5).
func (l *letter) authentic(server, sender string) bool {
	_, domain, _ := strings.Cut(sender, "@")
	if server == "" || domain == "" {
		return false
	}
	for fields := l.header.FieldsByKey("Authentication-Results"); fields.Next(); {
		statements := statements(fields.Value())
		words := strings.Fields(statements[0])
		if len(words) == 0 || !strings.EqualFold(words[0], server) {
			continue
		}
		for _, s := range statements[1:] {
			if passes(s, domain) {
				return true
			}
		}
		return false
	}
	return false
}

// passes reports whether a statement says that DMARC passed for the domain, or that the domain, or one above
// it, signed with DKIM.
func passes(statement, domain string) bool {
	words := strings.Fields(statement)
	if len(words) == 0 {
		return false
	}
	properties := map[string]string{}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		properties[strings.ToLower(name)] = strings.ToLower(value)
	}
	method, result, _ := strings.Cut(words[0], "=")
	method, _, _ = strings.Cut(method, "/") // its version
	if !strings.EqualFold(result, "pass") {
		return false
	}
	switch strings.ToLower(method) {
	case "dmarc":
		from, stated := properties["header.from"]
		return !stated || from == domain
	case "dkim":
		signer := properties["header.d"]
		if signer == "" {
			_, signer, _ = strings.Cut(properties["header.i"], "@")
		}
		return signer != "" && within(domain, signer)
	}
	return false
}

// within reports whether a domain is another or below it.
func within(domain, other string) bool {
	return domain == other || strings.HasSuffix(domain, "."+other)
}

// statements are the parts of an Authentication-Results field between its semicolons, the first of which names
// the server. Comments are left out and quoted texts kept as one word without their quotes: both may hold
// what a sender chose, semicolons included, and must not be able to pass for a statement.
func statements(value string) []string {
	var parts []string
	var part strings.Builder
	add := func(r rune) { part.WriteRune(r) }
	comment, quoted, escaped := 0, false, false
	for _, r := range value {
		switch {
		case escaped:
			escaped = false
			if quoted {
				add('_')
			}
		case r == '\\' && (quoted || comment > 0):
			escaped = true
		case quoted:
			switch r {
			case '"':
				quoted = false
			case ' ', '\t', '=', ';':
				add('_') // whatever it is, it is no statement
			default:
				add(r)
			}
		case r == '(':
			comment++
		case r == ')' && comment > 0:
			if comment--; comment == 0 {
				add(' ')
			}
		case comment > 0:
		case r == '"':
			quoted = true
		case r == ';':
			parts = append(parts, part.String())
			part.Reset()
		default:
			add(r)
		}
	}
	return append(parts, part.String())
}
