package rest

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/field"
)

func TestRequestsAreMadeOfTheTemplate(t *testing.T) {
	tests := map[string]struct {
		change                     func(*v1alpha1.RESTSource)
		method, query, kind, body  string
		header, wantHeader, reason string
	}{
		"a query in the url stays as it was written": {
			change: func(s *v1alpha1.RESTSource) {
				s.URL += "?z=1&a=b%20c"
				s.Query = []v1alpha1.RequestParameter{{Name: "q", Value: new("a b&c=d")}, {Name: "empty", Value: new("")}}
			},
			method: "GET", query: "z=1&a=b%20c&empty=&q=a+b%26c%3Dd",
		},
		"times are written as the source wants them": {
			change: func(s *v1alpha1.RESTSource) {
				s.Query = []v1alpha1.RequestParameter{
					{Name: "since", Expression: `formatTime(since, "2006-01-02 15:04:05", "Asia/Jakarta")`},
					{Name: "until", Expression: "until"}, {Name: "unix", Expression: "int(since)"},
				}
				s.Query[1].Expression = `string(until)`
			},
			method: "GET", query: "since=2026-10-03+09%3A00%3A00&unix=1790992800&until=2026-11-02T02%3A00%3A00Z",
		},
		"an expression that yields nothing leaves the parameter out": {
			change: func(s *v1alpha1.RESTSource) {
				s.Query = []v1alpha1.RequestParameter{{Name: "x", Expression: `since > until ? "1" : ""`}}
			},
			method: "GET",
		},
		"headers": {
			change: func(s *v1alpha1.RESTSource) {
				s.Headers = []v1alpha1.RequestParameter{{Name: "x-kota", Value: new("depok")}}
			},
			method: "GET", header: "X-Kota", wantHeader: "depok",
		},
		"a header that breaks the request": {
			change: func(s *v1alpha1.RESTSource) {
				s.Headers = []v1alpha1.RequestParameter{{Name: "x-kota", Expression: `"a\r\nb: c"`}}
			},
			reason: "MappingFailed: headers[0].expression: yields what no header can carry",
		},
		"a map is sent as JSON": {
			change: func(s *v1alpha1.RESTSource) {
				s.Method, s.Body = "POST", `{"filter": {"since": string(since)}, "n": 1}`
			},
			method: "POST", kind: "application/json", body: `{"filter":{"since":"2026-10-03T02:00:00Z"},"n":1}`,
		},
		"a text is sent as a form": {
			change: func(s *v1alpha1.RESTSource) { s.Method, s.Body = "POST", `"a=1&b=2"` },
			method: "POST", kind: "application/x-www-form-urlencoded", body: "a=1&b=2",
		},
		"a form with a type of its own": {
			change: func(s *v1alpha1.RESTSource) {
				s.Method, s.Body = "POST", `"<q/>"`
				s.Headers = []v1alpha1.RequestParameter{{Name: "Content-Type", Value: new("application/xml")}}
			},
			method: "POST", kind: "application/xml", body: "<q/>",
		},
		"a number is no body": {
			change: func(s *v1alpha1.RESTSource) { s.Method, s.Body = "POST", `1` },
			reason: "MappingFailed: body: must yield a map or a text",
		},
		"an expression that fails": {
			change: func(s *v1alpha1.RESTSource) {
				s.Query = []v1alpha1.RequestParameter{{Name: "x", Expression: `string(1 / (since > until ? 1 : 0))`}}
			},
			reason: "MappingFailed: query[0].expression: line 1, column 10: division by zero",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := plainSpec()
			tt.change(spec)
			var got *http.Request
			var body []byte
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
				write(w, []any{})
			}), spec)
			err := r.poll()
			if tt.reason != "" {
				if err == nil || err.Error() != tt.reason {
					t.Errorf("got %v, want %s", err, tt.reason)
				}
				return
			}
			must(t, err)
			want := []string{tt.method, tt.query, tt.kind, tt.body, tt.wantHeader}
			have := []string{got.Method, got.URL.RawQuery, got.Header.Get("Content-Type"), string(body), got.Header.Get(tt.header)}
			if tt.header == "" {
				have[4] = ""
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRequestsKeepToTheirRate(t *testing.T) {
	spec := plainSpec()
	perMinute, size := int32(30), int32(1)
	spec.Polling.RequestsPerMinute = &perMinute
	spec.Pagination = &v1alpha1.Pagination{Type: "Page", Parameter: "p", Size: &size}
	requests := 0
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests == 5 {
			write(w, []any{})
			return
		}
		write(w, []any{map[string]any{"id": r.URL.Query().Get("p")}})
	}), spec)
	r.mustPoll()
	if got := r.clock.Waited(); requests != 5 || got != 8*time.Second {
		t.Errorf("%d requests in %s, want 5 in 8s", requests, got)
	}
}

func TestFaultsOfASpecificationNameTheirField(t *testing.T) {
	spec := load(t, "testdata/portal.yaml")
	must(t, newType(t).Validate(spec))
	spec.URL = "http://"
	spec.Query[0].Expression = "since +"
	spec.Headers = []v1alpha1.RequestParameter{{Name: "x", Expression: "response"}}
	spec.Body = "item"
	spec.Auth.Login.Token = "token"
	spec.Pagination = &v1alpha1.Pagination{Type: "Cursor", Parameter: "c", Next: "since"}
	spec.Mapping.Events[1].At = "itm.at"
	var got []string
	for _, fault := range field.All(newType(t).Validate(spec)) {
		got = append(got, fault.Error())
	}
	want := []string{
		"url: must be an absolute URL that starts with https:// or http://",
		"query[0].expression: line 1, column 8: syntax error: unexpected the end of the expression",
		`headers[0].expression: line 1, column 1: there is no variable or function "response"; the variables are since, until`,
		`body: line 1, column 1: there is no variable or function "item"; the variables are since, until`,
		`pagination.next: line 1, column 1: there is no variable or function "since"; the variables are response`,
		`auth.login.token: line 1, column 1: there is no variable or function "token"; the variables are response`,
		`mapping.events[1].at: line 1, column 1: there is no variable or function "itm"; the variables are item, response`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
