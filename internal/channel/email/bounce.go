package email

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/textproto"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxReportBytes is read of what a report says of the recipients.
const maxReportBytes = 64 << 10

var (
	// ownReply is the Message-ID of a reply that was sent by Tanggap, see replyID.
	ownReply = regexp.MustCompile(`^tanggap-[0-9a-f]{32}@`)
	// statusCode is an enhanced status code (RFC 3463) of something that failed.
	statusCode = regexp.MustCompile(`^[45]\.[0-9]{1,3}\.[0-9]{1,3}`)
)

// bounced notes which reply did not reach the citizen. A report of anything else is nothing: it may be about what
// somebody else wrote in the city's name. It reports whether there was one.
func (t *translator) bounced(r *result, raw []byte) bool {
	id, status := undelivered(raw)
	if status == "" || !ownReply.MatchString(id) {
		return false
	}
	r.returned = append(r.returned, ledgerapi.ReturnedReply{Event: eventID(id), Message: "the message came back: " + meaning(status)})
	return true
}

// undelivered reads a report (RFC 3462, RFC 3464): which message did not arrive and why; "" where it does not say
// so, as when a message is only late.
func undelivered(raw []byte) (id, status string) {
	entity, _ := message.ReadWithOptions(bytes.NewReader(raw), &message.ReadOptions{MaxHeaderBytes: maxHeaderBytes})
	if entity == nil {
		return "", ""
	}
	kind, parameters, _ := entity.Header.ContentType()
	if kind != report || parameters["boundary"] == "" {
		return "", ""
	}
	parts := textproto.NewMultipartReader(entity.Body, parameters["boundary"])
	for range maxParts {
		part, err := parts.NextPart()
		if err != nil {
			break
		}
		// An encoding that is not known is an error beside an entity that can be read as it is.
		entity, _ := message.New(message.Header{Header: part.Header}, part)
		if entity == nil {
			continue
		}
		switch kind, _, _ := entity.Header.ContentType(); kind {
		case "message/delivery-status", "message/global-delivery-status":
			status = failed(entity.Body)
		case "message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers":
			header := (&letter{header: message.Header{Header: fields(entity.Body)}}).ids("Message-Id")
			if len(header) > 0 {
				id = header[0]
			}
		}
	}
	return id, status
}

// fields are the header that a message begins with, which may be all there is of it.
func fields(r io.Reader) textproto.Header {
	whole := io.MultiReader(io.LimitReader(r, maxHeaderBytes), strings.NewReader("\r\n\r\n"))
	header, _ := textproto.ReadHeader(bufio.NewReader(whole)) // what there is of it
	return header
}

// failed is the status of the first recipient whom the message will not reach; "" for none. A report has a group of
// fields for the message and one for each recipient.
func failed(r io.Reader) string {
	whole := bufio.NewReader(io.MultiReader(io.LimitReader(r, maxReportBytes), strings.NewReader("\r\n\r\n")))
	for range maxParts {
		group, err := textproto.ReadHeader(whole)
		if err != nil {
			return ""
		}
		if strings.EqualFold(strings.TrimSpace(group.Get("Action")), "failed") {
			if status := statusCode.FindString(strings.TrimSpace(group.Get("Status"))); status != "" {
				return status
			}
			return "5.0.0"
		}
	}
	return ""
}

// meaning is a status in words (RFC 3463).
func meaning(status string) string {
	_, class, _ := strings.Cut(status, ".")
	why := "the citizen's mail server does not take it"
	switch class, _, _ = strings.Cut(class, "."); class {
	case "1":
		why = "there is no such address"
	case "2":
		why = "the citizen's mailbox is full or closed"
	case "4":
		why = "the citizen's mail server could not be reached"
	case "7":
		why = "the citizen's mail server refuses it by its rules"
	}
	return fmt.Sprintf("%s (%s)", why, status)
}
