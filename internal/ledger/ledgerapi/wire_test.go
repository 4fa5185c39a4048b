package ledgerapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/test/golden"
)

var (
	morning = time.Date(2026, 11, 2, 3, 0, 0, 250000000, time.UTC)
	noon    = morning.Add(2 * time.Hour)
	flooded = complaint.Dimensions{Category: "flood", Department: "water", Priority: "high"}
)

// bodies are one of each document that crosses the wire, with every member set.
func bodies() map[string]any {
	received := complaint.Event{
		Channel: "dsw", CaseID: "C1", ID: "C1-1", Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: morning,
		Text: "Banjir di \"Jalan\" <Margonda> \u2014 se\u2028lutut", Reporter: &complaint.Reporter{Phone: "+628123456789", Email: "warga@example.org", Handle: "warga"},
		Location: &complaint.Location{Latitude: -6.4, Longitude: 106.8}, Attributes: map[string]string{"category": "banjir"},
		Thread: &complaint.Thread{Quoted: []string{"C0-1"}, WindowSeconds: 3600}, Clamped: true, Cleared: true,
	}
	changed := complaint.Event{Channel: "dsw", CaseID: "C2", ID: "C2-1", Kind: complaint.KindStatusChanged, Actor: complaint.ActorOfficial, OccurredAt: noon, To: complaint.StatusResolved}
	merged := complaint.Event{Channel: "dsw", CaseID: "C3", ID: "C3-1", Kind: complaint.KindMerged, Actor: complaint.ActorSystem, OccurredAt: noon, Into: "C2"}
	errors := map[Reason]int64{ReasonTimeout: 3}
	return map[string]any{
		"append-request": AppendRequest{
			Events: []complaint.Event{received, changed, merged}, Returned: []ReturnedReply{{Event: "C1-9", Message: "The mailbox is full."}},
			Cursor: json.RawMessage(`{"page":2}`), PreviousGeneration: 0x7fffffffffff, ObservedThrough: &noon,
		},
		"append-response": AppendResponse{Accepted: 2, Duplicate: 1, Rejected: []Rejection{{Index: 3, Message: "at: must be a time"}}, CursorGeneration: 8},
		"channel-state":   ChannelState{Cursor: json.RawMessage(`{"page":2}`), CursorGeneration: 8, ObservedThrough: &noon},
		"report": Report{
			Instance: "a1", State: SourceDisconnected, Reason: ReasonTimeout, Message: "The portal did not answer.",
			LastSuccessAt: &morning, ObservedThrough: &noon, Rejected: 1, Skipped: 2, Errors: errors, Leaving: true,
		},
		"case-list": CaseList{Next: "dsw/C1", Cases: []Case{{
			CaseKey: complaint.CaseKey{Channel: "dsw", CaseID: "C1"}, Dimensions: flooded, ReceivedAt: &morning, AnsweredAt: &noon, WaitingSince: &noon,
			Status: "Open", Open: true, Unanswered: true, DueAt: &noon, Overdue: true,
		}}},
		"outbox": Outbox{Replies: []OutgoingReply{{
			ID: "r1", Case: "C1", Text: "Sudah ditangani.", DryRun: true, Message: "C1-1", At: morning, Reporter: received.Reporter, Attributes: received.Attributes,
		}}},
		"reply-result": ReplyResult{
			State: ReplySent, Reason: ReasonRateLimited, Message: "The platform asked to wait.", Event: "C1-9", At: noon, RetryAfterSeconds: 30,
		},
		"reply-request": ReplyRequest{ID: "r1", Case: "C1", Text: "Sudah ditangani.", DryRun: true},
		"reply-status": ReplyStatus{
			ID: "r1", Case: "C1", State: ReplySent, Reason: ReasonTimeout, Message: "It was sent at the second attempt.", Event: "C1-9",
			CreatedAt: morning, ChangedAt: noon, Attempts: 2, DryRun: true,
		},
		"policy-status": PolicyStatus{Revision: "abc", Rederive: map[string]Progress{"city": {Done: 3, ToGo: 4}}},
		"error":         Error{Message: "cursor: must be JSON"},
		"summary":       summaryBody(errors),
	}
}

func summaryBody(errors map[Reason]int64) Summary {
	return Summary{
		Position: Position{Sequence: 12, Epoch: "LIFE"}, Since: 11, At: noon, Watermark: morning,
		Policy: PolicyStatus{Revision: "abc", Rederive: map[string]Progress{"city": {Done: 3, ToGo: 4}}},
		Channels: map[string]ChannelSummary{"dsw": {
			Unanswered: 1, Overdue: 2, Received: 3, Answered: 4, OldestUnansweredAt: &morning, LastEventAt: &noon, ObservedThrough: &noon, ReportedAt: &noon,
			State: SourceConnected, Reason: ReasonConnected, Message: "Well.", LastSuccessAt: &noon, Accepted: 5, Duplicate: 6, Rejected: 7, Skipped: 8,
			Errors: errors, BeyondCoverage: 9, Corrections: map[string]int64{"FirstAnswer": 1},
			Replies: &ReplySummary{Waiting: 1, OldestWaitingAt: &morning, Sent: 2, Failed: 3, Unconfirmed: 4, Returned: 5},
		}},
		Series:    []Series{{Channel: "dsw", Dimensions: flooded, Unanswered: 1, AwaitingReply: 2, Received: 3, Answered: 4}},
		Clocks:    []ClockSeries{{Channel: "dsw", Dimensions: flooded, SLA: "city", Clock: "FirstAnswer", DueSoon: 1, Overdue: 2, Met: 3, Breached: 4, Cancelled: 5}},
		Histogram: []HistogramSeries{{Channel: "dsw", Priority: "high", Clock: "FirstAnswer", Working: true, Buckets: []int64{1, 2}, Count: 3, Sum: 4.5, Native: []NativeBucket{{Index: 5, Count: 3}}}},
		Spillover: []SpilloverSeries{{From: "dsw", To: "wa", Count: 1}},
	}
}

// why is what a failure of these tests means.
const why = "what another version of the program sends or expects is no longer understood, unless this only adds to it (docs/upgrade.md, Compatibility)"

// TestTheWireIsThatOfTheVersionBefore: every document is written as it was, and read from what was written.
func TestTheWireIsThatOfTheVersionBefore(t *testing.T) {
	for name, body := range bodies() {
		t.Run(name, func(t *testing.T) {
			written, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			golden.Text(t, name+".json", indented(t, plain(t, written)))
			if missing := golden.Unset(body); len(missing) > 0 {
				t.Errorf("%v are not set, so that nothing is said of them", missing)
			}
			content := golden.Read(t, name+".json")
			for reader, read := range map[string]func([]byte, any) error{
				"encoding/json": json.Unmarshal, "json/v2": func(b []byte, v any) error { return jsonv2.Unmarshal(b, v) },
			} {
				for sentence, content := range map[string][]byte{
					"as it was": content, "with members of a later version": indented(t, extended(plain(t, content))),
				} {
					got := reflect.New(reflect.TypeOf(body))
					if err := read(content, got.Interface()); err != nil {
						t.Errorf("%s does not read the body %s: %v; %s", reader, sentence, err, why)
						continue
					}
					if diff := cmp.Diff(body, got.Elem().Interface(), cmpopts.IgnoreUnexported(Summary{}), cursors); diff != "" {
						t.Errorf("%s reads the body %s as (-want +got):\n%s%s", reader, sentence, diff, why)
					}
				}
			}
		})
	}
}

// cursors are the same with other spaces.
var cursors = cmp.Transformer("cursor", func(raw json.RawMessage) string {
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return string(raw)
	}
	return compact.String()
})

// TestTheWordsOfTheWire: a ledger keeps a batch waiting in which a worker uses a word that it does not know, and
// shows a reason that it does not know as InternalError. A word that is gone is one that a peer may still send.
func TestTheWordsOfTheWire(t *testing.T) {
	golden.YAML(t, "words", map[string]any{
		"kinds": complaint.Kinds(), "actors": complaint.Actors(), "statuses": complaint.Statuses(),
		"reasons": append(Reasons(), ReasonReplyRefused), "states": SourceStates(), "cases": CaseStates(),
		"replies":      []ReplyState{ReplyPending, ReplySending, ReplySent, ReplyChecked, ReplyFailed, ReplyUnconfirmed},
		"bucketBounds": BucketBounds(), "nativeSchema": NativeSchema, "nativeZeroThreshold": NativeZeroThreshold,
		"audience": Audience, "operatorCommonName": OperatorCommonName,
		"maxBatchEvents": MaxBatchEvents, "maxRequestBytes": MaxRequestBytes, "maxCursorBytes": MaxCursorBytes, "maxReplyBytes": MaxReplyBytes,
	})
}

// plain is a document without types.
func plain(t *testing.T, content []byte) (document any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		t.Fatal(err)
	}
	return document
}

// indented is a document with its members in the order of their names.
func indented(t *testing.T, document any) []byte {
	t.Helper()
	content, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(content, '\n')
}

// extended adds members to every object of a document but those whose members are names of what the city has, and
// the cursor, which belongs to its source.
func extended(document any) any {
	switch d := document.(type) {
	case []any:
		for i := range d {
			d[i] = extended(d[i])
		}
	case map[string]any:
		for name, value := range maps.Clone(d) {
			switch name {
			case "cursor", "attributes", "errors", "corrections":
			case "channels", "rederive":
				for of, one := range value.(map[string]any) {
					value.(map[string]any)[of] = extended(one)
				}
			default:
				d[name] = extended(value)
			}
		}
		d["addedLater"] = map[string]any{"events": []any{json.Number("1"), nil}}
	}
	return document
}
