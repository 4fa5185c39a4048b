// Package sms receives text messages as Twilio delivers them: what citizens write to the city's numbers, and
// the statuses of what the city sends. The sender is verified by X-Twilio-Signature before anything is made
// of a delivery, and told of success only when the ledger has the events. Twilio's list of messages is read from
// time to time for what deliveries missed, and whenever one tells that the city sent something, as it does not
// tell what.
//
// SMS has people and messages, and no cases: each event asks the ledger for its case (see complaint.Thread),
// the one in which the person or the city last wrote within the window, else a new one.
package sms

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/field"
)

// Defaults of spec.source.sms, which the API server fills in as well.
const (
	defaultCaseWindow        = 24 * time.Hour
	defaultUsualDelay        = time.Minute
	defaultMaxBodyBytes      = 64 << 10
	defaultRequestsPerSecond = 500
	defaultURL               = "https://api.twilio.com"
	defaultInterval          = 2 * time.Minute
	defaultLookback          = 168 * time.Hour
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
		signature:  signature,
		endpoint:   push.NewEndpoint(channel.Number(spec.MaxBodyBytes, defaultMaxBodyBytes), channel.Number(spec.RequestsPerSecond, defaultRequestsPerSecond), settings.Now),
		usualDelay: channel.Duration(spec.UsualDelay, defaultUsualDelay), woken: make(chan struct{}, 1), logger: settings.Logger,
		translator: translator{
			channel: settings.Channel, account: string(account), numbers: map[string]bool{}, optOut: map[string]bool{},
			window: channel.Duration(spec.CaseWindow, defaultCaseWindow), now: settings.Now,
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
	return s, s.reconcile(spec.Reconcile, settings)
}

// reconcile takes in how the list is read.
func (s *source) reconcile(spec *v1alpha1.SMSReconcile, settings channel.Settings) error {
	r := v1alpha1.SMSReconcile{}
	if spec != nil {
		r = *spec
	}
	if r.URL == "" {
		r.URL = defaultURL
	}
	base, err := url.Parse(string(r.URL))
	if err != nil || base.Host == "" {
		return field.Errorf("sms.reconcile.url", "must be an absolute URL")
	}
	if base.Path == "" {
		base.Path = "/" // so that a link to a path of its own compares equal
	}
	s.list = base.JoinPath("2010-04-01", "Accounts", s.translator.account, "Messages.json")
	s.interval, s.lookback = channel.Duration(r.Interval, defaultInterval), channel.Duration(r.Lookback, defaultLookback)
	config := fetch.Config{
		Transport: settings.Transport, Authorizer: &basic{account: s.translator.account, tokens: s.signature.tokens},
		Now: settings.Now, After: settings.After,
	}
	if s.urgent, err = fetch.New(config); err != nil {
		return err
	}
	config.RequestsPerMinute = channel.Number(r.RequestsPerMinute, 0)
	s.client, err = fetch.New(config)
	return err
}

// source is one channel's endpoint and list.
type source struct {
	signature  *verifier
	endpoint   *push.Endpoint
	translator translator
	usualDelay time.Duration

	// client reads the list, and urgent sends replies, which must not stand behind the other.
	client, urgent *fetch.Client
	// list is where the messages of the account are.
	list               *url.URL
	interval, lookback time.Duration
	// woken has a value when the city has sent something that has not been read yet.
	woken  chan struct{}
	logger *slog.Logger
}

// Handler implements channel.Pusher.
func (s *source) Handler(sink channel.Sink) http.Handler { return &handler{source: s, sink: sink} }

// UsualDelay implements channel.Pusher: answers whose status nobody is told are seen when the list is read.
func (s *source) UsualDelay() time.Duration { return max(s.usualDelay, s.interval) }

// Interval implements channel.Poller.
func (s *source) Interval() time.Duration { return s.interval }

// Woken implements channel.Waker.
func (s *source) Woken() <-chan struct{} { return s.woken }

// sent notes that the city has sent something.
func (s *source) sent() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// Close implements channel.Source.
func (s *source) Close() error { return errors.Join(s.client.Close(), s.urgent.Close()) }

var (
	_ channel.Type    = Type{}
	_ channel.Pusher  = (*source)(nil)
	_ channel.Poller  = (*source)(nil)
	_ channel.Waker   = (*source)(nil)
	_ channel.Replier = (*source)(nil)
)
