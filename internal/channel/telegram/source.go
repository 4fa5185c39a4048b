// Package telegram reads what a bot receives, by the Telegram Bot API: what citizens write to the bot, and both
// sides of the chats of a Telegram Business account that the bot is connected to. It asks by getUpdates, where
// an update is gone once the one after it is asked for, so that it is asked for only when the ledger has it;
// or it is delivered to by a webhook, where Telegram is told of success only then.
package telegram

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/mac"
)

// Defaults of the API, for specifications that did not pass through it.
const (
	defaultURL      = "https://api.telegram.org"
	defaultInterval = time.Minute
	defaultWindow   = 24 * time.Hour
	defaultMaxPages = 1000
)

// Type is the source type telegram.
type Type struct{}

// Name implements channel.Type.
func (Type) Name() v1alpha1.SourceType { return v1alpha1.SourceTelegram }

// Open implements channel.Type.
func (Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.Telegram
	if spec == nil {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "telegram: must be set when type is telegram"}
	}
	address := string(spec.URL)
	if address == "" {
		address = defaultURL
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "telegram.url: must be an absolute URL"}
	}
	secret, err := settings.Credential(spec.BotTokenSecretRef)
	if err != nil {
		return nil, err
	}
	token := string(secret)
	// The token becomes a part of the URL, so that it must not be able to lead elsewhere.
	if !regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{1,128}$`).MatchString(token) {
		return nil, &channel.Error{Reason: ledgerapi.ReasonCredentialMissing,
			Message: "the key that telegram.botTokenSecretRef names holds no token as BotFather gives it, such as 123456:ABC-def"}
	}
	polling := v1alpha1.Polling{}
	if spec.Polling != nil {
		polling = *spec.Polling
	}
	config := fetch.Config{
		Transport: &patience{next: settings.Transport}, Timeout: channel.Duration(polling.Timeout, 0), Now: settings.Now, After: settings.After,
	}
	urgent, err := fetch.New(config)
	if err != nil {
		return nil, err
	}
	config.RequestsPerMinute = channel.Number(polling.RequestsPerMinute, 0)
	client, err := fetch.New(config)
	if err != nil {
		return nil, err
	}
	bot, _, _ := strings.Cut(token, ":")
	s := &source{
		client: client, urgent: urgent, endpoint: base.JoinPath("bot"+token, "getUpdates"), sendMessage: base.JoinPath("bot"+token, "sendMessage"), bot: bot,
		translator: translator{
			staffGroup: spec.StaffGroupID, window: channel.Duration(spec.CaseWindow, defaultWindow), key: mac.New(sha256.New, secret),
		},
		interval: channel.Duration(polling.Interval, defaultInterval),
		maxPages: channel.Number(polling.MaxPages, defaultMaxPages),
		now:      settings.Now,
		logger:   settings.Logger,
	}
	if spec.Webhook != nil {
		return s.deliveredTo(spec.Webhook, settings)
	}
	return s, nil
}

// source is one bot. Poll is called from one goroutine.
type source struct {
	// client asks for updates, and urgent sends replies, which must not stand behind the other.
	client, urgent *fetch.Client
	// endpoint and sendMessage have the token in them and must not be shown anywhere.
	endpoint, sendMessage *url.URL
	// bot is the bot's own id, which is no secret.
	bot        string
	translator translator
	interval   time.Duration
	maxPages   int
	now        func() time.Time
	logger     *slog.Logger
}

// Interval implements channel.Poller.
func (s *source) Interval() time.Duration { return s.interval }

// Close implements channel.Source.
func (s *source) Close() error { return errors.Join(s.client.Close(), s.urgent.Close()) }

// cursor is where the source stands; its JSON is kept by the ledger.
type cursor struct {
	// Bot is whose updates the rest speaks of.
	Bot string `json:"bot"`
	// Offset is the number of the first update that the ledger does not have; 0 is not known.
	Offset int64 `json:"offset,omitempty"`
	// Arrived is when the last update was read, Polled when the updates were last read to their end.
	Arrived time.Time `json:"arrived,omitzero"`
	Polled  time.Time `json:"polled,omitzero"`
}

// open reads a saved cursor, or begins with what Telegram has.
func (s *source) open(saved json.RawMessage) cursor {
	return channel.OpenCursor(saved, cursor{Bot: s.bot}, func(c *cursor) string { return c.Bot }, s.logger)
}

var (
	_ channel.Type    = Type{}
	_ channel.Poller  = (*source)(nil)
	_ channel.Replier = (*source)(nil)
)
