package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// poster sends deliveries over one connection.
type poster interface {
	Post(body []byte, name, value string) (Answer, error)
	Close()
}

// standard is a connection of Go's own HTTP client, which costs what programs that send usually spend.
type standard struct {
	//nolint:containedctx // it is that of the run, as each request needs one
	ctx    context.Context
	client *http.Client
	target string
	header http.Header
}

func newStandard(ctx context.Context, target string, extra ...string) *standard {
	s := &standard{
		ctx: ctx, target: target, header: http.Header{"Content-Type": {"application/json"}},
		// Asked for compression, Benthos makes a compressor for each of its empty answers.
		client: &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1, DisableCompression: true}, Timeout: requestTimeout},
	}
	for _, line := range extra {
		name, value, _ := strings.Cut(line, ": ")
		s.header.Add(name, value)
	}
	return s
}

// Post implements poster.
func (s *standard) Post(body []byte, name, value string) (Answer, error) {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.target, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("making a request: %w", err)
	}
	request.Header = s.header.Clone()
	request.Header.Set(name, value)
	response, err := s.client.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("sending: %w", err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return Answer{}, fmt.Errorf("receiving: %w", err)
	}
	return Answer{Status: response.StatusCode, RetryAfter: response.Header.Get("Retry-After") != ""}, nil
}

// Close implements poster.
func (s *standard) Close() { s.client.CloseIdleConnections() }
