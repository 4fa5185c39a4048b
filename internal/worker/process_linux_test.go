package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel/open311"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger"
	"github.com/tanggap/tanggap/internal/ledger/client"
	ledgerserver "github.com/tanggap/tanggap/internal/ledger/server"
	"github.com/tanggap/tanggap/internal/ledger/store"
	"github.com/tanggap/tanggap/internal/ledger/store/sqlite"
	"github.com/tanggap/tanggap/internal/policy"
	simulator "github.com/tanggap/tanggap/internal/simulator/open311"
)

// Environment by which the test binary becomes another process.
const (
	envRole   = "TANGGAP_TEST_ROLE"   // worker or ledger
	envListen = "TANGGAP_TEST_LISTEN" // where it listens
	envLedger = "TANGGAP_TEST_LEDGER" // base URL of the ledger
	envSource = "TANGGAP_TEST_SOURCE" // base URL of the Open311 server
	envData   = "TANGGAP_TEST_DATA"   // directory of the ledger
	envToken  = "TANGGAP_TEST_TOKEN"  // file with the worker's token
)

func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var err error
	switch os.Getenv(envRole) {
	case "":
		os.Exit(m.Run()) //nolint:gocritic // nothing is left to stop
	case "worker":
		err = workerProcess(ctx)
	case "ledger":
		err = ledgerProcess(ctx)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// workerProcess runs a worker of two channels: one that reads an Open311 server, one that is delivered to.
func workerProcess(ctx context.Context) error {
	ledgerClient, err := client.New(client.Config{BaseURL: os.Getenv(envLedger), TokenFile: os.Getenv(envToken)})
	if err != nil {
		return err
	}
	options := optionsOf(ledgerClient, open311.Type{}, opens(pushType, &plainPusher{}))
	options.Random = rand.Float64
	var listen net.ListenConfig
	if options.Hooks, err = listen.Listen(ctx, "tcp", os.Getenv(envListen)); err != nil {
		return err
	}
	if options.Health, err = listen.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	short := &metav1.Duration{Duration: 30 * time.Millisecond}
	config := configOf("dsw:open311", "112:push")
	config.Channels[0].Source.Open311 = &v1alpha1.Open311Source{
		URL: v1alpha1.HTTPURL(os.Getenv(envSource)), RecheckInterval: short,
		Polling: &v1alpha1.Polling{Interval: short, RequestsPerMinute: new(int32(60_000))},
	}
	fmt.Println("ready") // for the process that started this one
	return New(config, options).Run(ctx)
}

// ledgerProcess runs a ledger on SQLite.
func ledgerProcess(ctx context.Context) error {
	storage, err := sqlite.Open(os.Getenv(envData), sqlite.Options{})
	if err != nil {
		return err
	}
	logger := slog.New(slog.DiscardHandler)
	l, err := ledger.Open(ctx, ledger.Options{Store: storage, Log: logger})
	if err != nil {
		return err
	}
	go l.Run(ctx)
	document := policy.Document{Channels: map[string]policy.Channel{
		"dsw": {Type: "open311", Official: true, Writer: "worker"}, "112": {Type: "webhook", Official: true, Writer: "worker"},
	}}
	if _, err := l.PutPolicy(ctx, document.Seal()); err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", os.Getenv(envListen))
	if err != nil {
		return err
	}
	fmt.Println("ready") // for the process that started this one
	return ledgerserver.Serve(ctx, listener, ledgerserver.New(l, everybody{}, logger), nil, logger)
}

// everybody is whoever has a token.
type everybody struct{}

func (everybody) Review(context.Context, string) (string, error) { return "worker", nil }

func (everybody) MayReply(context.Context, string, string) (bool, error) { return true, nil }

// process is this test binary as another process.
type process struct {
	command *exec.Cmd
	output  strings.Builder
}

// spawn starts a process and waits until it says that it is ready.
func spawn(t *testing.T, role string, env ...string) *process {
	t.Helper()
	p := &process{command: exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])}
	p.command.Env = append(append(os.Environ(), envRole+"="+role), env...)
	p.command.Stderr = &p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		_ = p.command.Wait()
		t.Fatalf("the %s said %q: %v\n%s", role, line, err, p.output.String())
	}
	return p
}

// kill ends the process as power failures and the kernel do.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// ownAddress is a loopback address of this test alone: unlike a free port of 127.0.0.1, no connection can
// take it while a process that is to listen on it starts again.
func ownAddress(random *rand.Rand) string {
	return fmt.Sprintf("127.%d.%d.%d:8443", 100+random.IntN(100), random.IntN(256), 1+random.IntN(250))
}

// platform delivers events to the worker, each until it is acknowledged.
type platform struct {
	url string

	mu           sync.Mutex
	acknowledged []string
}

func (p *platform) run(t *testing.T, ctx context.Context, name string) { //nolint:revive // t first, as in every helper
	t.Helper()
	for n := 0; ctx.Err() == nil; n++ {
		event := received(n, time.Now())
		event.ID = fmt.Sprintf("%s-%06d", name, n)
		event.CaseID = event.ID
		body, _ := json.Marshal([]complaint.Event{event})          // can always be written
		for send(t, p.url, string(body)) != http.StatusNoContent { //nolint:contextcheck // a delivery under way is not broken off
			select {
			case <-ctx.Done():
				return // never acknowledged: it may be there or not
			case <-time.After(5 * time.Millisecond):
			}
		}
		p.mu.Lock()
		p.acknowledged = append(p.acknowledged, event.ID)
		p.mu.Unlock()
	}
}

// TestKilledProcessesLoseAndDoubleNothing kills the worker and the ledger again and again at random
// moments while citizens complain on both channels. What a platform was told is stored is stored once,
// and what the Open311 server has is read once.
func TestKilledProcessesLoseAndDoubleNothing(t *testing.T) {
	const rounds = 24
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	city := simulator.New(simulator.Options{Now: time.Now, PageSize: 25})
	source := httptest.NewServer(city)
	defer source.Close()
	ledgerAddress, hooksAddress := ownAddress(random), ownAddress(random)
	data, token := t.TempDir(), filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a token"), 0o600); err != nil {
		t.Fatal(err)
	}
	startLedger := func() *process { return spawn(t, "ledger", envListen+"="+ledgerAddress, envData+"="+data) }
	startWorker := func() *process {
		return spawn(t, "worker", envListen+"="+hooksAddress, envLedger+"=http://"+ledgerAddress, envSource+"="+source.URL, envToken+"="+token)
	}

	ctx, stop := context.WithCancel(t.Context())
	emergency := &platform{url: "http://" + hooksAddress + "/hooks/112"}
	var citizens sync.WaitGroup
	for i := range 4 {
		citizens.Go(func() { emergency.run(t, ctx, fmt.Sprintf("caller%d", i)) })
	}
	requests, closed := 0, 0
	citizens.Go(func() {
		var open []string
		for ctx.Err() == nil {
			open = append(open, city.AddRequest(simulator.Request{Description: "Sampah menumpuk"}))
			requests++
			if len(open) > 20 {
				city.Close(open[0], "Selesai")
				open = open[1:]
				closed++
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	})

	ledgerProcess, workerProcess := startLedger(), startWorker()
	t.Cleanup(func() { ledgerProcess.kill(); workerProcess.kill() }) // when the test ends before its end
	for round := range rounds {
		<-time.After(time.Duration(random.IntN(250)) * time.Millisecond)
		if round%3 == 2 {
			ledgerProcess.kill()
			ledgerProcess = startLedger()
		} else {
			workerProcess.kill()
			workerProcess = startWorker()
		}
	}
	stop()
	citizens.Wait()

	// The worker that is left reads what has not been read yet.
	ledgerClient, err := client.New(client.Config{BaseURL: "http://" + ledgerAddress, TokenFile: token})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "every request of the Open311 server", func() bool { return count(t, ledgerClient, "") == requests })
	eventually(t, "every closure", func() bool { return count(t, ledgerClient, "closed") == closed })
	if err := workerProcess.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := workerProcess.command.Wait(); err != nil {
		t.Errorf("the worker ended with %v\n%s", err, workerProcess.output.String())
	}
	ledgerProcess.kill()
	t.Logf("%d requests, %d of them closed, %d deliveries acknowledged", requests, closed, len(emergency.acknowledged))
	verify(t, data, requests, closed, emergency.acknowledged)
}

// count is the number of cases of the Open311 server in a state.
func count(t *testing.T, c *client.Client, state string) (cases int) {
	t.Helper()
	query := client.CasesQuery{Channel: "dsw", State: state, Limit: 1000}
	for {
		page, err := c.Cases(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		cases += len(page.Cases)
		if query.After = page.Next; query.After == "" {
			return cases
		}
	}
}

// verify looks into the ledger's files.
func verify(t *testing.T, data string, requests, closed int, acknowledged []string) {
	t.Helper()
	storage, err := sqlite.Open(data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer storage.Close()
	differences, err := ledger.Verify(t.Context(), storage, nil)
	if err != nil || len(differences) > 0 {
		t.Errorf("a recount: %v %v", err, differences)
	}
	kinds, delivered := map[string]int{}, map[string]int{}
	err = storage.View(t.Context(), func(r store.Reader) error {
		return eachEvent(t.Context(), r, func(e *store.Event) {
			if e.Channel == "112" {
				delivered[e.ID]++
			} else {
				kinds[string(e.Kind)+string(e.To)]++
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"Received": requests, "StatusChangedResolved": closed}, kinds); diff != "" {
		t.Errorf("events of the Open311 server (-want +got):\n%s", diff)
	}
	for _, id := range acknowledged {
		if delivered[id] != 1 {
			t.Errorf("the acknowledged delivery %s is there %d times", id, delivered[id])
		}
	}
	// What was not acknowledged may be there all the same: at most the last of each of the four.
	if extra := len(delivered) - len(acknowledged); extra > 4 {
		t.Errorf("%d deliveries are there that nobody was told of", extra)
	}
}

// eachEvent calls f with every event.
func eachEvent(ctx context.Context, r store.Reader, f func(*store.Event)) error {
	query := store.PageQuery{Limit: 1000, Scan: 1000}
	for {
		cases, next, err := r.Page(ctx, query)
		if err != nil {
			return err
		}
		keys := make([]complaint.CaseKey, len(cases))
		for i := range cases {
			keys[i] = cases[i].CaseKey
		}
		lists, err := r.Events(ctx, keys)
		if err != nil {
			return err
		}
		for _, events := range lists {
			for i := range events {
				f(&events[i])
			}
		}
		if query.After = next; next == nil {
			return nil
		}
	}
}
