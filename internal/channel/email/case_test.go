package email

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/test/cases"
)

// thread is what two people and the desk wrote, each message with the hour in which it came.
var thread = []struct {
	raw  string
	sent bool
	hour int
}{
	{letterOf("Banjir", "From", "ani@warga.example", "To", "aduan@depok.example", "Message-ID", "<q1@w>", "Subject", "Banjir"), false, 0},
	{letterOf("Sampah", "From", "ani@warga.example", "To", "aduan@depok.example", "Message-ID", "<r1@w>", "Subject", "Banjir"), false, 1},
	{letterOf("Siap", "From", "aduan@depok.example", "To", "ani@warga.example", "Message-ID", "<a1@d>", "In-Reply-To", "<q1@w>", "References", "<q1@w>"), true, 2},
	{letterOf("Masih", "From", "ani@warga.example", "To", "aduan@depok.example", "Message-ID", "<q2@w>", "In-Reply-To", "<a1@d>", "References", "<q1@w> <a1@d>"), false, 3},
	{letterOf("Juga di sini", "From", "budi@warga.example", "To", "aduan@depok.example", "Message-ID", "<q3@w>", "In-Reply-To", "<q2@w>", "References", "<q1@w>\n <a1@d>\n <q2@w>"), false, 4},
	{letterOf("Sudah", "From", "aduan@depok.example", "To", "ani@warga.example", "Message-ID", "<a2@d>", "In-Reply-To", "<q3@w>", "References", "<q1@w> <a1@d> <q2@w> <q3@w>"), true, 5},
}

// eventsOf are the events of a message of the thread.
func eventsOf(t testing.TB, tr *translator, i int) []complaint.Event {
	t.Helper()
	r := &result{}
	tr.translate(r, []byte(thread[i].raw), monday.Add(time.Duration(thread[i].hour)*time.Hour), thread[i].sent)
	if len(r.problems) > 0 || len(r.events) == 0 {
		t.Fatalf("message %d: %v", i, r.problems)
	}
	return r.events
}

// TestDuplicatesAndAnyOrderGiveTheSameCases: a thread is one case and another letter of the same person, under
// the same subject, another one, in whatever order mailboxes are read.
func TestDuplicatesAndAnyOrderGiveTheSameCases(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var batches [][]complaint.Event
		for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 0, 2, 3}).Draw(rt, "order") {
			batches = append(batches, eventsOf(t, desk(), i))
		}
		got := cases.Of(t, monday.Add(24*time.Hour), batches...)
		answered := 0
		for _, c := range got {
			if c.AnsweredAt != nil && c.ReceivedAt.Equal(monday) && c.AnsweredAt.Equal(monday.Add(2*time.Hour)) {
				answered++
			}
		}
		if len(got) != 2 || answered != 1 {
			rt.Fatalf("%d cases, %d answered", len(got), answered)
		}
	})
}

// TestProgramsThatNameOnlyTheLastMessage: In-Reply-To alone is enough when messages are read in their order.
func TestProgramsThatNameOnlyTheLastMessage(t *testing.T) {
	var events []complaint.Event
	for i, parent := range []string{"", "<m0@w>", "<m1@w>", "<m2@w>"} {
		header := []string{"From", "ani@warga.example", "To", "aduan@depok.example", "Message-ID", fmt.Sprintf("<m%d@w>", i)}
		if parent != "" {
			header = append(header, "In-Reply-To", parent)
		}
		r := &result{}
		desk().translate(r, []byte(letterOf("x", header...)), monday.Add(time.Duration(i)*time.Hour), false)
		events = append(events, r.events...)
	}
	if got := cases.Of(t, monday.Add(24*time.Hour), events); len(got) != 1 {
		t.Errorf("%d cases", len(got))
	}
}

// TestTheNameOfACaseInASubject counts only where it is configured, and after what a message replies to.
func TestTheNameOfACaseInASubject(t *testing.T) {
	messages := []struct {
		raw  string
		sent bool
	}{
		{letterOf("Banjir", "From", "ani@warga.example", "To", "aduan@depok.example", "Message-ID", "<q1@w>", "Subject", "Banjir"), false},
		{letterOf("Siap", "From", "aduan@depok.example", "To", "ani@warga.example", "Message-ID", "<a1@d>", "In-Reply-To", "<q1@w>", "Subject", "Re: Banjir [#DPK-2041]"), true},
		{letterOf("Masih banjir", "From", "ani@warga.example", "To", "aduan@depok.example", "Message-ID", "<q2@w>", "Subject", "tentang [#dpk-2041]"), false},
		{letterOf("Jawaban lagi", "From", "aduan@depok.example", "To", "ani@warga.example", "Message-ID", "<a2@d>", "Subject", "[#DPK-2041] selesai"), true},
		{letterOf("Lain", "From", "ani@warga.example", "To", "aduan@depok.example", "Message-ID", "<q3@w>", "Subject", "[#XYZ-2041]"), false},
	}
	for prefix, want := range map[string]int{"DPK-": 2, "": 3} {
		tr := desk()
		s := source{translator: *tr}
		s.configure(&v1alpha1.EmailSource{Host: host, CaseTokenPrefix: prefix})
		r := &result{}
		for i, m := range messages {
			s.translator.translate(r, []byte(m.raw), monday.Add(time.Duration(i)*time.Hour), m.sent)
		}
		if got := cases.Of(t, monday.Add(24*time.Hour), r.events); len(got) != want {
			t.Errorf("with %q: %d cases", prefix, len(got))
		}
	}
}
