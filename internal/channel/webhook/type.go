// Package webhook receives complaints from any system that can send HTTP requests. The sender is
// verified over the raw bytes before anything is parsed, and told of success only when the ledger has
// the events.
package webhook

import (
	"fmt"
	"net/http"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/mapping"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/field"
)

// Defaults of spec.source.webhook, which the API server fills in as well.
const (
	defaultMaxBodyBytes      = 256 << 10
	defaultRequestsPerSecond = 500
	defaultUsualDelay        = time.Minute
)

// Type is the source type webhook. It is safe for concurrent use.
type Type struct{ mapping *mapping.Compiler }

// New makes the type. An error is a mistake of the program.
func New() (*Type, error) {
	compiler, err := mapping.NewCompiler(mapping.Payload)
	if err != nil {
		return nil, fmt.Errorf("preparing the source type webhook: %w", err)
	}
	return &Type{mapping: compiler}, nil
}

// Name implements channel.Type.
func (t *Type) Name() v1alpha1.SourceType { return v1alpha1.SourceWebhook }

// Validate checks what of a specification its schema cannot: every expression. The error is of
// field.Errors with paths such as `mapping.events[1].at`; no credentials are needed.
func (t *Type) Validate(spec *v1alpha1.WebhookSource) error {
	_, err := t.mapping.Compile(&spec.Mapping, mapping.Options{})
	return field.Within("mapping", err)
}

// Open implements channel.Type.
func (t *Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.Webhook
	if spec == nil {
		return nil, field.Errorf("webhook", "must be set when type is webhook")
	}
	compiled, err := t.mapping.Compile(&spec.Mapping, mapping.Options{Channel: settings.Channel, Zone: settings.AssumeTimeZone})
	if err != nil {
		return nil, field.Within("webhook.mapping", err)
	}
	verifier, err := newVerifier(&spec.Verification, settings.Credential, settings.Now)
	if err != nil {
		return nil, err
	}
	return &source{
		mapping:    compiled,
		verifier:   verifier,
		signed:     spec.Verification.Type == v1alpha1.VerificationStandardWebhooks || spec.Verification.Type == v1alpha1.VerificationHMAC,
		endpoint:   push.NewEndpoint(channel.Number(spec.MaxBodyBytes, defaultMaxBodyBytes), channel.Number(spec.RequestsPerSecond, defaultRequestsPerSecond), settings.Now),
		usualDelay: channel.Duration(spec.UsualDelay, defaultUsualDelay),
	}, nil
}

// source is one channel's endpoint. It implements channel.Pusher.
type source struct {
	mapping  *mapping.Mapping
	verifier push.Verifier
	// signed says that the verifier looks at the body, and so at nothing that a header says.
	signed     bool
	endpoint   *push.Endpoint
	usualDelay time.Duration
}

// Handler implements channel.Pusher.
func (s *source) Handler(sink channel.Sink) http.Handler { return &handler{source: s, sink: sink} }

// UsualDelay implements channel.Pusher.
func (s *source) UsualDelay() time.Duration { return s.usualDelay }

// Close implements channel.Source.
func (s *source) Close() error { return nil }
