package expr

import (
	"strings"
	"unicode"
)

// englishNames replaces the Indonesian names of months and days by the English ones that Go's
// layouts know: the long ones where the layout asks for them, else the three letters.
func englishNames(text string, longMonth, longDay bool) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		end := i
		for end < len(text) && (letter(text[end]) || apostropheWithin(text, i, end)) {
			end++
		}
		if end == i {
			b.WriteByte(text[i])
			i++
			continue
		}
		b.WriteString(englishName(text[i:end], longMonth, longDay))
		i = end
	}
	return b.String()
}

func letter(c byte) bool { return unicode.IsLetter(rune(c)) && c < 0x80 }

// apostropheWithin allows "Jum'at".
func apostropheWithin(text string, start, i int) bool {
	return text[i] == '\'' && i > start && i+1 < len(text) && letter(text[i+1])
}

func englishName(word string, longMonth, longDay bool) string {
	var (
		full  string
		isDay bool
	)
	switch strings.ToLower(word) {
	case "januari", "jan":
		full = "January"
	case "februari", "pebruari", "feb", "peb":
		full = "February"
	case "maret", "mar", "mrt":
		full = "March"
	case "april", "apr":
		full = "April"
	case "mei":
		full = "May"
	case "juni", "jun":
		full = "June"
	case "juli", "jul":
		full = "July"
	case "agustus", "agu", "agt", "ags", "agust":
		full = "August"
	case "september", "sep", "sept":
		full = "September"
	case "oktober", "okt":
		full = "October"
	case "november", "nopember", "nov", "nop":
		full = "November"
	case "desember", "des":
		full = "December"
	case "senin", "sen":
		full, isDay = "Monday", true
	case "selasa", "sel":
		full, isDay = "Tuesday", true
	case "rabu", "rab":
		full, isDay = "Wednesday", true
	case "kamis", "kam":
		full, isDay = "Thursday", true
	case "jumat", "jum'at", "jum":
		full, isDay = "Friday", true
	case "sabtu", "sab":
		full, isDay = "Saturday", true
	case "minggu", "ahad", "min", "mgg":
		full, isDay = "Sunday", true
	default:
		return word
	}
	if isDay && longDay || !isDay && longMonth {
		return full
	}
	return full[:3]
}
