package rest

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/channel/mapping"
)

// page is an answer that was understood.
type page struct {
	mapping.Result
	// next is the page after it; last says that there is none.
	next position
	last bool
}

// first is the position of a window's first page.
func (p *plan) first() position {
	if p.pagination.Type != v1alpha1.PaginationPage {
		return position{}
	}
	if p.pagination.First != nil {
		return position{Number: int64(*p.pagination.First)}
	}
	return position{Number: 1}
}

// understand reads the answer to the request for the page at the position.
func (p *plan) understand(answer *fetch.Response, at position) (page, error) {
	if len(answer.Body) == 0 && answer.Status == http.StatusNoContent {
		return page{last: true}, nil
	}
	document, err := mapping.Decode(answer.Body)
	if err != nil {
		return page{}, invalid("the answer is " + err.Error() + hint(answer.Header))
	}
	result, err := p.mapping.Apply(document)
	if err != nil {
		return page{}, invalid(err.Error())
	}
	read := page{Result: result}
	read.next, read.last, err = p.following(answer, document, at, result.Items)
	return read, err
}

// hint says what the answer claims to be, where that explains why it is not JSON.
func hint(header http.Header) string {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err == nil && kind == "text/html" {
		return ": it is a web page, perhaps of a login or an error; check url and auth"
	}
	return ""
}

// following is the position after the page, or true at the end.
func (p *plan) following(answer *fetch.Response, document any, at position, items int) (position, bool, error) {
	short := items == 0 || p.pagination.Size != nil && items < int(*p.pagination.Size)
	switch p.pagination.Type {
	case v1alpha1.PaginationPage:
		return position{Number: at.Number + 1}, short, nil
	case v1alpha1.PaginationOffset:
		return position{Number: at.Number + int64(items)}, short, nil
	case v1alpha1.PaginationCursor:
		token, err := p.next.String(map[string]any{"response": document})
		if err != nil {
			return position{}, false, invalid("pagination.next: " + err.Error())
		}
		return position{Token: token}, token == "", nil
	case v1alpha1.PaginationLink:
		link := linkHeader(answer.Header)
		if link == "" {
			link = linkMember(document)
		}
		if link == "" {
			return position{}, true, nil
		}
		return p.follow(answer.URL, link)
	}
	return position{}, true, nil
}

// follow is the position of a link in an answer of the URL.
func (p *plan) follow(from *url.URL, link string) (position, bool, error) {
	to, err := from.Parse(link)
	if err != nil {
		return position{}, false, invalid("the link to the next page is no URL")
	}
	if !fetch.SameHost(p.url, to) {
		return position{}, false, invalid("the link to the next page leads to another host, which is not followed")
	}
	to.Fragment = ""
	if query := to.Query(); p.secret != "" && query.Has(p.secret) {
		// Many repeat the whole query of the request. The position is stored, and the key is added to each request anyway.
		query.Del(p.secret)
		to.RawQuery = query.Encode()
	}
	return position{Token: to.String()}, false, nil
}

// linkHeader is the target of the Link header (RFC 8288) whose relation is next; "" when there is none.
func linkHeader(header http.Header) string {
	for _, value := range header.Values("Link") {
		for value != "" {
			var link string
			link, value = cutOutside(value, ',')
			target, parameters, ok := strings.Cut(strings.TrimSpace(link), ">")
			if ok && strings.HasPrefix(target, "<") && isNext(parameters) {
				return target[1:]
			}
		}
	}
	return ""
}

// isNext reports whether the parameters of a link name the relation next, alone or among others.
func isNext(parameters string) bool {
	for parameters != "" {
		var parameter string
		parameter, parameters = cutOutside(parameters, ';')
		name, value, _ := strings.Cut(parameter, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for relation := range strings.FieldsSeq(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(relation, "next") {
				return true
			}
		}
	}
	return false
}

// cutOutside cuts the text at the first separator that stands outside of quotes and angle brackets.
func cutOutside(text string, separator byte) (before, after string) {
	quoted, bracketed := false, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '<' || c == '>'):
			bracketed = c == '<'
		case c == separator && !quoted && !bracketed:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// linkMember is the URL of the next page where common frameworks put it into their JSON: `next`,
// `next_page_url`, `@odata.nextLink`, `links.next`, `_links.next`, `paging.next`, as a text or as an
// object with `href`. "" when there is none.
func linkMember(document any) string {
	top, ok := document.(map[string]any)
	if !ok {
		return ""
	}
	for _, name := range [...]string{"next", "next_page_url", "@odata.nextLink"} {
		if link := href(top[name]); link != "" {
			return link
		}
	}
	for _, name := range [...]string{"links", "_links", "paging"} {
		if within, ok := top[name].(map[string]any); ok {
			if link := href(within["next"]); link != "" {
				return link
			}
		}
	}
	return ""
}

func href(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case map[string]any:
		if link, ok := v["href"].(string); ok {
			return link
		}
	}
	return ""
}
