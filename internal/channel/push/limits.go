package push

import (
	"net/http"
	"time"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
)

// Defaults of DeliveryLimits, which the API server fills in as well.
const (
	defaultUsualDelay        = time.Minute
	defaultMaxBodyBytes      = 1 << 20
	defaultRequestsPerSecond = 500
)

// Limited is an endpoint within limits, and how late deliveries usually are.
func Limited(limits *v1alpha1.DeliveryLimits, now func() time.Time) (*Endpoint, time.Duration) {
	return NewEndpoint(channel.Number(limits.MaxBodyBytes, defaultMaxBodyBytes), channel.Number(limits.RequestsPerSecond, defaultRequestsPerSecond), now),
		channel.Duration(limits.UsualDelay, defaultUsualDelay)
}

// HeaderToken verifies a sender by a secret that it shows in a header as it is.
type HeaderToken struct {
	Header string
	Tokens Tokens
}

// Verify implements Verifier.
func (h HeaderToken) Verify(header http.Header, _ []byte) *channel.Error {
	switch value := header.Get(h.Header); {
	case value == "":
		return Refused("the header %s is missing", h.Header)
	case !h.Tokens.Has(value):
		return Refused("the header %s has not the right token", h.Header)
	}
	return nil
}
