package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/standalone"
)

// output collects what a command prints while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// sink sets the channel of events, as the worker does.
type sink struct{ *channeltest.Ledger }

func (s sink) Append(ctx context.Context, batch channel.Batch) error {
	for i := range batch.Events {
		batch.Events[i].Channel = "dsw"
	}
	return s.Ledger.Append(ctx, batch)
}

// simulation is a simulator that runs, and the source that its manifest makes.
type simulation struct {
	t       *testing.T
	admin   string
	source  channel.Source
	ledger  *channeltest.Ledger
	handler atomic.Pointer[http.Handler]
}

// run starts `tanggap simulate` and opens the channel that it prints.
func run(t *testing.T, kind standalone.Kind, arguments ...string) *simulation {
	t.Helper()
	s := &simulation{t: t, ledger: &channeltest.Ledger{}}
	hooks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := s.handler.Load(); h != nil {
			(*h).ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable) // the worker is not there yet
	}))
	t.Cleanup(hooks.Close)
	files := t.TempDir()
	arguments = append([]string{"simulate", kind.Name, "--per-minute=0"}, arguments...)
	if kind.Pushes {
		arguments = append(arguments, "--deliver-to="+hooks.URL)
	}
	if kind.Exports {
		arguments = append(arguments, "--directory="+files)
	}
	var out output
	command := newRootCommand()
	command.SetArgs(arguments)
	command.SetOut(&out)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- command.ExecuteContext(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	s.await("it prints the manifest", func() error {
		select {
		case err := <-ended:
			ended <- err
			t.Fatal(err)
		default:
		}
		if !strings.Contains(out.String(), "kind: ComplaintChannel") {
			return errors.New("not yet")
		}
		return nil
	})
	s.admin = regexp.MustCompile(`faults at (http://\S+)\.\n`).FindStringSubmatch(out.String())[1]
	s.open(out.String(), files)
	return s
}

// open makes the source of the manifest.
func (s *simulation) open(manifest, files string) {
	s.t.Helper()
	credentials := map[string]string{}
	var c v1alpha1.ComplaintChannel
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		var secret struct {
			Kind       string
			Metadata   struct{ Name string }
			StringData map[string]string
		}
		if err := yaml.Unmarshal([]byte(document), &secret); err != nil {
			s.t.Fatal(err)
		}
		for key, value := range secret.StringData {
			credentials[secret.Metadata.Name+"/"+key] = value
		}
		if secret.Kind == "ComplaintChannel" {
			if err := yaml.UnmarshalStrict([]byte(document), &c); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	types, err := sourceTypes()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, kind := range types {
		if kind.Name() != c.Spec.Source.Type {
			continue
		}
		settings := channeltest.Settings(c.Spec.Source, nil, sourceTransport(sourceSilence), credentials)
		settings.Now, settings.After, settings.FilesDir = time.Now, time.After, files
		if s.source, err = kind.Open(settings); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = s.source.Close() })
	}
	if pusher, ok := s.source.(channel.Pusher); ok {
		handler := pusher.Handler(sink{s.ledger})
		s.handler.Store(&handler)
	}
}

func (s *simulation) await(what string, condition func() error) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s: %v", what, err)
		}
		select {
		case <-s.t.Context().Done():
			s.t.Fatal("called off")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// do asks the admin interface for a step.
func (s *simulation) do(method, path, body string) (status int, answer string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.admin+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(raw)
}

// has reads the source until the ledger has so many events of a kind.
func (s *simulation) has(kind complaint.Kind, want int) {
	s.t.Helper()
	s.await(fmt.Sprintf("%d %s arrived", want, kind), func() error {
		var err error
		if poller, ok := s.source.(channel.Poller); ok {
			for _, e := range s.ledger.Events() {
				s.ledger.Open = []string{e.CaseID}
			}
			err = poller.Poll(s.t.Context(), s.ledger.Cursor(), sink{s.ledger})
		}
		got := 0
		for _, e := range s.ledger.Events() {
			// Staff who answer once more in a conversation, and citizens, are told apart by the actor.
			if e.Kind == kind && (kind != complaint.KindAnswered || e.Actor == complaint.ActorOfficial) {
				got++
			}
		}
		if got != want {
			return errors.Join(fmt.Errorf("%d are there, with problems %q", got, s.ledger.Messages()), err)
		}
		return nil
	})
}

func (s *simulation) complain() (id string) {
	s.t.Helper()
	status, answer := s.do(http.MethodPost, "/complaints", `{"text": "Banjir di Margonda"}`)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != http.StatusCreated || made.ID == "" {
		s.t.Fatalf("got %d %s", status, answer)
	}
	return made.ID
}

// TestEverySimulatorIsReadByTheChannelItPrints: a citizen complains, the staff answer and close, and the
// source of the printed manifest sees each.
func TestEverySimulatorIsReadByTheChannelItPrints(t *testing.T) {
	for _, kind := range standalone.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			s := run(t, kind)
			id := s.complain()
			s.has(complaint.KindReceived, 1)
			if status, answer := s.do(http.MethodPost, "/complaints/"+id+"/answer", ""); status != http.StatusNoContent {
				t.Fatalf("got %d %s", status, answer)
			}
			s.has(complaint.KindAnswered, 1)
			switch status, answer := s.do(http.MethodPost, "/complaints/"+id+"/close", ""); status {
			case http.StatusNoContent:
				s.has(complaint.KindStatusChanged, 1)
			case http.StatusConflict: // nothing has an end there
			default:
				t.Fatalf("got %d %s", status, answer)
			}
			if status, _ := s.do(http.MethodPost, "/complaints/nobody/answer", ""); status != http.StatusNotFound {
				t.Errorf("the answer to nobody: got %d", status)
			}
			var listed []standalone.Complaint
			if _, answer := s.do(http.MethodGet, "/complaints", ""); json.Unmarshal([]byte(answer), &listed) != nil || len(listed) != 1 || listed[0].AnsweredAt == nil {
				t.Errorf("listed %s", answer)
			}
			if problems := s.ledger.Problems(); len(problems) > 0 {
				t.Errorf("%q", s.ledger.Messages())
			}
		})
	}
}

func TestFaultsOnRequest(t *testing.T) {
	t.Run("an answer of the system", func(t *testing.T) {
		t.Parallel()
		kind, err := standalone.Find("open311")
		if err != nil {
			t.Fatal(err)
		}
		s := run(t, kind)
		s.complain()
		if status, answer := s.do(http.MethodPost, "/faults", `{"status": 503, "retryAfterSeconds": 7}`); status != http.StatusNoContent {
			t.Fatalf("got %d %s", status, answer)
		}
		var failure *channel.Error
		if err := s.source.(channel.Poller).Poll(t.Context(), nil, sink{s.ledger}); !errors.As(err, &failure) ||
			failure.Reason != ledgerapi.ReasonServerError || failure.RetryAfter != 7*time.Second {
			t.Errorf("got %v", err)
		}
		s.has(complaint.KindReceived, 1)
		if status, _ := s.do(http.MethodPost, "/limit", `{"requestsPerMinute": 1}`); status != http.StatusNoContent {
			t.Fatalf("got %d", status)
		}
		s.await("requests are limited", func() error {
			err := s.source.(channel.Poller).Poll(t.Context(), nil, sink{s.ledger})
			if !errors.As(err, &failure) || failure.Reason != ledgerapi.ReasonRateLimited {
				return fmt.Errorf("got %w", err)
			}
			return nil
		})
	})
	for _, name := range []string{"whatsapp", "emergency112", "sms"} {
		t.Run("a delivery of "+name, func(t *testing.T) {
			t.Parallel()
			kind, err := standalone.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			s := run(t, kind)
			for i, fault := range []standalone.DeliveryFault{standalone.Twice, standalone.Lost} {
				s.do(http.MethodPost, "/faults", fmt.Sprintf(`{"delivery": %q}`, fault))
				s.complain()
				s.has(complaint.KindReceived, i+1)
			}
			for _, fault := range []standalone.DeliveryFault{standalone.Unsigned, standalone.Tampered} {
				before := s.ledger.Problems()[ledgerapi.ReasonSignatureInvalid]
				s.do(http.MethodPost, "/faults", fmt.Sprintf(`{"delivery": %q}`, fault))
				s.do(http.MethodPost, "/complaints", "")
				if after := s.ledger.Problems()[ledgerapi.ReasonSignatureInvalid]; after != before+1 {
					t.Errorf("%s: %d refused, then %d", fault, before, after)
				}
			}
		})
	}
	kind, err := standalone.Find("rest")
	if err != nil {
		t.Fatal(err)
	}
	s := run(t, kind)
	for _, fault := range []string{`{}`, `{"status": 200}`, `{"status": 503, "delivery": "twice"}`, `{"delivery": "burnt"}`, `{"state": 503}`, `{`} {
		if status, _ := s.do(http.MethodPost, "/faults", fault); status != http.StatusBadRequest {
			t.Errorf("%s: got %d", fault, status)
		}
	}
}

// TestTheScriptLeavesSomeAlone: of the complaints that arrive by themselves just those are answered that the
// script says.
func TestTheScriptLeavesSomeAlone(t *testing.T) {
	kind, err := standalone.Find("rest")
	if err != nil {
		t.Fatal(err)
	}
	s := run(t, kind, "--per-minute=6000", "--answered-percent=25", "--answer-after=1ms", "--close-after=1ms")
	s.await("some have arrived and a quarter is answered", func() error {
		_, answer := s.do(http.MethodGet, "/complaints", "")
		var listed []standalone.Complaint
		if err := json.Unmarshal([]byte(answer), &listed); err != nil {
			t.Fatal(err)
		}
		answered, closed := 0, 0
		for _, c := range listed {
			if c.AnsweredAt != nil {
				answered++
			}
			if c.ClosedAt != nil {
				closed++
			}
		}
		if len(listed) < 40 || answered < 10 || closed < 10 {
			return fmt.Errorf("%d of %d are answered, %d closed", answered, len(listed), closed)
		}
		if answered > len(listed)/4+1 {
			t.Fatalf("%d of %d are answered", answered, len(listed))
		}
		s.do(http.MethodPost, "/pause", "")
		return nil
	})
}

func TestSimulateRefusesWhatItCannotDo(t *testing.T) {
	for arguments, want := range map[string]string{
		"":                              "name one system to simulate: rest, open311",
		"rest sms":                      "name one system to simulate: rest, open311",
		"fax":                           `there is no simulator "fax"; there are rest, open311`,
		"whatsapp":                      "--deliver-to must be set",
		"emergency112-csv":              "--directory must be set",
		"rest --answered-percent=8000":  "--answered-percent must be 0 to 100",
		"rest --per-minute=-1":          "--per-minute must be 0 to 60000",
		"rest --listen=nowhere":         "--listen:",
		"rest --manifest":               "--manifest needs --url",
		"sms --manifest --url=http://s": "--manifest needs --deliver-to",
	} {
		command := newRootCommand()
		command.SetArgs(append([]string{"simulate"}, strings.Fields(arguments)...))
		if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", arguments, err)
		}
	}
}

func TestTheManifestAlone(t *testing.T) {
	var out output
	command := newRootCommand()
	command.SetOut(&out)
	command.SetArgs([]string{"simulate", "sms", "--manifest", "--namespace=depok", "--channel=text", "--url=http://twilio.example", "--deliver-to=https://hooks.example/sms"})
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"name: text\n", "namespace: depok\n", "publicURL: https://hooks.example/sms\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// TestTheDocumentationListsEverySimulator as it is.
func TestTheDocumentationListsEverySimulator(t *testing.T) {
	page, err := os.ReadFile("../../docs/channels/simulate.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range standalone.Kinds() {
		needs := map[bool]string{kind.Pushes: "`--deliver-to`", kind.Exports: "`--directory`"}[true]
		row := regexp.MustCompile("(?m)^\\| `" + kind.Name + "` \\|.*\\| " + needs + " ?\\|$")
		if !row.Match(page) {
			t.Errorf("there is no row of %s that needs %q", kind.Name, needs)
		}
	}
	for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(newSimulateCommand().Flags().FlagUsages(), -1) {
		if !bytes.Contains(page, []byte(flag)) && flag != "--namespace" && flag != "--channel" {
			t.Errorf("%s is not on the page", flag)
		}
	}
}
