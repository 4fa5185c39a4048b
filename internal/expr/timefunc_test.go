package expr

import (
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	tests := map[string]struct {
		source string
		want   string
	}{
		"a layout with an offset needs no zone":        {`parseTime("2026-11-02 10:00 +0700", "2006-01-02 15:04 -0700", "")`, "2026-11-02T03:00:00Z"},
		"a layout without one takes the zone":          {`parseTime("02/11/2026 10.00", "02/01/2006 15.04", "Asia/Jakarta")`, "2026-11-02T03:00:00Z"},
		"summer time comes from the zone":              {`parseTime("2026-07-01 12:00", "2006-01-02 15:04", "Europe/Amsterdam")`, "2026-07-01T10:00:00Z"},
		"Indonesian months and days, long":             {`parseTime("Senin, 3 Agustus 2026 10:00", "Monday, 2 January 2006 15:04", "Asia/Jakarta")`, "2026-08-03T03:00:00Z"},
		"Indonesian months and days, short":            {`parseTime("Jum, 02 Okt 2026", "Mon, 02 Jan 2006", "Asia/Jakarta")`, "2026-10-01T17:00:00Z"},
		"a long name where the layout has a short one": {`parseTime("2 Desember 2026", "2 Jan 2006", "UTC")`, "2026-12-02T00:00:00Z"},
		"a short name where the layout has a long one": {`parseTime("2 Des 2026", "2 January 2006", "UTC")`, "2026-12-02T00:00:00Z"},
		"Mei is May":                              {`parseTime("14 Mei 2026", "2 January 2006", "UTC")`, "2026-05-14T00:00:00Z"},
		"Jum'at with its apostrophe":              {`parseTime("Jum'at 2 Oktober 2026", "Monday 2 January 2006", "UTC")`, "2026-10-02T00:00:00Z"},
		"English names as well":                   {`parseTime("Mon Aug 3 10:00:00 +0000 2026", "Mon Jan 2 15:04:05 -0700 2006", "")`, "2026-08-03T10:00:00Z"},
		"WIB is seven hours ahead":                {`parseTime("3 Agustus 2026 10:00 WIB", "2 January 2006 15:04 MST", "")`, "2026-08-03T03:00:00Z"},
		"WITA eight":                              {`parseTime("3 Agustus 2026 10:00 wita", "2 January 2006 15:04 MST", "")`, "2026-08-03T02:00:00Z"},
		"WIT nine":                                {`parseTime("3 Agustus 2026 10:00 WIT", "2 January 2006 15:04 MST", "")`, "2026-08-03T01:00:00Z"},
		"seconds":                                 {`unixSeconds(1700000000)`, "2023-11-14T22:13:20Z"},
		"seconds with a fraction":                 {`unixSeconds(1700000000.25)`, "2023-11-14T22:13:20.25Z"},
		"seconds as text, as WhatsApp sends them": {`unixSeconds("1700000000")`, "2023-11-14T22:13:20Z"},
		"seconds with a fraction as text, as Slack does": {`unixSeconds("1700000000.123456")`, "2023-11-14T22:13:20.123456Z"},
		"milliseconds":                                     {`unixMillis(1700000000123)`, "2023-11-14T22:13:20.123Z"},
		"milliseconds as text":                             {`unixMillis("1700000000123")`, "2023-11-14T22:13:20.123Z"},
		"milliseconds of a JSON document":                  {`unixMillis(item.ms)`, "2023-11-14T22:13:20.123Z"},
		"a timestamp is parsed back from what was written": {`parseTime(formatTime(unixSeconds(0), "2006-01-02 15:04", "Asia/Jakarta"), "2006-01-02 15:04", "Asia/Jakarta")`, "1970-01-01T00:00:00Z"},
	}
	env := newEnv(t)
	in := vars(t, `{"ms":1700000000123}`)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, env, tt.source, Timestamp).Time(in)
			if err != nil {
				t.Fatal(err)
			}
			if text := got.Format(time.RFC3339Nano); text != tt.want {
				t.Errorf("got %s, want %s", text, tt.want)
			}
		})
	}
}

func TestEveryMonthAndDayInIndonesian(t *testing.T) {
	months := [][]string{
		{"Januari", "Jan"}, {"Februari", "Pebruari", "Feb", "Peb"}, {"Maret", "Mar", "Mrt"}, {"April", "Apr"}, {"Mei"}, {"Juni", "Jun"}, {"Juli", "Jul"},
		{"Agustus", "Agu", "Agt", "Ags", "Agust"}, {"September", "Sep", "Sept"}, {"Oktober", "Okt"}, {"November", "Nopember", "Nov", "Nop"}, {"Desember", "Des"},
	}
	days := [][]string{
		{"Minggu", "Ahad", "Min", "Mgg"}, {"Senin", "Sen"}, {"Selasa", "Sel"}, {"Rabu", "Rab"}, {"Kamis", "Kam"}, {"Jumat", "Jum'at", "Jum"}, {"Sabtu", "Sab"},
	}
	zones := &zones{}
	for i, names := range months {
		for _, name := range names {
			for _, layout := range []string{"2 January 2006", "2 Jan 2006"} {
				got, err := zones.parse("9 "+name+" 2026", layout, "UTC")
				if err != nil || got.Month() != time.Month(i+1) {
					t.Errorf("%s: got %v, %v", name, got, err)
				}
			}
		}
	}
	for i, names := range days {
		for _, name := range names {
			for _, layout := range []string{"Monday, 2 Jan 2006", "Mon, 2 Jan 2006"} {
				// Go does not compare the day with the date, so that it is read is all there is to see.
				if _, err := zones.parse(name+", 9 Jan 2026", layout, "UTC"); err != nil {
					t.Errorf("%s (%v): %v", name, time.Weekday(i), err)
				}
			}
		}
	}
}

func TestFormatTime(t *testing.T) {
	got, err := compile(t, newEnv(t), `formatTime(timestamp("2026-11-02T03:00:00Z"), "2006-01-02T15:04:05Z07:00", "Asia/Jakarta")`, String).String(nil)
	if want := "2026-11-02T10:00:00+07:00"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestTimesThatAreRefused(t *testing.T) {
	tests := map[string]struct{ source, want string }{
		"a layout without an offset and no zone": {`parseTime("2026-01-01", "2006-01-02", "")`, "the layout has no offset from UTC, so the time zone must be given"},
		"an abbreviation of several zones":       {`parseTime("2026-01-01 IST", "2006-01-02 MST", "")`, "the text is not a time of the given layout"},
		"letters that grow as capitals":          {`parseTime("ɐɐɐɐɐɐɐɐ WIB", "2006-01-02 MST", "")`, "the text is not a time of the given layout"},
		"the machine's own zone":                 {`parseTime("2026-01-01", "2006-01-02", "Local")`, "the time zone is unknown"},
		"a path for a zone":                      {`parseTime("2026-01-01", "2006-01-02", "../../etc/passwd")`, "the time zone is unknown"},
		"a zone that does not exist":             {`formatTime(timestamp("2026-01-01T00:00:00Z"), "2006", "Asia/Depok")`, "the time zone is unknown"},
		"the thirtieth of February":              {`parseTime("30 Februari 2026", "2 January 2006", "UTC")`, "the text is not a time of the given layout"},
		"seconds far beyond the calendar":        {`unixSeconds(999999999999999999)`, "the time is out of range"},
		"seconds that are no number":             {`unixSeconds("kemarin")`, "the text is not a number"},
		"seconds that are infinite":              {`unixSeconds("Inf")`, "the time is out of range"},
		"seconds that are not a number":          {`unixSeconds("NaN")`, "the time is out of range"},
	}
	env := newEnv(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t, env, tt.source, Any).Any(nil)
			if messageOf(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
