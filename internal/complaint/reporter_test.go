package complaint_test

import (
	"testing"

	"github.com/tanggap/tanggap/internal/complaint"
)

func TestOnePersonIsNotSplitByPhoneFormat(t *testing.T) {
	const want = "628123456789"
	for _, written := range []string{
		"+628123456789", "628123456789", "08123456789", "8123456789", "0812-3456-789", "+62 812 3456 789",
		"(0812) 3456789", "+62 (0)812 3456 789", "00628123456789",
	} {
		if got := complaint.NormalizePhone(written); got != want {
			t.Errorf("NormalizePhone(%q) = %q, want %q", written, got, want)
		}
	}
}

func TestNumbersThatAreNotIndonesianOrNotNumbers(t *testing.T) {
	for written, want := range map[string]string{
		"+65 6123 4567":              "6561234567",
		"+1 202 5550123":             "12025550123",
		"(+852) 9876 5432":           "85298765432",
		"\u202a+852 9876 5432\u202c": "85298765432",
		"112":                        "",
		"anonymous":                  "",
		"":                           "",
	} {
		if got := complaint.NormalizePhone(written); got != want {
			t.Errorf("NormalizePhone(%q) = %q, want %q", written, got, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	for name, tc := range map[string]struct {
		reporter *complaint.Reporter
		want     string
	}{
		"nobody":                          {nil, ""},
		"nothing":                         {&complaint.Reporter{}, ""},
		"a phone wins":                    {&complaint.Reporter{Phone: "08123456789", Email: "a@b.id", Handle: "a"}, "phone:628123456789"},
		"an address in any case":          {&complaint.Reporter{Email: " Siti@Example.ID "}, "email:siti@example.id"},
		"a handle belongs to its channel": {&complaint.Reporter{Handle: "siti"}, "handle:x:siti"},
		"a phone that is none":            {&complaint.Reporter{Phone: "-", Handle: "siti"}, "handle:x:siti"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.reporter.Identity("x"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
