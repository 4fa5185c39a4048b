package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/httpauth"
	"github.com/tanggap/tanggap/internal/channel/mapping"
	"github.com/tanggap/tanggap/internal/expr"
	"github.com/tanggap/tanggap/internal/field"
)

// plan is a compiled RESTSource.
type plan struct {
	method         string
	url            *url.URL
	query, headers []parameter
	body           *expr.Program
	pagination     v1alpha1.Pagination
	next           *expr.Program
	mapping        *mapping.Mapping
	// secret is the query parameter that holds a key; "" is none.
	secret string
	// tracked says that items tell when they changed last.
	tracked bool
	// fingerprint changes with whatever decides what is read and how it is understood.
	fingerprint string
}

// parameter is a query parameter or a header.
type parameter struct {
	path       field.Path
	name       string
	value      string
	expression *expr.Program
}

func (t *Type) compile(spec *v1alpha1.RESTSource, options mapping.Options) (*plan, error) {
	var errs []error
	p := &plan{method: spec.Method, tracked: spec.Mapping.UpdatedAt != ""}
	if p.method == "" {
		p.method = http.MethodGet
	}
	program := func(env *expr.Env, path field.Path, source v1alpha1.Expression, want expr.Kind) *expr.Program {
		if source == "" {
			return nil
		}
		compiled, err := env.Compile(string(source), want)
		if err != nil {
			errs = append(errs, field.Errorf(path, "%v", err))
		}
		return compiled
	}
	parameters := func(path field.Path, list []v1alpha1.RequestParameter) []parameter {
		made := make([]parameter, len(list))
		for i, one := range list {
			at := path.Index(i).Child("expression")
			made[i] = parameter{path: at, name: one.Name, expression: program(t.request, at, one.Expression, expr.String)}
			if one.Value != nil {
				made[i].value = *one.Value
			}
		}
		return made
	}

	var err error
	if p.url, err = url.Parse(string(spec.URL)); err != nil || p.url.Host == "" {
		errs = append(errs, field.Errorf("url", "must be an absolute URL that starts with https:// or http://"))
	}
	p.query = parameters("query", spec.Query)
	p.headers = parameters("headers", spec.Headers)
	p.body = program(t.request, "body", spec.Body, expr.Any)
	if spec.Pagination != nil {
		p.pagination = *spec.Pagination
		p.next = program(t.response, "pagination.next", spec.Pagination.Next, expr.String)
	}
	if err := httpauth.Validate(t.response, spec.Auth); err != nil {
		errs = append(errs, field.Within("auth", err))
	}
	if spec.Auth != nil && spec.Auth.APIKey != nil {
		p.secret = spec.Auth.APIKey.QueryParameter
	}
	if p.mapping, err = t.mapping.Compile(&spec.Mapping, options); err != nil {
		errs = append(errs, field.Within("mapping", err))
	}
	zone := ""
	if options.Zone != nil {
		zone = options.Zone.String()
	}
	p.fingerprint = fingerprint(spec, zone)
	return p, errors.Join(errs...)
}

// fingerprint is a short hash of what decides which events come out: all but credentials and timing.
func fingerprint(spec *v1alpha1.RESTSource, zone string) string {
	decisive := *spec
	decisive.Auth, decisive.Polling, decisive.CASecretRef = nil, nil, nil
	hash := sha256.New()
	// A struct of strings and numbers always has a JSON form.
	_ = json.NewEncoder(hash).Encode([]any{decisive, zone}) //nolint:errchkjson // see above
	return hex.EncodeToString(hash.Sum(nil)[:8])
}
