// Package load sends deliveries over many connections and measures how long they take. Its client shares
// the machine with what it measures, so that it does as little as HTTP/1.1 allows.
package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"
)

// requestTimeout is how long one delivery may take.
const requestTimeout = 60 * time.Second

// Client is one connection. It is for one goroutine.
type Client struct {
	address, head string
	connection    net.Conn
	reader        *bufio.Reader
	buffer        []byte
}

// Dial connects to a URL of the scheme http. Extra are header lines that each request has.
func Dial(ctx context.Context, target string, extra ...string) (*Client, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("reading an address: %w", err)
	}
	c := &Client{address: u.Host}
	c.head = "POST " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nContent-Type: application/json\r\n"
	for _, line := range extra {
		c.head += line + "\r\n"
	}
	return c, c.connect(ctx)
}

func (c *Client) connect(ctx context.Context) (err error) {
	if c.connection, err = new(net.Dialer).DialContext(ctx, "tcp", c.address); err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	c.reader = bufio.NewReaderSize(c.connection, 4<<10)
	return nil
}

// Answer is what came back.
type Answer struct {
	Status int
	// RetryAfter says that the answer asked to come again later.
	RetryAfter bool
}

// Post sends a body with one more header line and returns the answer. After an error the connection
// cannot be used again.
func (c *Client) Post(body []byte, name, value string) (Answer, error) {
	c.buffer = append(c.buffer[:0], c.head...)
	c.buffer = append(append(append(append(c.buffer, name...), ": "...), value...), "\r\nContent-Length: "...)
	c.buffer = append(strconv.AppendInt(c.buffer, int64(len(body)), 10), "\r\n\r\n"...)
	c.buffer = append(c.buffer, body...)
	if err := c.connection.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return Answer{}, fmt.Errorf("setting a deadline: %w", err)
	}
	if _, err := c.connection.Write(c.buffer); err != nil {
		return Answer{}, fmt.Errorf("sending: %w", err)
	}
	return c.answer()
}

var errMalformed = errors.New("the answer is not HTTP/1.1")

func (c *Client) answer() (a Answer, err error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return a, fmt.Errorf("receiving: %w", err)
	}
	const status = len("HTTP/1.1 200")
	if len(line) < status {
		return a, errMalformed
	}
	if a.Status, err = strconv.Atoi(string(line[status-3 : status])); err != nil {
		return a, errMalformed
	}
	length := 0
	for {
		if line, err = c.reader.ReadSlice('\n'); err != nil {
			return a, fmt.Errorf("receiving: %w", err)
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return a, errMalformed
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return a, errMalformed // nothing that is measured answers so
		case bytes.EqualFold(name, []byte("Retry-After")):
			a.RetryAfter = true
		}
	}
	if _, err := io.CopyN(io.Discard, c.reader, int64(length)); err != nil {
		return a, fmt.Errorf("receiving: %w", err)
	}
	return a, nil
}

// Close ends the connection.
func (c *Client) Close() { _ = c.connection.Close() }
