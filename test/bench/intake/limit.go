package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/tanggap/tanggap/test/site"
)

// delivery is the body of load.Deliveries.
type delivery struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Phone    string    `json:"phone"`
	Address  string    `json:"address"`
	Location struct {
		Lat float64 `json:"lat"`
		Lon float64 `json:"lon"`
	} `json:"location"`
	Photo  string `json:"photo"`
	Source string `json:"source"`
	Text   string `json:"text"`
}

// serveLimit is the durable limit: the same HTTP server, signature and parser as a worker has, and then one
// append to a file and one fdatasync for all that wait.
func serveLimit(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("limit", flag.ContinueOnError)
	path := flags.String("file", "", "the file that bodies are appended to")
	secret := flags.String("secret", "", "the secret that signs deliveries")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	file, err := os.Create(*path)
	if err != nil {
		return fmt.Errorf("creating the file: %w", err)
	}
	defer func() { _ = file.Close() }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	l := &limit{file: file, secret: []byte(*secret), queue: make(chan *entry, 4096)}
	go l.run()
	server := &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	fmt.Println(listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

type limit struct {
	file   *os.File
	secret []byte
	queue  chan *entry
}

// entry waits for the disk.
type entry struct {
	body []byte
	done chan error
}

// run takes whatever waits as soon as the sync before it has ended.
func (l *limit) run() {
	var group []*entry
	var all []byte
	for first := range l.queue {
		group, all = append(group[:0], first), all[:0]
		for more := true; more; {
			select {
			case e := <-l.queue:
				group = append(group, e)
			default:
				more = false
			}
		}
		for _, e := range group {
			all = append(append(all, e.body...), '\n')
		}
		_, err := l.file.Write(all)
		if err == nil {
			err = syscall.Fdatasync(int(l.file.Fd()))
		}
		for _, e := range group {
			e.done <- err
		}
	}
}

// ServeHTTP implements http.Handler.
func (l *limit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	mac := hmac.New(sha256.New, l.secret)
	mac.Write(body)
	sent, err := hex.DecodeString(strings.TrimPrefix(r.Header.Get(site.SignatureHeader), "sha256="))
	if err != nil || !hmac.Equal(sent, mac.Sum(nil)) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var d delivery
	if err := json.Unmarshal(body, &d); err != nil || d.ID == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e := &entry{body: body, done: make(chan error, 1)}
	l.queue <- e
	if err := <-e.done; err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
