package complaint

import "strings"

// NormalizePhone brings the common ways of writing one Indonesian or international number to one
// form of digits with the country code: "0812-3456 789", "+62 812 3456 789" and "62812…" are equal.
// It returns "" when what was given has fewer than six digits.
func NormalizePhone(phone string) string {
	var b strings.Builder
	international := false
	for _, r := range phone {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' && b.Len() == 0:
			// Also behind a bracket, or a mark that is not seen, such as a number has that was copied from a chat.
			international = true
		}
	}
	digits := b.String()
	switch {
	case len(digits) < 6:
		return ""
	case !international && strings.HasPrefix(digits, "00"):
		digits = digits[2:]
	case !international && strings.HasPrefix(digits, "0"):
		digits = "62" + digits[1:]
	case !international && strings.HasPrefix(digits, "8") && len(digits) >= 9:
		digits = "62" + digits
	}
	// "+62 (0)812…": the trunk zero after the country code is written by habit and never dialled.
	if rest, ok := strings.CutPrefix(digits, "620"); ok {
		digits = "62" + rest
	}
	return digits
}

// normalizeEmail lower-cases and trims an address.
func normalizeEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// Identity is the text from which a reporter's pseudonym is made: the first identifying field in
// the order phone, email, handle, normalised and tagged by its kind. Handles are tagged with the
// channel, as the same handle on two platforms need not be one person. "" when there is none.
func (r *Reporter) Identity(channel string) string {
	if r == nil {
		return ""
	}
	if phone := NormalizePhone(r.Phone); phone != "" {
		return "phone:" + phone
	}
	if email := normalizeEmail(r.Email); email != "" {
		return "email:" + email
	}
	if handle := strings.TrimSpace(r.Handle); handle != "" {
		return "handle:" + channel + ":" + handle
	}
	return ""
}
