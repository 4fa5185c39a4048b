package meta

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// subscription is what Meta would deliver.
type subscription struct {
	// messages says that messages are delivered, and so may be read.
	messages bool
	// lost is why Meta does not deliver what it should; nil is that it does.
	lost *channel.Error
}

// The fields of a subscription without which complaints are missed.
const (
	fieldFeed     = "feed"
	fieldComments = "comments"
	fieldMessages = "messages"
)

func notSubscribed(format string, args ...any) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonNotSubscribed, Message: fmt.Sprintf(format, args...)}
}

// subscribed asks whether Meta delivers: to the app at all, and of this Page or account. Meta ends either when
// deliveries fail for long, and then says nothing of it.
func (s *source) subscribed(ctx context.Context) (subscription, error) {
	of, err := s.asset(ctx)
	if err != nil || of.lost != nil || s.page == "" {
		return of, err
	}
	of.lost, err = s.application(ctx)
	return of, err
}

// asset asks which apps hear of the Page, or of the account where there is no Page.
func (s *source) asset(ctx context.Context) (subscription, error) {
	node, needed := s.page, fieldFeed
	if node == "" {
		node, needed = s.instagram, fieldComments
	}
	var answer struct {
		Data []struct {
			ID     ident    `json:"id"`
			Fields []string `json:"subscribed_fields"`
		} `json:"data"`
	}
	if err := s.graph.get(ctx, s.graph.client, node+"/subscribed_apps", url.Values{"fields": {"id,subscribed_fields"}}, &answer); err != nil {
		return subscription{}, err
	}
	for _, app := range answer.Data {
		if app.ID != "" && string(app.ID) != s.app {
			continue
		}
		of := subscription{messages: slices.Contains(app.Fields, fieldMessages)}
		if !slices.Contains(app.Fields, needed) {
			of.lost = notSubscribed("the app does not hear of the field %s of %s; subscribe it by POST /%s/subscribed_apps", needed, node, node)
		}
		return of, nil
	}
	return subscription{lost: notSubscribed(
		"the app is not subscribed to %s, so that Meta delivers nothing; Meta ends the subscription of an app whose deliveries fail for an hour: subscribe it again by POST /%s/subscribed_apps", node, node)}, nil
}

// application asks what is delivered to the app at all.
func (s *source) application(ctx context.Context) (*channel.Error, error) {
	var answer struct {
		Data []struct {
			Object string `json:"object"`
			Active bool   `json:"active"`
			Fields []struct {
				Name string `json:"name"`
			} `json:"fields"`
		} `json:"data"`
	}
	if err := s.asApp(ctx, s.app+"/subscriptions", &answer); err != nil {
		return nil, err
	}
	needed := map[string]string{objectPage: fieldFeed}
	if s.instagram != "" {
		needed[objectInstagram] = fieldComments
	}
	for _, object := range [...]string{objectPage, objectInstagram} {
		name, asked := needed[object]
		if !asked {
			continue
		}
		heard := false
		for _, of := range answer.Data {
			for _, f := range of.Fields {
				heard = heard || of.Object == object && of.Active && f.Name == name
			}
		}
		if !heard {
			return notSubscribed("the app's webhook is not active for the field %s of the object %s; set it up in the app's dashboard, under Webhooks", name, object), nil
		}
	}
	return nil, nil //nolint:nilnil // nothing is lost, and nothing failed
}

// asApp asks with the app's own token. Where its secret is being changed one of several is the right one.
func (s *source) asApp(ctx context.Context, path string, answer any) error {
	var err error
	for _, client := range s.graph.app {
		if err = s.graph.get(ctx, client, path, nil, answer); err == nil {
			return nil
		}
		if failure, ok := errors.AsType[*channel.Error](err); !ok || failure.Reason != ledgerapi.ReasonUnauthorized {
			return err
		}
	}
	return err
}
