package taxonomy

import "bytes"

func vowel(c byte) bool {
	return c == 'a' || c == 'i' || c == 'u' || c == 'e' || c == 'o'
}

// unpronounceable says that a word is written in a way that Indonesian and the words it borrows do
// not have: no vowel at all (bnjr), a beginning such as lm (lmpu) or an end such as jr (banjr). Only such
// a word is taken for one with vowels left out. Whatever can be pronounced is a word of its own, and
// blok never stands for belok.
func unpronounceable(word []byte) bool {
	if len(word) < 4 {
		return false
	}
	first, end := 0, len(word)
	for first < end && !vowel(word[first]) {
		first++
	}
	for end > first && !vowel(word[end-1]) {
		end--
	}
	if first < end && beginning(word[:first]) && ending(word[end:]) {
		return false
	}
	for _, c := range word {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// beginning reports whether the consonants begin words.
func beginning(c []byte) bool {
	switch len(c) {
	case 0, 1:
		return true
	case 2:
		switch string(c) {
		case "bl", "br", "ch", "cl", "cr", "dr", "dw", "fl", "fr", "gh", "gl", "gr", "kh", "kl", "kn", "kr", "kw",
			"ng", "ny", "ph", "pl", "pr", "ps", "rh", "sc", "sh", "sk", "sl", "sm", "sn", "sp", "st", "sw", "sy",
			"th", "tr", "ts", "tw", "wh", "zh":
			return true
		}
	case 3:
		switch string(c) {
		case "chr", "khl", "ngg", "sch", "scr", "skr", "spl", "spr", "str", "thr":
			return true
		}
	}
	return false
}

// ending reports whether the consonants end words.
func ending(c []byte) bool {
	switch len(c) {
	case 0, 1:
		return true
	case 2:
		switch string(c) {
		case "ch", "ck", "ct", "ft", "gh", "gs", "kh", "ks", "kt", "lf", "lk", "lm", "ls", "lt", "mb", "mp", "ms", "nc",
			"nd", "ng", "nk", "ns", "nt", "ph", "ps", "pt", "rb", "rc", "rd", "rf", "rg", "rk", "rl", "rm", "rn", "rp",
			"rs", "rt", "sh", "sk", "sm", "sp", "st", "sy", "th", "ts", "tz":
			return true
		}
	case 3:
		switch string(c) {
		case "cht", "ght", "ngk", "ngs", "nks", "nts", "rds", "rks", "rts", "sts", "tch":
			return true
		}
	}
	return false
}

// skeleton appends the consonants of the word to the buffer.
func skeleton(buffer, word []byte) []byte {
	for _, c := range word {
		if !vowel(c) {
			buffer = append(buffer, c)
		}
	}
	return buffer
}

// drops reports whether short is the word with vowels left out and nothing else changed; the first
// letter is never left out.
func drops(short, word []byte) bool {
	if len(short) == 0 || len(short) >= len(word) || short[0] != word[0] {
		return false
	}
	for len(short) > 0 {
		i := bytes.IndexByte(word, short[0])
		if i < 0 || !allVowels(word[:i]) {
			return false
		}
		short, word = short[1:], word[i+1:]
	}
	return allVowels(word)
}

func allVowels(part []byte) bool {
	for _, c := range part {
		if !vowel(c) {
			return false
		}
	}
	return true
}
