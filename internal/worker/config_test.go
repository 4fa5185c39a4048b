package worker

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

func TestConfigurationsAreChecked(t *testing.T) {
	const rendered = `{"ledgerURL":"https://ledger.example","channels":[{"name":"dsw","source":{"type":"open311","open311":{"url":"https://x.example","polling":{"interval":"1m0s"}}}}]}`
	for name, test := range map[string]struct {
		data   string
		strict bool
		fails  string
	}{
		"as the operator renders it":                {data: rendered},
		"as the operator renders it, to be checked": {data: rendered, strict: true},
		"of a newer operator":                       {data: `{"ledgerURL":"https://ledger.example","channels":[],"shards":3}`},
		"not JSON":                                  {data: `{`, fails: "reading the configuration: unexpected end of JSON input"},
		"a channel without a name":                  {data: `{"channels":[{}]}`, fails: "channels[0].name: must not be empty"},
		"a channel twice":                           {data: `{"channels":[{"name":"a"},{"name":"a"}]}`, fails: `channels[1].name: "a" occurs twice`},
		"a field that is misspelt, to be checked": {
			data: `{"channels":[{"name":"a","source":{"type":"rest","rest":{"pagnation":{}}}}]}`, strict: true, fails: `reading the configuration: json: unknown field "pagnation"`,
		},
		"no channel, to be checked": {data: `{}`, strict: true, fails: "channels: must not be empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseConfig([]byte(test.data), test.strict)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.fails, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckSaysHowEachChannelFares(t *testing.T) {
	poll := func(f func(ctx context.Context, sink channel.Sink) error) channel.Source {
		return &fakePoller{poll: func(ctx context.Context, _ json.RawMessage, sink channel.Sink) error { return f(ctx, sink) }}
	}
	one := func(ctx context.Context, sink channel.Sink) error {
		if _, err := sink.OpenCases(ctx); err != nil {
			return err
		}
		if err := sink.Append(ctx, channel.Batch{Cursor: json.RawMessage(`0`)}); err != nil { // a page of nothing
			return err
		}
		err := sink.Append(ctx, channel.Batch{Events: []complaint.Event{received(0, present()), received(1, present())}})
		if err == nil {
			return errors.New("the second page was read as well")
		}
		return err
	}
	options := optionsOf(nil,
		opens("good", poll(one)),
		opens("quiet", poll(func(context.Context, channel.Sink) error { return nil })),
		opens("wrong", poll(func(context.Context, channel.Sink) error {
			return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "the source refused the credentials (401)"}
		})),
		opens("odd", poll(func(ctx context.Context, sink channel.Sink) error {
			sink.Problem(ledgerapi.ReasonMappingFailed, "events[0].at: no such key", 2)
			return sink.Append(ctx, channel.Batch{Events: []complaint.Event{received(0, present()), {}}})
		})),
		opens("panics", poll(func(context.Context, channel.Sink) error { panic("0812") })),
		opens("push", &plainPusher{}),
		fakeType{"bare", func(channel.Settings) (channel.Source, error) {
			return nil, &channel.Error{Reason: ledgerapi.ReasonCredentialMissing, Message: `Secret "a", key "b": is missing`}
		}},
	)
	names := []string{"good", "quiet", "wrong", "odd", "panics", "push", "bare"}
	var config Config
	for _, name := range names {
		config.Channels = append(config.Channels, configOf(name+":"+name).Channels...)
	}
	var out strings.Builder
	ok, err := Check(t.Context(), config, options, &out)
	if err != nil || ok {
		t.Errorf("Check: %v %v, want that not all is well", ok, err)
	}
	want := []string{
		"good (good): answers; its first batch has 2 events of 2 complaints, the latest of 2026-11-02T03:00:00Z.",
		"quiet (quiet): answers and has nothing to read.",
		"wrong (wrong): Unauthorized: the source refused the credentials (401).",
		"odd (odd): answers, but 3 of its items are of no use, the last for InvalidEvent: case: must not be empty; id: must not be empty; kind: must be one of " +
			"[Received CitizenMessage Acknowledged Answered Assigned StatusChanged Merged ReplyNotNeeded Edited Redacted]; actor: must be one of " +
			"[citizen official bot system]; at: must be a time after 2000-01-01 with an offset from UTC.",
		"panics (panics): InternalError: the source failed in an unexpected way; the worker's log has the place.",
		"push (push): waits for deliveries at /hooks/push.",
		`bare (bare): CredentialMissing: Secret "a", key "b": is missing.`,
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(out.String()), "\n")); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	out.Reset()
	if ok, err := Check(t.Context(), configOf("good:good", "push:push"), options, &out); err != nil || !ok {
		t.Errorf("Check: %v %v, want that all is well:\n%s", ok, err, out.String())
	}
}

// TestAWorkerLinksNoKubernetesClient guards the memory of workers: client-go alone multiplies it.
func TestAWorkerLinksNoKubernetesClient(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	out, err := exec.CommandContext(ctx, "go", "list", "-deps", "../worker", "../channel/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "github.com/tanggap/tanggap/internal/worker") {
		t.Fatalf("the list of packages has no worker: %d packages", len(deps))
	}
	for _, dep := range deps {
		for _, heavy := range []string{"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "github.com/ncruces/go-sqlite3", "github.com/tanggap/tanggap/internal/ledger/store"} {
			if dep == heavy || strings.HasPrefix(dep, heavy+"/") {
				t.Errorf("a worker links %s", dep)
			}
		}
	}
}
