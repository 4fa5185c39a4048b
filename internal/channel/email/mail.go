package email

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/textproto"
	"golang.org/x/text/encoding/charmap"
)

// Bounds of what is read of one message.
const (
	maxHeaderBytes = 256 << 10
	maxDepth       = 8
	maxParts       = 64
	// maxTextBytes of a part before it is stripped of what it quotes: more than an event takes.
	maxTextBytes = 256 << 10
)

// letter is a message as far as it matters here.
type letter struct {
	header message.Header
	// id is the Message-ID without its brackets, or what stands for one that is missing.
	id string
	// parents are the Message-IDs that it answers: In-Reply-To, then References from the end; root is the
	// first of References, the beginning of the thread.
	parents []string
	root    string
	// text is what its author wrote, without what is quoted; attachments counts the files.
	text        string
	attachments int
}

var (
	errHeader = errors.New("a message has no header that can be read")
	errEmpty  = errors.New("a message has no content")
)

// parse reads a message, or its beginning if it is too large. What is broken below its header is left out,
// for people write in many programs; the error is of a message of which nothing can be read.
func parse(raw []byte) (*letter, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, errEmpty
	}
	entity, err := message.ReadWithOptions(bytes.NewReader(raw), &message.ReadOptions{MaxHeaderBytes: maxHeaderBytes})
	if entity == nil || entity.Header.Len() == 0 {
		return nil, errors.Join(errHeader, ignored(err))
	}
	l := &letter{header: entity.Header}
	l.threading(raw)
	c := content{}
	c.walk(entity, 0)
	l.text, l.attachments = c.words(), c.attachments
	return l, nil
}

// ignored drops what a library says of a message, which may repeat it.
func ignored(error) error { return nil }

// messageID is one identifier, in whatever stands around it.
var messageID = regexp.MustCompile(`<([^<>\s]{1,512})>`)

// ids are the identifiers of the fields of a name, in their order.
func (l *letter) ids(name string) []string {
	var found []string
	for fields := l.header.FieldsByKey(name); fields.Next(); {
		for _, match := range messageID.FindAllStringSubmatch(fields.Value(), -1) {
			found = append(found, match[1])
		}
	}
	return found
}

// threading reads which message this is and which it answers.
func (l *letter) threading(raw []byte) {
	if own := l.ids("Message-Id"); len(own) > 0 {
		l.id = own[0]
	} else {
		l.id = l.substitute(raw)
	}
	seen := map[string]bool{l.id: true}
	add := func(id string) {
		if !seen[id] {
			seen[id] = true
			l.parents = append(l.parents, id)
		}
	}
	replied, references := l.ids("In-Reply-To"), l.ids("References")
	for _, id := range replied {
		add(id)
	}
	for _, id := range slices.Backward(references) {
		add(id)
	}
	switch {
	case len(references) > 0:
		l.root = references[0]
	case len(replied) > 0:
		l.root = replied[0]
	default:
		l.root = l.id
	}
}

// substitute stands for a Message-ID that is missing. Fields that are added on the way, and so differ between
// copies of one message, have no part in it.
func (l *letter) substitute(raw []byte) string {
	sum := sha256.New()
	for _, name := range [...]string{"From", "To", "Cc", "Date", "Subject"} {
		sum.Write([]byte(name + ":" + l.header.Get(name) + "\n"))
	}
	sum.Write(body(raw))
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// body is what follows the header.
func body(raw []byte) []byte {
	for _, gap := range [...]string{"\r\n\r\n", "\n\n"} {
		if _, rest, found := bytes.Cut(raw, []byte(gap)); found {
			return rest
		}
	}
	return nil
}

// subject is the subject in words.
func (l *letter) subject() string {
	subject, err := l.header.Text("Subject")
	if err != nil {
		subject = l.header.Get("Subject")
	}
	return strings.TrimSpace(strings.ToValidUTF8(subject, "\ufffd"))
}

// sender is who a message says that it is from, in small letters; "" for nobody, or for more than one.
func (l *letter) sender() string {
	if l.header.FieldsByKey("From").Len() != 1 {
		return ""
	}
	from := l.addresses("From")
	if len(from) != 1 {
		return ""
	}
	return from[0]
}

// recipients are all to whom a message is addressed, in small letters.
func (l *letter) recipients() []string {
	return append(append(l.addresses("To"), l.addresses("Cc")...), l.addresses("Bcc")...)
}

// addresses of the fields of a name.
func (l *letter) addresses(name string) []string {
	var found []string
	parser := mail.AddressParser{}
	for fields := l.header.FieldsByKey(name); fields.Next(); {
		list, err := parser.ParseList(names.ReplaceAllString(fields.Value(), ""))
		if err != nil {
			list = nil
			for _, match := range bare.FindAllString(fields.Value(), -1) {
				list = append(list, &mail.Address{Address: match})
			}
		}
		for _, a := range list {
			found = append(found, strings.ToLower(a.Address))
		}
	}
	return found
}

var (
	// names are encoded names, which need not be decoded as only addresses are looked at.
	names = regexp.MustCompile(`=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=`)
	// bare finds addresses where a field is not as it should be.
	bare = regexp.MustCompile(`[^\s<>"(),:;]{1,64}@[^\s<>"(),:;@]{1,190}`)
)

// content gathers what the parts of a message say.
type content struct {
	plain, html        strings.Builder
	parts, attachments int
}

// walk looks at a part and those within it.
func (c *content) walk(entity *message.Entity, depth int) {
	if c.parts++; c.parts > maxParts {
		return
	}
	kind, parameters, _ := entity.Header.ContentType()
	disposition, _, _ := entity.Header.ContentDisposition()
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		if depth < maxDepth && parameters["boundary"] != "" {
			c.each(textproto.NewMultipartReader(entity.Body, parameters["boundary"]), depth)
		}
	case strings.EqualFold(disposition, "attachment"):
		c.attachments++
	case kind == "text/plain" || kind == "":
		c.plain.WriteString(decoded(entity.Body, parameters["charset"]) + "\n")
	case kind == "text/html":
		c.html.WriteString(decoded(entity.Body, parameters["charset"]) + "\n")
	default:
		c.attachments++
	}
}

// each walks the parts of a multipart until its end or where it is broken.
func (c *content) each(parts *textproto.MultipartReader, depth int) {
	for c.parts <= maxParts {
		part, err := parts.NextPart()
		if err != nil {
			return
		}
		// An encoding that is not known is an error beside an entity that can be read as it is.
		if entity, _ := message.New(message.Header{Header: part.Header}, part); entity != nil {
			c.walk(entity, depth+1)
		}
	}
}

// decoded is the text of a part as far as it can be read. A part that says nothing of its character set, or
// not the truth, is taken for UTF-8 if it can be, and else for what Windows writes.
func decoded(r io.Reader, name string) string {
	raw, _ := io.ReadAll(io.LimitReader(bufio.NewReader(r), maxTextBytes)) // what there is of it
	if text := uncut(raw); utf8.Valid(text) {
		return string(text)
	}
	if name != "" {
		if reader, err := charset.Reader(name, bytes.NewReader(raw)); err == nil {
			if text, err := io.ReadAll(reader); err == nil {
				return strings.ToValidUTF8(string(text), "\ufffd")
			}
		}
		return strings.ToValidUTF8(string(raw), "\ufffd")
	}
	text, _ := charmap.Windows1252.NewDecoder().Bytes(raw) // every byte stands for something
	return string(text)
}

// uncut is a text without the part of a character that it ends with where it was cut.
func uncut(raw []byte) []byte {
	if len(raw) < maxTextBytes {
		return raw
	}
	end := len(raw) - 1
	for end > len(raw)-utf8.UTFMax && !utf8.RuneStart(raw[end]) {
		end--
	}
	if utf8.FullRune(raw[end:]) {
		return raw
	}
	return raw[:end]
}

// words are what the author wrote: the plain text, or else what the HTML shows.
func (c *content) words() string {
	if text := unquoted(c.plain.String()); text != "" {
		return text
	}
	return unquoted(shown(c.html.String()))
}
