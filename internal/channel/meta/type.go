// Package meta receives the webhooks of a Facebook Page and an Instagram professional account: comments, posts
// of visitors, mentions and messages, and what the city answers. The sender is verified over the raw bytes
// before anything is parsed, and told of success only when the ledger has the events.
//
// It reads the Graph API from time to time for what deliveries missed, and asks it whether Meta still delivers:
// an app whose deliveries fail for an hour is unsubscribed, and hears nothing more.
package meta

import (
	"net/http"
	"net/url"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/field"
)

// Defaults of spec.source.meta, which the API server fills in as well.
const (
	defaultURL               = "https://graph.facebook.com"
	defaultVersion           = "v26.0"
	defaultCaseWindow        = 24 * time.Hour
	defaultUsualDelay        = time.Minute
	defaultMaxBodyBytes      = 4 << 20
	defaultRequestsPerSecond = 500
	defaultInterval          = 10 * time.Minute
	defaultOverlap           = 10 * time.Minute
	defaultLookback          = 168 * time.Hour
	defaultMaxPages          = 500
)

// Type is the source type meta.
type Type struct{}

// Name implements channel.Type.
func (Type) Name() v1alpha1.SourceType { return v1alpha1.SourceMeta }

// Open implements channel.Type.
func (Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.Meta
	switch {
	case spec == nil:
		return nil, field.Errorf("meta", "must be set when type is meta")
	case spec.PageID == "" && spec.InstagramAccountID == "":
		return nil, field.Errorf("meta", "pageID, instagramAccountID or both must be set")
	}
	signature, err := push.NewHubSignature(spec.AppSecretSecretRefs, settings.Credential, settings.Now)
	if err != nil {
		return nil, err
	}
	tokens, err := push.NewTokens(settings.Credential, spec.VerifyTokenSecretRef)
	if err != nil {
		return nil, err
	}
	reconcile := v1alpha1.MetaReconcile{}
	if spec.Reconcile != nil {
		reconcile = *spec.Reconcile
	}
	g, err := newGraph(spec, &reconcile, settings)
	if err != nil {
		return nil, err
	}
	s := &source{
		graph: g, signature: signature, tokens: tokens,
		endpoint:   push.NewEndpoint(channel.Number(spec.MaxBodyBytes, defaultMaxBodyBytes), channel.Number(spec.RequestsPerSecond, defaultRequestsPerSecond), settings.Now),
		translator: newTranslator(spec),
		app:        string(spec.AppID), page: string(spec.PageID), instagram: string(spec.InstagramAccountID),
		usualDelay: channel.Duration(spec.UsualDelay, defaultUsualDelay),
		interval:   channel.Duration(reconcile.Interval, defaultInterval),
		overlap:    channel.Duration(reconcile.Overlap, defaultOverlap),
		lookback:   channel.Duration(reconcile.Lookback, defaultLookback),
		maxPages:   channel.Number(reconcile.MaxPages, defaultMaxPages),
		now:        settings.Now,
		logger:     settings.Logger,
	}
	return s, nil
}

// baseURL is the address of the Graph API with its version.
func baseURL(spec *v1alpha1.MetaSource) (*url.URL, error) {
	address, version := string(spec.URL), spec.Version
	if address == "" {
		address = defaultURL
	}
	if version == "" {
		version = defaultVersion
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" {
		return nil, field.Errorf("meta.url", "must be an absolute URL")
	}
	return base.JoinPath(version), nil
}

// Handler implements channel.Pusher.
func (s *source) Handler(sink channel.Sink) http.Handler {
	return &push.Receiver{
		Endpoint: s.endpoint, Verifier: s.signature, Handshake: push.HubHandshake(s.tokens), Sink: sink, Translate: s.translate,
	}
}

// UsualDelay implements channel.Pusher.
func (s *source) UsualDelay() time.Duration { return s.usualDelay }

// Interval implements channel.Poller.
func (s *source) Interval() time.Duration { return s.interval }

// Close implements channel.Source.
func (s *source) Close() error { return s.graph.close() }

var (
	_ channel.Type    = Type{}
	_ channel.Pusher  = (*source)(nil)
	_ channel.Poller  = (*source)(nil)
	_ channel.Replier = (*source)(nil)
)
