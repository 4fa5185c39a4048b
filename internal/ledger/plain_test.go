package ledger

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// TestWhatPostgreSQLCannotBeAskedForHarmsNothing asks for keys with characters that PostgreSQL refuses: one that
// came to it would fail its transaction at every try, and be told as a failure of the storage.
func TestWhatPostgreSQLCannotBeAskedForHarmsNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := makeFixture(t, t.TempDir(), 1)
	onPostgres(f, startPostgres(t))
	f.open()
	t.Cleanup(f.close)
	d := samplePolicy()
	dsw := d.Channels["dsw"]
	dsw.Replies = true
	d.Channels["dsw"] = dsw
	f.policy(d)

	const bad = "a\x00b"
	quoting := received("1", monday)
	quoting.Thread = &complaint.Thread{Quoted: []string{bad, "c\xff"}}
	got := f.append("dsw", quoting)
	if diff := cmp.Diff(ledgerapi.AppendResponse{Accepted: 1}, got); diff != "" {
		t.Errorf("An event that quotes one was answered (-want +got):\n%s", diff)
	}
	f.returned(bad, "c\xff")

	cases := func(q CaseQuery) func() error {
		return func() error { _, err := f.ledger.Cases(ctx, q); return err }
	}
	for what, test := range map[string]struct {
		ask  func() error
		want Reason
	}{
		"a reply to a case": {func() error {
			_, err := f.reply(ledgerapi.ReplyRequest{ID: "r1", Case: bad, Text: "Sudah"})
			return err
		}, Invalid},
		"the status of a reply": {func() error { _, err := f.ledger.ReplyStatus(ctx, "dsw", bad); return err }, NotFound},
		"the end of a reply": {func() error {
			return f.ledger.ReplyDone(ctx, "dsw", bad, ledgerapi.ReplyResult{State: ledgerapi.ReplyFailed})
		}, NotFound},
		"cases of a channel":    {cases(CaseQuery{Channel: bad}), Invalid},
		"cases of a category":   {cases(CaseQuery{Dimensions: complaint.Dimensions{Category: bad}}), Invalid},
		"cases of a department": {cases(CaseQuery{Dimensions: complaint.Dimensions{Department: "c\xff"}}), Invalid},
		"cases of a priority":   {cases(CaseQuery{Dimensions: complaint.Dimensions{Priority: bad}}), Invalid},
		"cases after one":       {cases(CaseQuery{After: encodePosition(complaint.CaseKey{Channel: "dsw", CaseID: bad})}), Invalid},
	} {
		var refusal *RefusalError
		if err := test.ask(); !errors.As(err, &refusal) || refusal.Reason != test.want {
			t.Errorf("Asking for %s gives %v, want a refusal of reason %d", what, err, test.want)
		}
	}
	if err := f.ledger.Healthy(); err != nil {
		t.Errorf("The storage is said to fail: %v", err)
	}
}
