package meta

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/channel/graphapi"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// graph reads the Graph API.
type graph struct {
	base *url.URL
	// client reads for reconciliation, and urgent what a delivery waits for: it must not stand behind the other.
	client, urgent *fetch.Client
	// app are clients with the app's own tokens, one for each of its secrets.
	app []*fetch.Client
}

// newGraph reads the credentials of the Graph API.
func newGraph(spec *v1alpha1.MetaSource, reconcile *v1alpha1.MetaReconcile, settings channel.Settings) (*graph, error) {
	base, err := baseURL(spec)
	if err != nil {
		return nil, err
	}
	token, err := settings.Credential(spec.AccessTokenSecretRef)
	if err != nil {
		return nil, err
	}
	transport, err := graphapi.Prove(settings.Transport, spec.AppSecretSecretRefs, settings.Credential)
	if err != nil {
		return nil, err
	}
	config := fetch.Config{
		Transport: &quota{next: transport, now: settings.Now}, Timeout: channel.Duration(reconcile.Timeout, 0),
		RequestsPerMinute: channel.Number(reconcile.RequestsPerMinute, 0), Authorizer: fetch.Bearer(token),
		Now: settings.Now, After: settings.After,
	}
	g := &graph{base: base}
	if g.client, err = fetch.New(config); err != nil {
		return nil, err
	}
	if g.urgent, err = fetch.New(config); err != nil {
		return nil, err
	}
	for _, ref := range spec.AppSecretSecretRefs {
		secret, err := settings.Credential(ref)
		if err != nil {
			return nil, err
		}
		g.app = append(g.app, g.client.With(fetch.Bearer(string(spec.AppID)+"|"+string(secret))))
	}
	return g, nil
}

func (g *graph) close() error {
	if err := g.urgent.Close(); err != nil {
		return err
	}
	return g.client.Close()
}

// get reads an object or a list into answer.
func (g *graph) get(ctx context.Context, client *fetch.Client, path string, query url.Values, answer any) error {
	target := g.base.JoinPath(path)
	target.RawQuery = query.Encode()
	response, err := client.Get(ctx, target, nil)
	if err != nil {
		return err
	}
	if json.Unmarshal(response.Body, answer) != nil {
		return invalid("the answer is not that of the Graph API; check url")
	}
	return nil
}

// page is a page of a list.
type page struct {
	Data   []json.RawMessage `json:"data"`
	Paging struct {
		Cursors struct {
			After string `json:"after"`
		} `json:"cursors"`
		Next string `json:"next"`
	} `json:"paging"`
}

// next is the cursor of the next page; "" is the end.
func (p *page) next() string {
	if p.Paging.Next == "" {
		return ""
	}
	return p.Paging.Cursors.After
}

func invalid(message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: message}
}
