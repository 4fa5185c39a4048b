// Package rest reads complaints from any JSON API: the request, the credentials, the way from page to
// page and the meaning of what comes back are all said by the channel's specification.
package rest

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/channel/httpauth"
	"github.com/tanggap/tanggap/internal/channel/mapping"
	"github.com/tanggap/tanggap/internal/expr"
	"github.com/tanggap/tanggap/internal/field"
)

// Defaults of spec.source.rest.polling, which the API server fills in as well.
const (
	defaultInterval = time.Minute
	defaultOverlap  = 10 * time.Minute
	defaultLookback = 720 * time.Hour
	defaultMaxPages = 1000
)

// Type is the source type rest. It is safe for concurrent use.
type Type struct {
	mapping *mapping.Compiler
	// request has what a request may be made of, response what an answer is asked for.
	request, response *expr.Env
}

// New makes the type. An error is a mistake of the program.
func New() (*Type, error) {
	t := &Type{}
	var errs [3]error
	t.mapping, errs[0] = mapping.NewCompiler(mapping.Response)
	t.request, errs[1] = expr.NewEnv(expr.Variable{Name: "since", Type: expr.Timestamp}, expr.Variable{Name: "until", Type: expr.Timestamp})
	t.response, errs[2] = expr.NewEnv(expr.Variable{Name: "response"})
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("preparing the source type rest: %w", err)
	}
	return t, nil
}

// Name implements channel.Type.
func (t *Type) Name() v1alpha1.SourceType { return v1alpha1.SourceREST }

// Validate checks what of a specification its schema cannot: every expression. The error is of
// field.Errors with paths such as `mapping.events[1].at`; no credentials are needed.
func (t *Type) Validate(spec *v1alpha1.RESTSource) error {
	_, err := t.compile(spec, mapping.Options{})
	return err
}

// Open implements channel.Type.
func (t *Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.REST
	if spec == nil {
		return nil, field.Errorf("rest", "must be set when type is rest")
	}
	compiled, err := t.compile(spec, mapping.Options{Channel: settings.Channel, Zone: settings.AssumeTimeZone})
	if err != nil {
		return nil, field.Within("rest", err)
	}
	timing := timingOf(spec.Polling)
	var ca []byte
	if spec.CASecretRef != nil {
		if ca, err = settings.Credential(*spec.CASecretRef); err != nil {
			return nil, err
		}
	}
	client, err := fetch.New(fetch.Config{
		Transport:         settings.Transport,
		CA:                ca,
		Timeout:           timing.timeout,
		RequestsPerMinute: timing.requestsPerMinute,
		Now:               settings.Now,
		After:             settings.After,
	})
	if err != nil {
		return nil, err
	}
	authorizer, err := httpauth.New(t.response, spec.Auth, httpauth.Options{
		Credential: settings.Credential,
		Client:     client,
		Timeout:    timing.timeout,
		Now:        settings.Now,
	})
	if err != nil {
		return nil, err
	}
	return &source{plan: compiled, timing: timing, client: client.With(authorizer), now: settings.Now, logger: settings.Logger}, nil
}

// source is one channel's API. It implements channel.Poller and channel.Observer.
type source struct {
	*plan
	timing timing
	client *fetch.Client
	now    func() time.Time
	logger *slog.Logger
	// observed is the instant through which the source was read at the end of the last window.
	observed time.Time
}

// ObservedThrough implements channel.Observer: a window that was read in several polls ends where the
// first of them began.
func (s *source) ObservedThrough() time.Time { return s.observed }

// Interval implements channel.Poller.
func (s *source) Interval() time.Duration { return s.timing.interval }

// Close implements channel.Source.
func (s *source) Close() error { return s.client.Close() }

// timing is a Polling with its defaults.
type timing struct {
	interval, overlap, lookback, timeout time.Duration
	requestsPerMinute, maxPages          int
}

func timingOf(spec *v1alpha1.Polling) timing {
	if spec == nil {
		spec = &v1alpha1.Polling{}
	}
	return timing{
		interval:          channel.Duration(spec.Interval, defaultInterval),
		overlap:           channel.Duration(spec.Overlap, defaultOverlap),
		lookback:          channel.Duration(spec.Lookback, defaultLookback),
		timeout:           channel.Duration(spec.Timeout, 0),
		requestsPerMinute: channel.Number(spec.RequestsPerMinute, 0),
		maxPages:          channel.Number(spec.MaxPages, defaultMaxPages),
	}
}
