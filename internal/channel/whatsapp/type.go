// Package whatsapp receives the webhooks of the WhatsApp Business Cloud API: what citizens write to the
// city's numbers, and what its staff answer. The sender is verified over the raw bytes before anything is
// parsed, and told of success only when the ledger has the events.
//
// WhatsApp has people and messages, and no cases. Each event asks the ledger for its case (see
// complaint.Thread): the one of the message that is quoted, else the one in which the person or the city
// last wrote within the window, else a new one. Nothing is remembered here, so that any number of workers
// can take deliveries, in any order and more than once.
package whatsapp

import (
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/field"
)

// Defaults of spec.source.whatsapp, which the API server fills in as well.
const (
	defaultCaseWindow        = 24 * time.Hour
	defaultUsualDelay        = time.Minute
	defaultMaxBodyBytes      = 4 << 20
	defaultRequestsPerSecond = 500
)

// Type is the source type whatsapp.
type Type struct{}

// Name implements channel.Type.
func (Type) Name() v1alpha1.SourceType { return v1alpha1.SourceWhatsApp }

// Open implements channel.Type.
func (Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.WhatsApp
	if spec == nil {
		return nil, field.Errorf("whatsapp", "must be set when type is whatsapp")
	}
	signature, err := push.NewHubSignature(spec.AppSecretSecretRefs, settings.Credential, settings.Now)
	if err != nil {
		return nil, err
	}
	tokens, err := push.NewTokens(settings.Credential, spec.VerifyTokenSecretRef)
	if err != nil {
		return nil, err
	}
	s := &source{
		signature: signature, tokens: tokens, usualDelay: channel.Duration(spec.UsualDelay, defaultUsualDelay),
		endpoint:   push.NewEndpoint(channel.Number(spec.MaxBodyBytes, defaultMaxBodyBytes), channel.Number(spec.RequestsPerSecond, defaultRequestsPerSecond), settings.Now),
		translator: translator{channel: settings.Channel, numbers: map[string]bool{}, window: channel.Duration(spec.CaseWindow, defaultCaseWindow)},
	}
	for _, id := range spec.PhoneNumberIDs {
		s.translator.numbers[string(id)] = true
	}
	if spec.Reply != nil {
		if s.sender, err = newSender(spec.Reply, spec.AppSecretSecretRefs, settings); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// source is one channel's endpoint. It implements channel.Pusher.
type source struct {
	signature  push.Verifier
	tokens     push.Tokens
	endpoint   *push.Endpoint
	translator translator
	usualDelay time.Duration
	// sender is nil where replies are not allowed.
	sender *sender
}

// UsualDelay implements channel.Pusher.
func (s *source) UsualDelay() time.Duration { return s.usualDelay }

// Close implements channel.Source.
func (s *source) Close() error {
	if s.sender == nil {
		return nil
	}
	return s.sender.client.Close()
}

var (
	_ channel.Type    = Type{}
	_ channel.Pusher  = (*source)(nil)
	_ channel.Replier = (*source)(nil)
)
