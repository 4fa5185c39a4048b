package rest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// request makes the request for a page of the window that begins at since.
func (p *plan) request(since, until time.Time, at position) (fetch.Request, error) {
	vars := map[string]any{"since": since, "until": until}
	request := fetch.Request{Method: p.method, Header: http.Header{}}
	for _, h := range p.headers {
		value, err := h.evaluate(vars)
		if err != nil {
			return request, err
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			return request, failed(h.path, "yields what no header can carry")
		}
		if value != "" {
			request.Header.Set(h.name, value)
		}
	}
	if p.pagination.Type == v1alpha1.PaginationLink && at.Token != "" {
		link, err := url.Parse(at.Token)
		if err != nil || !fetch.SameHost(p.url, link) {
			return request, invalid("the link to the next page leads to another host, which is not followed")
		}
		request.URL = link
	} else {
		extra, err := p.parameters(vars, at)
		if err != nil {
			return request, err
		}
		address := *p.url
		address.RawQuery = join(address.RawQuery, extra)
		request.URL = &address
	}
	err := p.fill(&request, vars)
	return request, err
}

// join keeps the query of the url as it was written, since its order and encoding may matter.
func join(written, extra string) string {
	if written == "" || extra == "" {
		return written + extra
	}
	return written + "&" + extra
}

// parameters encodes the query parameters of a page.
func (p *plan) parameters(vars map[string]any, at position) (string, error) {
	values := url.Values{}
	for _, q := range p.query {
		value, err := q.evaluate(vars)
		if err != nil {
			return "", err
		}
		if value != "" || q.expression == nil {
			values.Set(q.name, value)
		}
	}
	if size := p.pagination.Size; size != nil && p.pagination.SizeParameter != "" {
		values.Set(p.pagination.SizeParameter, strconv.Itoa(int(*size)))
	}
	switch p.pagination.Type {
	case v1alpha1.PaginationPage, v1alpha1.PaginationOffset:
		values.Set(p.pagination.Parameter, strconv.FormatInt(at.Number, 10))
	case v1alpha1.PaginationCursor:
		if at.Token != "" {
			values.Set(p.pagination.Parameter, at.Token)
		}
	case v1alpha1.PaginationLink: // the link itself is the request
	}
	return values.Encode(), nil
}

// evaluate is the value; "" of an expression leaves the parameter out.
func (p *parameter) evaluate(vars map[string]any) (string, error) {
	if p.expression == nil {
		return p.value, nil
	}
	value, err := p.expression.String(vars)
	if err != nil {
		return "", failed(p.path, err.Error())
	}
	return value, nil
}

// fill sets the body: a map is sent as JSON, a text as a form.
func (p *plan) fill(request *fetch.Request, vars map[string]any) error {
	if p.body == nil {
		return nil
	}
	value, err := p.body.Any(vars)
	if err != nil {
		return failed("body", err.Error())
	}
	kind := "application/json"
	switch v := value.(type) {
	case string:
		kind, request.Body = "application/x-www-form-urlencoded", []byte(v)
	case map[string]any:
		if request.Body, err = json.Marshal(v); err != nil {
			return failed("body", "yields what JSON cannot hold")
		}
	default:
		return failed("body", "must yield a map or a text")
	}
	if request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", kind)
	}
	return nil
}

// failed is the error of an expression of the request.
func failed[S ~string](path S, message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonMappingFailed, Message: string(path) + ": " + message}
}

// invalid is the error of an answer that is not what the specification says.
func invalid(message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: message}
}
