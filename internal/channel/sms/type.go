// Package sms receives text messages as Twilio delivers them: what citizens write to the city's numbers, and
// the statuses of what the city sends. The sender is verified by X-Twilio-Signature before anything is made
// of a delivery, and told of success only when the ledger has the events.
//
// SMS has people and messages, and no cases: each event asks the ledger for its case (see complaint.Thread),
// the one in which the person or the city last wrote within the window, else a new one.
package sms

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/field"
)

// Defaults of spec.source.sms, which the API server fills in as well.
const (
	defaultCaseWindow        = 24 * time.Hour
	defaultUsualDelay        = time.Minute
	defaultMaxBodyBytes      = 64 << 10
	defaultRequestsPerSecond = 500
)

// defaultOptOutKeywords are Twilio's own, without those that a citizen may well answer a question with, and
// what people in Indonesia write to be left alone.
var defaultOptOutKeywords = []string{
	"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE", "START", "UNSTOP", "BERHENTI", "UNREG",
}

// Type is the source type sms.
type Type struct{}

// Name implements channel.Type.
func (Type) Name() v1alpha1.SourceType { return v1alpha1.SourceSMS }

// Open implements channel.Type.
func (Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.SMS
	if spec == nil {
		return nil, field.Errorf("sms", "must be set when type is sms")
	}
	account, err := settings.Credential(spec.AccountSIDSecretRef)
	if err != nil {
		return nil, err
	}
	// The SID becomes a part of the URL of the API, so that it must not be able to lead elsewhere.
	if !regexp.MustCompile(`^AC[0-9A-Za-z]{32}$`).Match(account) {
		return nil, push.Unusable(spec.AccountSIDSecretRef, "holds no SID of an account, which is AC and 32 characters")
	}
	signature, err := newVerifier(string(spec.PublicURL), spec.AuthTokenSecretRefs, settings.Credential)
	if err != nil {
		return nil, err
	}
	s := &source{
		signature: signature, usualDelay: defaultUsualDelay,
		translator: translator{
			channel: settings.Channel, account: string(account), numbers: map[string]bool{}, optOut: map[string]bool{},
			window: defaultCaseWindow, now: settings.Now,
		},
	}
	for _, number := range spec.Numbers {
		s.translator.numbers[string(number)] = true
	}
	words := spec.OptOutKeywords
	if len(words) == 0 {
		words = defaultOptOutKeywords
	}
	for _, word := range words {
		s.translator.optOut[strings.ToUpper(word)] = true
	}
	if spec.CaseWindow != nil {
		s.translator.window = spec.CaseWindow.Duration
	}
	if spec.UsualDelay != nil {
		s.usualDelay = spec.UsualDelay.Duration
	}
	maxBody, perSecond := int64(defaultMaxBodyBytes), defaultRequestsPerSecond
	if spec.MaxBodyBytes != nil {
		maxBody = int64(*spec.MaxBodyBytes)
	}
	if spec.RequestsPerSecond != nil {
		perSecond = int(*spec.RequestsPerSecond)
	}
	s.endpoint = push.NewEndpoint(maxBody, perSecond, settings.Now)
	return s, nil
}

// source is one channel's endpoint. It implements channel.Pusher.
type source struct {
	signature  *verifier
	endpoint   *push.Endpoint
	translator translator
	usualDelay time.Duration
}

// Handler implements channel.Pusher.
func (s *source) Handler(sink channel.Sink) http.Handler { return &handler{source: s, sink: sink} }

// UsualDelay implements channel.Pusher.
func (s *source) UsualDelay() time.Duration { return s.usualDelay }

// Close implements channel.Source.
func (s *source) Close() error { return nil }

var (
	_ channel.Type   = Type{}
	_ channel.Pusher = (*source)(nil)
)
