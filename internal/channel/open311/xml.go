package open311

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

var errNotXML = errors.New("the answer is not XML; set format to JSON if the server speaks that")

// parseXML reads a list of service requests under any of the roots that servers use.
func parseXML(body []byte) (answer, error) {
	decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))
	decoder.CharsetReader = charset
	var a answer
	rooted := false
	for {
		token, err := decoder.Token()
		switch {
		case errors.Is(err, io.EOF) && rooted:
			return a, nil
		case err != nil:
			return answer{}, errNotXML
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		name := strings.ToLower(start.Name.Local)
		if !rooted {
			if !strings.Contains(name, "request") && !strings.Contains(name, "error") {
				return answer{}, errShape
			}
			rooted = true
		}
		if name != "request" && name != "service_request" && name != "error" {
			continue
		}
		var r request
		if err := decoder.DecodeElement(&r, &start); err != nil {
			return answer{}, errNotXML
		}
		a.add(&r)
	}
}

// charset reads what is not UTF-8, by the name in the XML declaration.
func charset(label string, input io.Reader) (io.Reader, error) {
	encoding, err := htmlindex.Get(label)
	if err != nil {
		return nil, fmt.Errorf("the encoding is not known: %w", err)
	}
	return encoding.NewDecoder().Reader(input), nil
}
