// Package x reads an account on X by the X API v2: the posts that mention it, which are complaints, and
// the account's own posts, among which are the answers. Both are timelines of which X shows the latest
// posts only, newest first.
package x

import (
	"context"
	"encoding/json"
	"errors"
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
	defaultURL      = "https://api.x.com"
	defaultInterval = time.Minute
	defaultOverlap  = 10 * time.Minute
	defaultLookback = 720 * time.Hour
	defaultMaxPages = 1000
)

// Type is the source type x.
type Type struct{}

// Name implements channel.Type.
func (Type) Name() v1alpha1.SourceType { return v1alpha1.SourceX }

// Open implements channel.Type.
func (Type) Open(settings channel.Settings) (channel.Source, error) {
	spec := settings.Spec.X
	if spec == nil {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "x: must be set when type is x"}
	}
	address := string(spec.URL)
	if address == "" {
		address = defaultURL
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "x.url: must be an absolute URL"}
	}
	account := string(spec.UserID)
	if _, ok := parseID(account); !ok {
		return nil, &channel.Error{Reason: ledgerapi.ReasonInternal, Message: "x.userID: must be the account's numeric id"}
	}
	token, err := settings.Credential(spec.BearerTokenSecretRef)
	if err != nil {
		return nil, err
	}
	polling := v1alpha1.Polling{}
	if spec.Polling != nil {
		polling = *spec.Polling
	}
	client, err := fetch.New(fetch.Config{
		Transport:         &quota{next: settings.Transport, now: settings.Now, spent: map[string]time.Time{}},
		Timeout:           channel.Duration(polling.Timeout, 0),
		RequestsPerMinute: channel.Number(polling.RequestsPerMinute, 0),
		Authorizer:        fetch.Bearer(token),
		Now:               settings.Now,
		After:             settings.After,
	})
	if err != nil {
		return nil, err
	}
	s := &source{
		client: client, base: base, account: account, agencies: []string{account},
		interval: channel.Duration(polling.Interval, defaultInterval),
		overlap:  channel.Duration(polling.Overlap, defaultOverlap),
		lookback: channel.Duration(polling.Lookback, defaultLookback),
		maxPages: channel.Number(polling.MaxPages, defaultMaxPages),
		now:      settings.Now,
		logger:   settings.Logger,
	}
	for _, agency := range spec.AgencyUserIDs {
		s.agencies = append(s.agencies, string(agency))
	}
	if spec.Reply != nil {
		if s.sender, err = newSender(spec.Reply, base, settings); err != nil {
			return nil, err
		}
	}
	if spec.Webhook != nil {
		return s.deliveredTo(spec.Webhook, settings)
	}
	return s, nil
}

// source is one account. Poll and ObservedThrough are called from one goroutine.
type source struct {
	client *fetch.Client
	base   *url.URL
	// account is the id of the account that citizens mention, agencies are the ids of all accounts whose
	// replies answer.
	account  string
	agencies []string

	interval, overlap, lookback time.Duration
	maxPages                    int
	now                         func() time.Time
	logger                      *slog.Logger

	// observed is the instant through which both timelines have been read.
	observed time.Time

	// sender is nil where replies are not allowed.
	sender *sender
}

// Interval implements channel.Poller.
func (s *source) Interval() time.Duration { return s.interval }

// ObservedThrough implements channel.Observer: a timeline that was read in several polls has been read
// through the beginning of the first of them.
func (s *source) ObservedThrough() time.Time { return s.observed }

// Close implements channel.Source.
func (s *source) Close() error {
	if s.sender != nil {
		return errors.Join(s.client.Close(), s.sender.client.Close())
	}
	return s.client.Close()
}

// Poll implements channel.Poller. The account's own posts come first: they tell below which of them
// citizens write.
func (s *source) Poll(ctx context.Context, saved json.RawMessage, sink channel.Sink) error {
	now := s.now().UTC().Truncate(time.Millisecond)
	p := &poll{source: s, sink: sink, cursor: s.open(saved, now), now: now}
	if err := p.read(ctx, ownPosts, &p.cursor.Posts, nil); err != nil {
		return err
	}
	return p.read(ctx, mentions, &p.cursor.Mentions, &p.cursor.Posts)
}

var (
	_ channel.Type     = Type{}
	_ channel.Poller   = (*source)(nil)
	_ channel.Observer = (*source)(nil)
	_ channel.Replier  = (*source)(nil)
)
