package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/channel/email"
	"github.com/tanggap/tanggap/internal/complaint"
)

// What must not be found again: a part of every credential, of what the other side says, and of what people write.
const (
	aSecret = "RAHASIA"
	anEcho  = "GEMA"
	aText   = "KELUHAN"
)

// documented are the channels of docs/channels by their names, and the credentials of all of them by "name/key", of which
// each has aSecret in it.
func documented(t *testing.T) (channels map[string]v1alpha1.ChannelSource, credentials map[string]string) {
	t.Helper()
	pages, err := filepath.Glob("../../docs/channels/*.md")
	if err != nil {
		t.Fatal(err)
	}
	channels, credentials = map[string]v1alpha1.ChannelSource{}, map[string]string{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			for document := range strings.SplitSeq(block[1], "\n---\n") {
				var object struct {
					Kind       string
					Metadata   struct{ Name string }
					StringData map[string]string
					Spec       struct{ Source v1alpha1.ChannelSource }
				}
				if yaml.Unmarshal([]byte(document), &object) != nil {
					continue // a part of a manifest
				}
				for key, value := range object.StringData {
					credentials[object.Metadata.Name+"/"+key] = strings.ReplaceAll(value, "change-me", aSecret)
				}
				if object.Kind == "ComplaintChannel" {
					channels[filepath.Base(page)+" "+object.Metadata.Name] = object.Spec.Source
				}
			}
		}
	}
	return channels, credentials
}

// quoting answers every request with all of it, in one of the ways in which it can go wrong.
type quoting struct{ status int }

// RoundTrip implements http.RoundTripper.
func (q quoting) RoundTrip(request *http.Request) (*http.Response, error) {
	var all bytes.Buffer
	fmt.Fprintf(&all, "%s %s %v ", anEcho, request.URL, request.Header)
	if request.Body != nil {
		_, _ = io.Copy(&all, request.Body)
	}
	if q.status == 0 {
		return nil, errors.New(all.String())
	}
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Content-Type", "application/json")
	recorder.Header().Set("Retry-After", all.String())
	recorder.WriteHeader(q.status)
	fmt.Fprintf(recorder, `{"error":%q,"message":%[1]q,"description":%[1]q}`, all.String())
	response := recorder.Result()
	response.Request = request
	return response, nil
}

// TestNothingThatIsSecretOrSaidIsToldOfAFailure has every documented channel fail in every way at once: it is read, delivered
// to and answered through while the other side repeats whatever it is sent, the credentials included.
func TestNothingThatIsSecretOrSaidIsToldOfAFailure(t *testing.T) {
	channels, credentials := documented(t)
	types, err := sourceTypes()
	if err != nil {
		t.Fatal(err)
	}
	byName, left := map[v1alpha1.SourceType]channel.Type{}, map[v1alpha1.SourceType]bool{}
	for _, kind := range types {
		byName[kind.Name()], left[kind.Name()] = kind, true
	}
	byName[v1alpha1.SourceEmail] = email.Type{Dial: func(_ context.Context, _, address string) (net.Conn, error) { return nil, errors.New(anEcho + address) }}
	for name, spec := range channels {
		delete(left, spec.Type)
		for _, status := range []int{0, http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusBadGateway} {
			for _, told := range failures(t, byName[spec.Type], spec, credentials, quoting{status}) {
				for _, marked := range []string{aSecret, anEcho, aText} {
					if strings.Contains(told, marked) {
						t.Errorf("%s, answered with %d, tells %s: %s", name, status, marked, told)
					}
				}
			}
		}
	}
	for kind := range left {
		t.Errorf("no channel of the type %s is documented", kind)
	}
}

// failures are what a channel tells of its failures: to its reader, to who delivers, to who replies, and in the log.
func failures(t *testing.T, kind channel.Type, spec v1alpha1.ChannelSource, credentials map[string]string, transport http.RoundTripper) []string {
	t.Helper()
	var log bytes.Buffer
	clock, ledger := channeltest.NewClock(time.Now()), &channeltest.Ledger{}
	settings := channeltest.Settings(spec, clock, transport, credentials)
	settings.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	settings.FilesDir, settings.QuarantineDir = t.TempDir(), t.TempDir()
	read := settings.Credential
	settings.Credential = func(ref v1alpha1.SecretKeyReference) ([]byte, error) {
		value, err := read(ref)
		if err != nil {
			value = []byte(aSecret + "-" + ref.Key)
		}
		// Nobody is to be reached from a test.
		return bytes.ReplaceAll(value, []byte("cad.example.go.id:5432"), []byte("127.0.0.1:1")), nil
	}
	source, err := kind.Open(settings)
	if err != nil {
		t.Fatalf("%s cannot be opened: %v", kind.Name(), err)
	}
	var told []string
	note := func(err error) {
		if err != nil {
			told = append(told, err.Error())
		}
	}
	if poller, ok := source.(channel.Poller); ok {
		note(poller.Poll(t.Context(), nil, ledger.Named("dsw")))
	}
	if pusher, ok := source.(channel.Pusher); ok {
		for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded"} {
			answer := httptest.NewRecorder()
			request := httptest.NewRequest(http.MethodPost, "/hooks/dsw?"+aText, strings.NewReader(`{"text":"`+aText+`"}`))
			request.Header.Set("Content-Type", contentType)
			pusher.Handler(ledger.Named("dsw")).ServeHTTP(answer, request)
			told = append(told, answer.Body.String())
		}
	}
	if replier, ok := source.(channel.Replier); ok {
		reply := channeltest.ReplyTo(complaint.Event{
			CaseID: "1", ID: "message/1", OccurredAt: clock.Now(), Reporter: &complaint.Reporter{Phone: "+62" + aText, Email: aText + "@example.org", Handle: "5501"},
		}, aText)
		note(replier.CheckReply(reply))
		_, err := replier.Reply(t.Context(), reply)
		note(err)
	}
	note(source.Close())
	return append(append(told, ledger.Messages()...), log.String())
}
