package email

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/simulator/email"
	"github.com/tanggap/tanggap/test/golden"
)

// desk is a translator for the mail of the tests.
func desk() *translator {
	return &translator{channel: "mail", domains: []string{"depok.example", "example.net"}, addresses: []string{"lurah@mail.example"}, server: "mx.depok.example"}
}

func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	return channeltest.Payloads(t, "*.eml", 15)
}

func TestRecordedMessagesBecomeEvents(t *testing.T) {
	for name, raw := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			r := &result{}
			desk().translate(r, raw, monday, strings.HasPrefix(name, "sent_") || name == "thread_2_reply")
			if len(r.problems) > 0 {
				t.Errorf("problems: %v", r.problems)
			}
			for _, e := range r.events {
				if err := e.Validate(); err != nil {
					t.Error(err)
				}
			}
			golden.Lines(t, name, r.events)
		})
	}
}

func TestWhatIsQuotedIsNotWritten(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"nothing quoted":           {"Banjir.\r\n\r\nTolong.", "Banjir.\n\nTolong."},
		"Gmail, in English":        {"Masih banjir.\n\nOn Mon, Nov 2, 2026 at 10:00 AM Aduan <aduan@depok.example> wrote:\n\n> Kami ke sana.\n", "Masih banjir."},
		"Gmail, in Indonesian":     {"Masih banjir.\n\nPada tanggal Sen, 2 Nov 2026 pukul 10.00 Aduan <\naduan@depok.example> menulis:\n\n> Kami ke sana.\n>> lama\n", "Masih banjir."},
		"wrapped over three lines": {"Masih.\n\nPada Sen, 2 Nov 2026\npukul 10.00 Aduan Kota Depok\n<aduan@depok.example> menulis:\n> x\n", "Masih."},
		"quoted without a sign":    {"Masih.\n\nOn 2 Nov 2026, at 10:00, Aduan wrote:\n\nKami ke sana.\n", "Masih."},
		"answered below":           {"On 2 Nov 2026, at 10:00, Aduan wrote:\n> Di mana?\n\nDi Beji.\n", "Di Beji."},
		"answered in between":      {"Pada 2 Nov 2026, Aduan menulis:\n> Di mana?\nDi Beji.\n> Kapan?\nTadi pagi.\n", "Di Beji.\nTadi pagi."},
		"Outlook, in English":      {"Masih.\n\n________________________________\nFrom: Aduan <a@depok.example>\nSent: Monday, November 2, 2026 10:00 AM\nTo: Ani\nSubject: Re: Banjir\n\nKami ke sana.", "Masih."},
		"Outlook, in Indonesian":   {"Masih.\n\nDari: Aduan <a@depok.example>\nDikirim: Senin, 2 November 2026 10.00\nKepada: Ani\nPerihal: RE: Banjir\n\nKami ke sana.", "Masih."},
		"Outlook of old":           {"Masih.\n\n-----Original Message-----\nFrom: x\n\nKami ke sana.", "Masih."},
		"the same in Indonesian":   {"Masih.\n-----Pesan Asli-----\nKami", "Masih."},
		"a signature":              {"Masih.\n-- \nAni\n0812", "Masih."},
		"from, as a word":          {"Dari: pasar sampai stasiun macet.\nTolong.", "Dari: pasar sampai stasiun macet.\nTolong."},
		"a sentence that ends so":  {"On the wall somebody wrote: bau.\nTolong.", "On the wall somebody wrote: bau.\nTolong."},
		"only what is quoted":      {"> Kami ke sana.\n> Besok.", "> Kami ke sana.\n> Besok."},
		"passed on":                {"---------- Forwarded message ---------\nFrom: Tono <t@x.example>\n\nBanjir", "---------- Forwarded message ---------\nFrom: Tono <t@x.example>\n\nBanjir"},
		"nothing at all":           {"\r\n \r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, unquoted(tt.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatAPageShows(t *testing.T) {
	for name, tt := range map[string]struct{ page, want string }{
		"paragraphs":             {"<p>Banjir<br>di&nbsp;Beji</p>\n<p>Tolong &lt;segera&gt;</p>", "Banjir\ndi Beji\n\nTolong <segera>"},
		"what is not shown":      {"<head><title>x</title></head><style>p{}</style><script>a<b</script>Banjir<noscript>y</noscript><!-- z -->", "Banjir"},
		"a quotation":            {"<div>Masih</div><blockquote>lama<blockquote>lebih lama</blockquote></blockquote>", "Masih"},
		"Gmail's quotation":      {`<div>Masih</div><div class="gmail_quote gmail_quote_container"><div>lama</div></div><div>Juga</div>`, "Masih\n\nJuga"},
		"only a quotation":       {"<blockquote>Banjir</blockquote>", "Banjir"},
		"words over many lines":  {"Air\n   sudah <b>40</b> cm\n", "Air sudah 40 cm"},
		"a table":                {"<table><tr><td>Jalan</td><td>Margonda</td></tr></table>", "Jalan Margonda"},
		"a page without an end":  {"<div><p>Banjir", "Banjir"},
		"tags that never opened": {"</div></blockquote>Banjir</p>", "Banjir"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, unquoted(shown(tt.page))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhoSaysThatASenderIsGenuine(t *testing.T) {
	const reply = "In-Reply-To"
	pass := "mx.depok.example; dmarc=pass (p=REJECT) header.from=depok.example"
	for name, tt := range map[string]struct {
		results []string
		from    string
		genuine bool
	}{
		"DMARC passed":                   {[]string{pass}, "", true},
		"DKIM of the domain":             {[]string{"mx.depok.example;\n dkim=pass (2048-bit key) header.d=depok.example header.s=k"}, "", true},
		"DKIM as Google writes it":       {[]string{"mx.depok.example;\n dkim=pass header.i=@depok.example header.s=k header.b=AbC;\n spf=neutral"}, "", true},
		"DKIM of the domain above":       {[]string{"mx.depok.example; dkim=pass header.d=depok.example"}, "Dishub <x@dishub.depok.example>", true},
		"the server's name in capitals":  {[]string{"MX.Depok.Example 1; dmarc=pass header.from=depok.example"}, "", true},
		"another server's on top":        {[]string{"mx.kecamatan.example; dmarc=fail", pass}, "", true},
		"nobody says anything":           {nil, "", false},
		"another server":                 {[]string{"mx.penipu.example; dmarc=pass header.from=depok.example"}, "", false},
		"DMARC failed":                   {[]string{"mx.depok.example; dmarc=fail header.from=depok.example"}, "", false},
		"a forged one below":             {[]string{"mx.depok.example; dmarc=fail header.from=depok.example", pass}, "", false},
		"SPF alone":                      {[]string{"mx.depok.example; spf=pass smtp.mailfrom=depok.example"}, "", false},
		"DKIM of somebody else":          {[]string{"mx.depok.example; dkim=pass header.d=penipu.example"}, "", false},
		"DKIM of a domain that ends so":  {[]string{"mx.depok.example; dkim=pass header.d=ok.example"}, "", false},
		"DMARC of somebody else":         {[]string{"mx.depok.example; dmarc=pass header.from=penipu.example"}, "", false},
		"no results":                     {[]string{"mx.depok.example; none"}, "", false},
		"a statement within a comment":   {[]string{"mx.depok.example; spf=fail (sender is x; dmarc=pass header.from=depok.example)"}, "", false},
		"one within nested comments":     {[]string{`mx.depok.example; spf=fail ((a\) b); dmarc=pass header.from=depok.example)`}, "", false},
		"a statement within a quotation": {[]string{`mx.depok.example; spf=fail smtp.mailfrom="; dmarc=pass header.from=depok.example"@x.example`}, "", false},
		"one that leaves the quotation":  {[]string{`mx.depok.example; spf=fail smtp.mailfrom="\"; dmarc=pass header.from=depok.example"@x.example`}, "", false},
		"a comment without an end":       {[]string{"mx.depok.example (; dmarc=pass header.from=depok.example"}, "", false},
		"two senders":                    {[]string{pass}, "a@depok.example, b@penipu.example", false},
		"two fields of senders":          {[]string{pass}, "a@depok.example\nFrom: b@penipu.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			from := tt.from
			if from == "" {
				from = "Aduan <aduan@depok.example>"
			}
			header := []string{"From", from, "To", "ani@warga.example", "Message-ID", "<1@depok.example>", reply, "<0@warga.example>"}
			for _, result := range tt.results {
				header = append([]string{"Authentication-Results", result}, header...)
			}
			// The first is to be on top.
			for i, j := 0, 2*len(tt.results)-2; i < j; i, j = i+2, j-2 {
				header[i+1], header[j+1] = header[j+1], header[i+1]
			}
			r := &result{}
			desk().translate(r, []byte(letterOf("Siap.", header...)), monday, false)
			answered := len(r.events) == 1 && r.events[0].Kind == complaint.KindAnswered
			if answered != tt.genuine {
				t.Errorf("%d events, problems %v", len(r.events), r.problems)
			}
		})
	}
}

func TestWhatIsNeitherQuestionNorAnswer(t *testing.T) {
	citizen := []string{"From", "ani@warga.example", "To", "aduan@depok.example", "Message-ID", "<1@warga.example>"}
	official := []string{"From", "aduan@depok.example", "To", "ani@warga.example", "Message-ID", "<2@depok.example>", "In-Reply-To", "<1@warga.example>"}
	with := func(header []string, more ...string) []string { return append(append([]string{}, header...), more...) }
	for name, tt := range map[string]struct {
		header []string
		sent   bool
		kind   complaint.Kind
	}{
		"a citizen":                                {citizen, false, complaint.KindReceived},
		"a citizen who says so":                    {with(citizen, "Auto-Submitted", "no"), false, complaint.KindReceived},
		"an answer among those sent":               {official, true, complaint.KindAnswered},
		"an answer of somebody else's address":     {with([]string{"From", "lurah@mail.example"}, official[2:]...), true, complaint.KindAnswered},
		"an answer of absence":                     {with(citizen, "Auto-Submitted", "auto-replied (vacation)"), false, ""},
		"an answer of absence of the desk":         {with(official, "Auto-Submitted", "auto-replied; owner-email=x"), true, ""},
		"a mass mailing":                           {with(citizen, "Precedence", "bulk"), false, ""},
		"a list":                                   {with(citizen, "List-Id", "<x.example>"), false, ""},
		"a bounce by its sender":                   {with(citizen, "Return-Path", "<>"), false, ""},
		"a report":                                 {with(citizen, "Content-Type", `multipart/report; boundary="x"`), false, ""},
		"an answer of old programs":                {with(citizen, "X-Autoreply", "yes"), false, ""},
		"sent of its own accord":                   {official[:6], true, ""},
		"sent to a colleague":                      {with([]string{"From", "a@depok.example", "To", "b@dishub.depok.example"}, official[4:]...), true, ""},
		"passed on":                                {with(official, "Subject", "Trs: Banjir"), true, ""},
		"an answer to what had been passed on":     {with(official, "Subject", "Re: Fwd: Banjir"), true, complaint.KindAnswered},
		"the staff among themselves":               {with([]string{"From", "a@depok.example", "To", "aduan@depok.example"}, "Message-ID", "<3@depok.example>"), false, ""},
		"an answer that nobody vouches for":        {official, false, ""},
		"from nobody":                              {citizen[2:], false, complaint.KindReceived},
		"from an address that is no address":       {with([]string{"From", "x <<<"}, citizen[2:]...), false, complaint.KindReceived},
		"from a name that holds the desk's domain": {with([]string{"From", `"aduan@depok.example" <x@penipu.example>`}, citizen[2:]...), false, complaint.KindReceived},
	} {
		t.Run(name, func(t *testing.T) {
			r := &result{}
			desk().translate(r, []byte(letterOf("Halo.", tt.header...)), monday, tt.sent)
			var got complaint.Kind
			if len(r.events) > 0 {
				got = r.events[0].Kind
			}
			if got != tt.kind || len(r.events) > 1 {
				t.Errorf("got %v, problems %v", r.events, r.problems)
			}
			// Nothing that arrives is passed over unsaid.
			if said := len(r.events)+len(r.problems)+r.skipped == 1; said == tt.sent && tt.kind == "" {
				t.Errorf("skipped %d, problems %v", r.skipped, r.problems)
			}
		})
	}
}

func TestWhatIsPassedOverIsCountedOnce(t *testing.T) {
	r := newRig(t, email.Options{})
	r.server.Arrive(letterOf("Halo.", "From", "ani@warga.example", "Message-ID", "<1@warga.example>", "List-Id", "<x.example>"), monday)
	r.server.Send(letterOf("Halo.", "From", "aduan@depok.example", "To", "ani@warga.example", "Message-ID", "<2@depok.example>"), monday)
	r.polled()
	r.polled()
	if len(r.ledger.Events()) != 0 || r.ledger.Skipped() != 1 {
		t.Errorf("%d events, skipped %d, want 1", len(r.ledger.Events()), r.ledger.Skipped())
	}
}

func TestIdentifiersTellNothingOfThePerson(t *testing.T) {
	r := &result{}
	desk().translate(r, []byte(letterOf("Banjir", "From", "ani@warga.example", "Message-ID", "<ani.warga.1@laptop-ani.example>", "Subject", "Rumah Ani")), monday, false)
	for _, e := range r.events {
		if strings.Contains(strings.ToLower(e.ID+e.CaseID), "ani") {
			t.Errorf("%s %s", e.ID, e.CaseID)
		}
	}
}

// FuzzMessages looks for messages that break something: whatever they are, each event is one that the ledger
// takes, and reading it again gives the same.
func FuzzMessages(f *testing.F) {
	for name, raw := range fixtures(f) {
		f.Add(raw, strings.HasPrefix(name, "sent_"))
	}
	tr := desk()
	f.Fuzz(func(t *testing.T, raw []byte, sent bool) {
		r, again := &result{}, &result{}
		tr.translate(r, raw, monday, sent)
		tr.translate(again, raw, monday, sent)
		if diff := cmp.Diff(r.events, again.events); diff != "" {
			t.Error(diff)
		}
		for _, e := range r.events {
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestALongTextIsReadInItsOwnLetters, wherever it is cut.
func TestALongTextIsReadInItsOwnLetters(t *testing.T) {
	for _, letters := range []string{"é", "€", "🌊"} {
		for shift := range len(letters) {
			text := strings.Repeat("x", shift) + strings.Repeat(letters, maxTextBytes/len(letters)+1)
			got := decoded(strings.NewReader(text), "")
			if !strings.HasPrefix(text, got) || len(got) <= maxTextBytes-len(letters) {
				t.Errorf("%s after %d: %d bytes begin with %q", letters, shift, len(got), got[:8])
			}
		}
	}
}
