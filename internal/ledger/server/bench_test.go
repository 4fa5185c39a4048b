package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
)

// benchPolicy has one channel with three clocks and a taxonomy, as a city would.
func benchPolicy() policy.Document {
	return policy.Document{
		Channels: map[string]policy.Channel{"dsw": {
			Type: "webhook", Official: true, Writer: "worker", SLA: "city", Calendar: "office", Taxonomy: "words",
		}},
		SLAs: map[string]sla.Spec{"city": {Rules: []sla.Rule{{Name: "all", Clocks: []sla.Clock{
			{Name: "FirstAnswer", Measures: "FirstAnswer", Target: sla.Target{WorkingTime: "8h"}, WarnBefore: "25%"},
			{Name: "NextReply", Measures: "NextReply", Target: sla.Target{Within: "4h"}},
			{Name: "Resolution", Measures: "TotalResolution", Target: sla.Target{WorkingDays: 5}},
		}}}}},
		Calendars: map[string]calendar.Spec{"office": {TimeZone: "Asia/Jakarta", Weekly: []calendar.WeeklyHours{{
			Days: []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}, Hours: []calendar.Interval{{Start: "07:30", End: "16:00"}},
		}}}},
		Taxonomies: map[string]taxonomy.Spec{"words": {
			Departments: []taxonomy.Department{{Name: "dpupr"}, {Name: "dlhk"}, {Name: "dishub"}},
			Categories: []taxonomy.Category{
				{Name: "flood", Department: "dpupr", Priority: "high", Keywords: []string{"banjir", "genangan"}},
				{Name: "garbage", Department: "dlhk", Keywords: []string{"sampah"}},
				{Name: "traffic", Department: "dishub", Keywords: []string{"macet"}},
			},
		}},
		Linking: policy.Linking{Window: "72h"},
	}.Seal()
}

type anyToken struct{}

func (anyToken) Review(context.Context, string) (string, error) { return "worker", nil }

func (anyToken) MayReply(context.Context, string, string) (bool, error) { return true, nil }

// BenchmarkAppend sends one complaint a request over 64 connections, answered after the commit, and
// beside it the same bodies to a server that does nothing but append them to a file and sync it, as many
// at a time as wait: the durable limit of the machine. The two take turns within one run.
func BenchmarkAppend(b *testing.B) {
	for _, connections := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			dir := b.TempDir()
			storage, err := sqlite.Open(dir, sqlite.Options{})
			if err != nil {
				b.Fatal(err)
			}
			names := filepath.Join(dir, "key")
			if err := os.WriteFile(names, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
				b.Fatal(err)
			}
			pseudonyms, err := ledger.ReadPseudonymKeys(names)
			if err != nil {
				b.Fatal(err)
			}
			l, err := ledger.Open(b.Context(), ledger.Options{Store: storage, Pseudonyms: pseudonyms})
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() { l.Run(ctx) })
			running.Go(func() { l.Maintain(ctx) })
			if _, err := l.PutPolicy(ctx, benchPolicy()); err != nil {
				b.Fatal(err)
			}
			server := httptest.NewServer(New(l, anyToken{}, slog.New(slog.DiscardHandler)))
			limit := newDurableLimit(b, filepath.Join(dir, "limit"))
			file := httptest.NewServer(limit)
			b.Cleanup(func() {
				server.Close()
				file.Close()
				limit.close()
				stop()
				running.Wait()
				_ = storage.Close()
			})

			var serial atomic.Int64
			body := func() []byte {
				n := serial.Add(1)
				e := complaint.Event{
					CaseID: fmt.Sprintf("DSW-2026-%08d", n), ID: fmt.Sprintf("DSW-2026-%08d-1", n), Kind: complaint.KindReceived,
					Actor: complaint.ActorCitizen, OccurredAt: time.Now(), Reporter: &complaint.Reporter{Phone: fmt.Sprintf("08%09d", n)},
					Text:       "Selamat pagi, di depan rumah saya " + []string{"banjir", "sampah", "macet"}[n%3] + fmt.Sprintf("%0400d", n),
					Attributes: map[string]string{"address": "Jalan Margonda Raya", "source": "app"},
				}
				encoded, err := json.Marshal(ledgerapi.AppendRequest{Events: []complaint.Event{e}})
				if err != nil {
					panic(err)
				}
				return encoded
			}
			const slice = 250 * time.Millisecond
			var own, base load
			for b.Loop() {
				base.run(b, file.URL, connections, slice, body)
				own.run(b, server.URL+"/v1/channels/dsw/events", connections, slice, body)
			}
			b.ReportMetric(own.rate(), "req/s")
			b.ReportMetric(base.rate(), "limit-req/s")
			b.ReportMetric(own.rate()/base.rate(), "of-limit")
			b.ReportMetric(own.quantile(0.5), "p50-ms")
			b.ReportMetric(own.quantile(0.99), "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// load is what a load client has seen.
type load struct {
	took  []time.Duration
	spent time.Duration
}

func (l *load) run(b *testing.B, url string, connections int, d time.Duration, body func() []byte) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var mu sync.Mutex
	var wg sync.WaitGroup
	started := time.Now()
	for range connections {
		wg.Go(func() {
			var took []time.Duration
			for time.Since(started) < d {
				sent := time.Now()
				req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body()))
				if err != nil {
					b.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer t")
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					b.Errorf("The status is %d", resp.StatusCode)
					return
				}
				took = append(took, time.Since(sent))
			}
			mu.Lock()
			defer mu.Unlock()
			l.took = append(l.took, took...)
		})
	}
	wg.Wait()
	l.spent += time.Since(started)
}

func (l *load) rate() float64 { return float64(len(l.took)) / l.spent.Seconds() }

func (l *load) quantile(q float64) float64 {
	slices.Sort(l.took)
	if len(l.took) == 0 {
		return 0
	}
	return float64(l.took[int(q*float64(len(l.took)-1))].Microseconds()) / 1000
}

// durableLimit appends the bodies of requests to a file with one sync for all that wait.
type durableLimit struct {
	file  *os.File
	queue chan entry
	done  chan struct{}
}

type entry struct {
	body []byte
	done chan error
}

func newDurableLimit(b *testing.B, path string) *durableLimit {
	b.Helper()
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	d := &durableLimit{file: file, queue: make(chan entry, 1024), done: make(chan struct{})}
	go d.run()
	return d
}

func (d *durableLimit) run() {
	defer close(d.done)
	for first := range d.queue {
		group := []entry{first}
		for more := true; more; {
			select {
			case e, ok := <-d.queue:
				if more = ok; ok {
					group = append(group, e)
				}
			default:
				more = false
			}
		}
		var all []byte
		for _, e := range group {
			all = append(append(all, e.body...), '\n')
		}
		_, err := d.file.Write(all)
		if err == nil {
			err = syscall.Fdatasync(int(d.file.Fd()))
		}
		for _, e := range group {
			e.done <- err
		}
	}
}

func (d *durableLimit) close() {
	close(d.queue)
	<-d.done
	_ = d.file.Close()
}

// ServeHTTP reads and parses a body as the ledger does, and answers when it is on the disk.
func (d *durableLimit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var in ledgerapi.AppendRequest
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err == nil {
		e := entry{body: body, done: make(chan error, 1)}
		d.queue <- e
		err = <-e.done
	}
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, ledgerapi.AppendResponse{Accepted: 1})
}
