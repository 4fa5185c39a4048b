package email

import (
	"context"
	"fmt"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// credentials are how a user logs in.
type credentials struct {
	user string
	// password is used where token is nil.
	password string
	// token yields an OAuth 2.0 access token; refuse has the next one got anew.
	token  func(context.Context) (string, error)
	refuse func()
}

// login authenticates with the best that the server offers. A password is sent over TLS only, as there is
// nothing else.
func (c *credentials) login(ctx context.Context, client *imapclient.Client) error {
	caps := client.Caps()
	if c.token == nil {
		if caps.Has(imap.AuthCap(sasl.Plain)) {
			return client.Authenticate(sasl.NewPlainClient("", c.user, c.password))
		}
		if caps.Has(imap.CapLoginDisabled) {
			return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "the mail server takes no passwords; use auth of type OAuth2 or Bearer"}
		}
		return client.Login(c.user, c.password).Wait()
	}
	token, err := c.token(ctx)
	if err != nil {
		return err
	}
	switch {
	case caps.Has(imap.AuthCap(xoauth2)):
		return client.Authenticate(&xoauth2Client{c.user, token})
	case caps.Has(imap.AuthCap(sasl.OAuthBearer)):
		return client.Authenticate(sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: c.user, Token: token}))
	}
	return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "the mail server takes no tokens (neither XOAUTH2 nor OAUTHBEARER); use auth of type Password"}
}

// refused is told that the server did not let the user in.
func (c *credentials) refused() {
	if c.refuse != nil {
		c.refuse()
	}
}

// xoauth2 is what Google and Microsoft made before there was OAUTHBEARER (RFC 7628).
// https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
const xoauth2 = "XOAUTH2"

// xoauth2Client implements sasl.Client.
type xoauth2Client struct{ user, token string }

// Start implements sasl.Client.
func (c *xoauth2Client) Start() (mechanism string, response []byte, err error) {
	return xoauth2, fmt.Appendf(nil, "user=%s\x01auth=Bearer %s\x01\x01", c.user, c.token), nil
}

// Next implements sasl.Client: what follows is an error, which is to be answered with nothing.
func (c *xoauth2Client) Next([]byte) ([]byte, error) { return []byte{}, nil }

var _ sasl.Client = (*xoauth2Client)(nil)
