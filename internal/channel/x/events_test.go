package x

import (
	"net/http"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/test/golden"
)

func TestDocumentedAnswersBecomeEvents(t *testing.T) {
	clock := channeltest.NewClock(time.Date(2025, 10, 20, 0, 0, 0, 0, time.UTC))
	recorded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "testdata/"+path.Base(r.URL.Path)+".json")
	})
	source, err := Type{}.Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceX, X: &v1alpha1.XSource{
		UserID: "42", AgencyUserIDs: []v1alpha1.XUserID{"43"}, BearerTokenSecretRef: v1alpha1.SecretKeyReference{Name: "x", Key: "token"},
	}}, clock, channeltest.Direct{Handler: recorded}, map[string]string{"x/token": "t"}))
	if err != nil {
		t.Fatal(err)
	}
	ledger := &channeltest.Ledger{}
	if err := source.(channel.Poller).Poll(t.Context(), nil, ledger.Named("deputy-mayor-x")); err != nil {
		t.Fatal(err)
	}
	golden.Lines(t, "events", ledger.Events())
	if diff := cmp.Diff(map[ledgerapi.Reason]int{ledgerapi.ReasonInvalidResponse: 1}, ledger.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestWhatXSaysInsteadOfATimeline(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		want ledgerapi.Reason
		says string
	}{
		"no such account": {
			`{"errors":[{"parameter":"id","value":"0812","title":"Not Found Error","type":"https://api.twitter.com/2/problems/resource-not-found"}]}`,
			ledgerapi.ReasonNotFound, "there is no account of this userID",
		},
		"a protected account": {
			`{"errors":[{"title":"Authorization Error","detail":"0812","type":"https://api.twitter.com/2/problems/not-authorized-for-resource"}]}`,
			ledgerapi.ReasonUnauthorized, "protected or suspended",
		},
		"something else":          {`{"errors":[{"type":"about:0812"}]}`, ledgerapi.ReasonInvalidResponse, "no meta"},
		"a page for people":       {`<html>0812</html>`, ledgerapi.ReasonInvalidResponse, "check url"},
		"JSON of another service": {`[{"id":"0812"}]`, ledgerapi.ReasonInvalidResponse, "check url"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(test.body))
			e, ok := err.(*channel.Error) //nolint:errorlint // it is returned as it is
			if !ok || e.Reason != test.want || !strings.Contains(e.Message, test.says) || strings.Contains(e.Message, "0812") {
				t.Errorf("got %v, want %s and a message with %q", err, test.want, test.says)
			}
		})
	}
}

func TestAnIDHoldsItsTime(t *testing.T) {
	n, ok := parseID("1980000000000000002")
	if want := time.Date(2025, 10, 19, 19, 56, 1, 278_000_000, time.UTC); !ok || !n.time().Equal(want) {
		t.Errorf("the id is of %s, want %s", n.time(), want)
	}
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	if got := firstID(at).time(); !got.Equal(at) {
		t.Errorf("%s became %s", at, got)
	}
	if got := firstID(time.Time{}); got != 1 {
		t.Errorf("an instant before all ids gives %d", got)
	}
	for _, bad := range []string{"", "0", "007", "-1", "+1", "1e3", "pemkotdepok", "99999999999999999999"} {
		if _, ok := parseID(bad); ok {
			t.Errorf("%q counts as an id", bad)
		}
	}
}

// FuzzParse proves that no answer makes the source fail in another way than it should, and that every
// event that comes of one is valid.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"mentions", "tweets"} {
		body, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"data":[{"id":"1","author_id":"1","conversation_id":"1","created_at":"2025-10-19T19:40:49+07:00","referenced_tweets":[{"type":"replied_to","id":"1"}],"in_reply_to_user_id":"42"}],"meta":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parse(body)
		if err != nil {
			if _, ok := err.(*channel.Error); !ok { //nolint:errorlint // it is returned as it is
				t.Errorf("the error %T is no *channel.Error", err)
			}
			return
		}
		p := &poll{source: &source{agencies: []string{"42"}}}
		for _, e := range p.take(got, &window{}) {
			e.Channel = "x"
			if e.OccurredAt.Year() < 2000 {
				continue // refused by the ledger, as a time that cannot be
			}
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
