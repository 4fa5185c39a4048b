package email

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// What mail programs, in English and Indonesian, write above what they quote.
var (
	// attribution is "On …, somebody wrote:".
	attribution = regexp.MustCompile(`(?i)^\s*(on|pada|am|dari)\s.{4,300}(wrote|menulis|tulis|schrieb)\s*:\s*$`)
	// original is "-----Original Message-----", which is followed by what is quoted.
	original = regexp.MustCompile(`(?i)^\s*-{2,}\s*(original message|original appointment|pesan asli|pesan semula)\s*-{2,}\s*$`)
	// fromField and otherField begin the lines of a header that is repeated above a quotation.
	fromField  = regexp.MustCompile(`(?i)^\s*\*?(from|dari)\s*:\*?\s*\S`)
	otherField = regexp.MustCompile(`(?i)^\s*\*?(sent|date|to|subject|dikirim|terkirim|tanggal|kepada|ke|perihal|subjek|hal)\s*:\*?`)
)

const (
	// headerLines is how many lines of a repeated header are looked at.
	headerLines = 4
	// maxAttribution is how many lines an attribution takes at most.
	maxAttribution = 3
)

// unquoted is a text without the history that it quotes and without its signature. One that would be left
// with nothing is kept as it is.
func unquoted(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	text = strings.ReplaceAll(text, "\u00a0", " ")
	lines := strings.Split(text, "\n")
	var kept []string
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if line == "-- " || original.MatchString(line) || repeatedHeader(lines[i:]) {
			break
		}
		if strings.HasPrefix(line, ">") {
			continue
		}
		if n := attributed(lines[i:]); n > 0 {
			if !quotedNext(lines[i+n:]) {
				break // what follows is quoted without a sign, or nothing
			}
			i += n - 1
			continue
		}
		kept = append(kept, strings.TrimRight(line, " \t"))
	}
	if stripped := tidy(kept); stripped != "" {
		return stripped
	}
	return tidy(lines)
}

// attributed is how many lines "On …, somebody wrote:" takes, which programs wrap as they like; 0 for none.
func attributed(lines []string) int {
	var joined strings.Builder
	for i, line := range lines[:min(len(lines), maxAttribution)] {
		if strings.TrimSpace(line) == "" {
			return 0
		}
		joined.WriteString(" " + strings.TrimSpace(line))
		if attribution.MatchString(joined.String()) {
			return i + 1
		}
	}
	return 0
}

// quotedNext reports whether the next line that is not empty is marked as quoted: then an answer may stand
// below or between.
func quotedNext(lines []string) bool {
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			return strings.HasPrefix(line, ">")
		}
	}
	return false
}

// repeatedHeader reports whether the lines begin with the header of another message, as Outlook writes it.
func repeatedHeader(lines []string) bool {
	if !fromField.MatchString(lines[0]) {
		return false
	}
	others := 0
	for _, line := range lines[1:min(len(lines), headerLines+1)] {
		if otherField.MatchString(line) {
			others++
		}
	}
	return others >= 2
}

// tidy joins lines, with one empty line at most between two that are not, and no rule at the end.
func tidy(lines []string) string {
	var b strings.Builder
	empty := false
	for _, line := range lines {
		if strings.Trim(line, " \t_*=-") == "" {
			empty = true
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
			if empty {
				b.WriteByte('\n')
			}
		}
		empty = false
		b.WriteString(line)
	}
	return strings.TrimSpace(b.String())
}

// shown is what a page of HTML shows, without what it quotes if something else is left.
func shown(page string) string {
	if text := strings.TrimSpace(render(page, true)); text != "" {
		return text
	}
	return render(page, false)
}

// spaces are shown as one.
var spaces = regexp.MustCompile(` {2,}`)

// render walks over the tags of a page; it builds no tree, so that no page can make it deep.
func render(page string, skipQuotes bool) string {
	r := renderer{skipQuotes: skipQuotes}
	tokens := html.NewTokenizer(strings.NewReader(page))
	for {
		switch tokens.Next() {
		case html.ErrorToken: // the end
			return spaces.ReplaceAllString(r.text.String(), " ")
		case html.TextToken:
			r.say(string(tokens.Text()))
		case html.StartTagToken:
			token := tokens.Token()
			r.open(&token)
		case html.EndTagToken:
			token := tokens.Token()
			r.close(token.DataAtom)
		case html.SelfClosingTagToken:
			token := tokens.Token()
			r.line(token.DataAtom)
		default: // comments and the like show nothing
		}
	}
}

// renderer turns tags into lines.
type renderer struct {
	skipQuotes bool
	text       strings.Builder
	// skipping is the element that is passed over, of which depth have been opened.
	skipping atom.Atom
	depth    int
}

// open takes in a tag that opens.
func (r *renderer) open(token *html.Token) {
	switch {
	case r.skipping != 0:
		if token.DataAtom == r.skipping {
			r.depth++
		}
		return
	case r.hidden(token):
		r.skipping, r.depth = token.DataAtom, 1
		return
	}
	r.line(token.DataAtom)
}

// hidden reports whether an element is not shown, or quotes.
func (r *renderer) hidden(token *html.Token) bool {
	switch token.DataAtom {
	case atom.Script, atom.Style, atom.Head, atom.Title, atom.Template, atom.Noscript:
		return true
	case atom.Blockquote:
		return r.skipQuotes
	case atom.Div:
		for _, a := range token.Attr {
			if a.Key == "class" && strings.Contains(a.Val, "gmail_quote") {
				return r.skipQuotes
			}
		}
		return false
	default:
		return false
	}
}

// close takes in a tag that closes.
func (r *renderer) close(name atom.Atom) {
	if r.skipping == 0 {
		r.line(name)
		return
	}
	if name == r.skipping {
		if r.depth--; r.depth == 0 {
			r.skipping = 0
		}
	}
}

// line begins a new line where an element does.
func (r *renderer) line(name atom.Atom) {
	if r.skipping != 0 {
		return
	}
	switch name {
	case atom.Br, atom.P, atom.Div, atom.Tr, atom.Li, atom.Ul, atom.Ol, atom.Table, atom.Hr, atom.Blockquote, atom.Pre,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Section, atom.Article, atom.Header, atom.Footer:
		r.text.WriteByte('\n')
	case atom.Td, atom.Th:
		r.text.WriteByte(' ')
	default: // goes on within its line
	}
}

// say adds text, of which HTML shows no more than one space at a time.
func (r *renderer) say(text string) {
	if r.skipping != 0 {
		return
	}
	words := strings.Join(strings.Fields(text), " ")
	if words == "" {
		if text != "" {
			r.text.WriteByte(' ')
		}
		return
	}
	if strings.TrimLeft(text, " \t\r\n") != text {
		r.text.WriteByte(' ')
	}
	r.text.WriteString(words)
	if strings.TrimRight(text, " \t\r\n") != text {
		r.text.WriteByte(' ')
	}
}
