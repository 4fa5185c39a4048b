// Package open311 reads Open311 GeoReport v2 servers. Their list of service requests can be filtered by
// when a request was made and not by when it was changed, so a source reads two things: the list in
// windows of time, and again and again the requests that the ledger has open.
package open311

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// Defaults of the API, for specifications that did not pass through it.
const (
	defaultInterval = time.Minute
	defaultOverlap  = 10 * time.Minute
	defaultLookback = 720 * time.Hour
	defaultRecheck  = 15 * time.Minute
	defaultMaxPages = 1000
)

// Type is the source type open311.
type Type struct{}

// Name implements channel.Type.
func (Type) Name() v1alpha1.SourceType { return v1alpha1.SourceOpen311 }

// Open implements channel.Type.
func (Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.Open311
	if spec == nil {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "open311: must be set"}
	}
	base, err := url.Parse(string(spec.URL))
	if err != nil || base.Host == "" {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "open311.url: must be an absolute URL"}
	}
	polling := v1alpha1.Polling{}
	if spec.Polling != nil {
		polling = *spec.Polling
	}
	client, key, err := newClient(spec, polling, settings)
	if err != nil {
		return nil, err
	}
	return &source{
		server: server{
			client: client, base: base, xml: spec.Format == "XML", jurisdiction: spec.JurisdictionID, key: key, maxRows: defaultMaxRows,
		},
		translator: translator{zone: settings.AssumeTimeZone, notesAnswer: spec.StatusNotesAreAnswers == nil || *spec.StatusNotesAreAnswers},
		interval:   channel.Duration(polling.Interval, defaultInterval),
		overlap:    channel.Duration(polling.Overlap, defaultOverlap),
		lookback:   channel.Duration(polling.Lookback, defaultLookback),
		recheck:    channel.Duration(spec.RecheckInterval, defaultRecheck),
		maxPages:   channel.Number(polling.MaxPages, defaultMaxPages),
		now:        settings.Now,
		logger:     settings.Logger,
		seen:       map[requestHash][32]byte{},
	}, nil
}

// newClient makes the client, and reads the api_key if the specification has one.
func newClient(spec *v1alpha1.Open311Source, polling v1alpha1.Polling, settings channel.Settings) (client *fetch.Client, key string, err error) {
	config := fetch.Config{
		Transport:         settings.Transport,
		Timeout:           channel.Duration(polling.Timeout, 0),
		RequestsPerMinute: channel.Number(polling.RequestsPerMinute, 0),
		Now:               settings.Now,
		After:             settings.After,
	}
	if ref := spec.CASecretRef; ref != nil {
		if config.CA, err = settings.Credential(*ref); err != nil {
			return nil, "", err
		}
	}
	if ref := spec.APIKeySecretRef; ref != nil {
		value, err := settings.Credential(*ref)
		if err != nil {
			return nil, "", err
		}
		key = string(value)
	}
	client, err = fetch.New(config)
	return client, key, err
}

// source is one server. Poll and ObservedThrough are called from one goroutine.
type source struct {
	server     server
	translator translator

	interval, overlap, lookback, recheck time.Duration
	maxPages                             int
	now                                  func() time.Time
	logger                               *slog.Logger

	// seen has what requests said that the ledger has, so that reading them again costs it nothing. It holds as
	// long as the ledger has the position that was left, and not after a backup was restored.
	seen map[requestHash][32]byte
	left json.RawMessage
	// observed is the instant through which everything has been read, changes included.
	observed time.Time
	// undated and blind say that the server does not heed start_date and end_date, or service_request_id.
	undated, blind bool
}

// Interval implements channel.Poller.
func (s *source) Interval() time.Duration { return s.interval }

// ObservedThrough implements channel.Observer: a poll reads new requests, and only a complete round
// reads what happened to the others.
func (s *source) ObservedThrough() time.Time { return s.observed }

// Close implements channel.Source.
func (s *source) Close() error { return s.server.client.Close() }

// Poll implements channel.Poller.
func (s *source) Poll(ctx context.Context, raw json.RawMessage, sink channel.Sink) error {
	if !bytes.Equal(raw, s.left) {
		clear(s.seen)
	}
	c, err := decodeCursor(raw)
	if err != nil {
		// Reading everything again is safe: the ledger drops what it knows.
		s.logger.Warn("Began from the start, as the position made no sense")
		c = cursor{}
	}
	p := &poll{
		source: s, sink: sink, cursor: c, known: decodeTransitions(c.Transitions),
		started: s.now().UTC().Truncate(time.Second), sent: s.server.sent, read: map[string]bool{},
	}
	if err := p.readList(ctx); err != nil {
		return err
	}
	if err := p.readOpen(ctx); err != nil {
		return err
	}
	s.advise(sink)
	return nil
}

// advise shows what the server cannot do and should, as long as that is so.
func (s *source) advise(sink channel.Sink) {
	if s.undated {
		sink.Problem(ledgerapi.ReasonInvalidResponse, "the server does not heed start_date and end_date; only what it lists at once can be read", 0)
	}
	if s.blind {
		sink.Problem(ledgerapi.ReasonInvalidResponse, "the server does not heed service_request_id; what happens to older requests cannot be read", 0)
	}
}

var (
	_ channel.Type     = Type{}
	_ channel.Poller   = (*source)(nil)
	_ channel.Observer = (*source)(nil)
)
