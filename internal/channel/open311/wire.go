package open311

import (
	"bytes"
	"encoding/json"
	"strings"
)

// request is a service request as a server writes it. Every member is a text, for servers disagree on
// what is a number.
type request struct {
	ID          text  `json:"service_request_id" xml:"service_request_id"`
	Status      text  `json:"status" xml:"status"`
	StatusNotes text  `json:"status_notes" xml:"status_notes"`
	ServiceName text  `json:"service_name" xml:"service_name"`
	ServiceCode text  `json:"service_code" xml:"service_code"`
	Description text  `json:"description" xml:"description"`
	Agency      text  `json:"agency_responsible" xml:"agency_responsible"`
	Requested   text  `json:"requested_datetime" xml:"requested_datetime"`
	Updated     text  `json:"updated_datetime" xml:"updated_datetime"`
	Address     text  `json:"address" xml:"address"`
	ZIPCode     text  `json:"zipcode" xml:"zipcode"`
	Lat         text  `json:"lat" xml:"lat"`
	Long        text  `json:"long" xml:"long"`
	Notes       notes `json:"notes" xml:"notes"`

	// Code is that of an error, which servers put in the place of a request.
	Code text `json:"code" xml:"code"`
}

// note is an entry of the extension `notes`.
type note struct {
	At          text `json:"datetime" xml:"datetime"`
	Type        text `json:"type" xml:"type"`
	Description text `json:"description" xml:"description"`
}

// answer is what a server said.
type answer struct {
	requests []request
	// codes are those of the errors in the answer.
	codes []string
	// odd counts entries that are neither a request nor an error.
	odd int
}

// add takes an entry of the answer.
func (a *answer) add(r *request) {
	r.trim()
	switch {
	case r.ID != "":
		r.Code = "" // some servers give requests one too
		a.requests = append(a.requests, *r)
	case r.Code != "":
		a.codes = append(a.codes, string(r.Code))
	default:
		a.odd++
	}
}

// trim removes the space around values, of which indented XML has plenty.
func (r *request) trim() {
	for _, member := range [...]*text{
		&r.ID, &r.Status, &r.StatusNotes, &r.ServiceName, &r.ServiceCode, &r.Description, &r.Agency,
		&r.Requested, &r.Updated, &r.Address, &r.ZIPCode, &r.Lat, &r.Long, &r.Code,
	} {
		*member = text(strings.TrimSpace(string(*member)))
	}
	for i := range r.Notes.Entries {
		n := &r.Notes.Entries[i]
		for _, member := range [...]*text{&n.At, &n.Type, &n.Description} {
			*member = text(strings.TrimSpace(string(*member)))
		}
	}
}

// text is a value of JSON or XML read as a text: a string, a number or a boolean as it is written, the
// first element of a list, and nothing for null and for objects, which stand for empty elements where
// XML was turned into JSON.
type text string

// UnmarshalJSON implements json.Unmarshaler. It fails for nothing that is JSON.
func (t *text) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	*t = ""
	if len(data) == 0 {
		return nil
	}
	switch data[0] {
	case '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*t = text(s)
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(data, &list); err != nil {
			return err
		}
		// Only one level: a list in a list is nothing that a server means.
		if len(list) > 0 && len(list[0]) > 0 && list[0][0] != '[' {
			return t.UnmarshalJSON(list[0])
		}
	case '{', 'n':
	default:
		// Identifiers that went through a number with a fraction are still whole.
		*t = text(strings.TrimSuffix(string(data), ".0"))
	}
	return nil
}

// notes are the entries of the extension `notes`: a list, one entry without a list, or nothing.
type notes struct {
	Entries []note `xml:"note"`
}

// UnmarshalJSON implements json.Unmarshaler. It fails for nothing that is JSON.
func (n *notes) UnmarshalJSON(data []byte) error {
	n.Entries = nil
	elements(data, 0, func(element []byte) {
		var entry note
		if json.Unmarshal(element, &entry) == nil {
			n.Entries = append(n.Entries, entry)
		}
	}, "note", "notes")
	return nil
}
