package rest

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/channel/mapping"
)

func TestLinkHeader(t *testing.T) {
	tests := map[string]struct {
		values []string
		want   string
	}{
		"none":                           {nil, ""},
		"the one":                        {[]string{`<https://a.example/?page=2>; rel="next"`}, "https://a.example/?page=2"},
		"among others":                   {[]string{`</1>; rel=prev, </3>; rel=next, </9>; rel=last`}, "/3"},
		"in another header of that name": {[]string{`</1>; rel=prev`, `</3>; rel=next`}, "/3"},
		"one relation of several":        {[]string{`</3>; rel="last next"`}, "/3"},
		"in capitals":                    {[]string{`</3>; REL="NEXT"`}, "/3"},
		"a comma in the address":         {[]string{`</3?a=1,2;b>; rel=next`}, "/3?a=1,2;b"},
		"the word in a title":            {[]string{`</1>; title="rel=next, <x>; rel=next"; rel=prev`}, ""},
		"a relation that only begins so": {[]string{`</1>; rel="nextish"`}, ""},
		"without brackets":               {[]string{`/3; rel=next`}, ""},
		"nonsense":                       {[]string{`<<<>,;;"="`, `<`, `>`, `;rel=next`}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := linkHeader(http.Header{"Link": tt.values}); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzAnswer: no answer makes the reading panic, and no link leads away from the host.
func FuzzAnswer(f *testing.F) {
	kind := newType(f)
	var plans []*plan
	for _, pagination := range []v1alpha1.Pagination{
		{Type: "Link"}, {Type: "Cursor", Parameter: "c", Next: "response.next"}, {Type: "Page", Parameter: "p"}, {Type: "Offset", Parameter: "o"},
	} {
		spec := plainSpec()
		spec.Pagination = &pagination
		compiled, err := kind.compile(spec, mapping.Options{Channel: "dsw"})
		must(f, err)
		plans = append(plans, compiled)
	}
	f.Add([]byte(`{"data":[{"id":1}],"next":"?page=2"}`), `</2>; rel="next"`)
	f.Add([]byte(`[]`), `<//other.example>; rel=next`)
	f.Add([]byte(`{"links":{"next":{"href":"http://[::1"}},"data":[null]}`), `,;<">`)
	f.Fuzz(func(t *testing.T, body []byte, link string) {
		for _, p := range plans {
			answer := &fetch.Response{Status: http.StatusOK, Header: http.Header{"Link": {link}}, Body: body, URL: p.url}
			read, err := p.understand(answer, p.first())
			if err != nil || p.pagination.Type != v1alpha1.PaginationLink || read.last {
				continue
			}
			to, err := url.Parse(read.next.Token)
			if err != nil || !fetch.SameHost(p.url, to) {
				t.Fatalf("the link leads to %q", read.next.Token)
			}
		}
	})
}
