package open311

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
)

// writeJSON answers in JSON.
func (s *Server) writeJSON(w http.ResponseWriter, code int, rows []*Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	if code != http.StatusOK {
		_ = json.NewEncoder(w).Encode([]map[string]any{{"code": code, "description": errorText(code)}})
		return
	}
	objects := make([]string, len(rows))
	for i, r := range rows {
		objects[i] = s.object(r)
	}
	body := "[" + strings.Join(objects, ",\n") + "]"
	if s.options.Quirks.BareObject && len(objects) == 1 {
		body = objects[0]
	}
	if s.options.Quirks.Wrapped {
		body = `{"service_requests": ` + body + "}"
	}
	_, _ = w.Write([]byte(body))
}

// object is a request in JSON, put together by hand so that it can be wrong in the ways of real servers.
func (s *Server) object(r *Request) string {
	members := []string{
		`"service_request_id":` + s.number(r.ID),
		`"status":` + s.text(status(r)),
		`"status_notes":` + s.text(r.statusNotes),
		`"service_name":` + s.text(r.ServiceName),
		`"service_code":` + s.number(r.ServiceCode),
		`"description":` + s.text(r.Description),
		`"agency_responsible":` + s.text(r.Agency),
		`"service_notice":null`,
		`"requested_datetime":` + s.text(s.time(r.RequestedAt)),
		`"updated_datetime":` + s.text(s.updated(r)),
		`"expected_datetime":null`,
		`"address":` + s.text(r.Address),
		`"lat":` + s.number(decimal(r.Latitude)),
		`"long":` + s.number(decimal(r.Longitude)),
		`"media_url":null`,
	}
	if len(r.notes) > 0 {
		var notes []string
		for _, n := range r.notes {
			notes = append(notes, `{"datetime":`+s.text(s.time(n.at))+`,"type":`+s.text(n.kind)+`,"description":`+s.text(n.description)+`}`)
		}
		members = append(members, `"notes":[`+strings.Join(notes, ",")+`]`)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// number is a value that some servers write as a number, whatever it is.
func (s *Server) number(value string) string {
	if s.options.Quirks.Numbers && value != "" && strings.Trim(value, "-.0123456789") == "" {
		return value
	}
	return s.text(value)
}

// text is a string, or null for none.
func (s *Server) text(value string) string {
	if value == "" {
		return "null"
	}
	encoded, _ := json.Marshal(value) // a string cannot fail
	if s.options.Quirks.RawControls {
		return strings.ReplaceAll(string(encoded), `\n`, "\n")
	}
	return string(encoded)
}

type xmlRequest struct {
	ID          string    `xml:"service_request_id"`
	Status      string    `xml:"status"`
	StatusNotes string    `xml:"status_notes"`
	ServiceName string    `xml:"service_name"`
	ServiceCode string    `xml:"service_code"`
	Description string    `xml:"description"`
	Agency      string    `xml:"agency_responsible"`
	Requested   string    `xml:"requested_datetime"`
	Updated     string    `xml:"updated_datetime"`
	Expected    string    `xml:"expected_datetime"`
	Address     string    `xml:"address"`
	Lat         string    `xml:"lat"`
	Long        string    `xml:"long"`
	Notes       []xmlNote `xml:"notes>note,omitempty"`
}

type xmlNote struct {
	At          string `xml:"datetime"`
	Type        string `xml:"type"`
	Description string `xml:"description"`
}

// writeXML answers in XML.
func (s *Server) writeXML(w http.ResponseWriter, code int, rows []*Request) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(xml.Header))
	encoder := xml.NewEncoder(w)
	if code != http.StatusOK {
		type fault struct {
			Code        int    `xml:"code"`
			Description string `xml:"description"`
		}
		_ = encoder.EncodeElement(struct {
			Errors []fault `xml:"error"`
		}{[]fault{{code, errorText(code)}}}, xml.StartElement{Name: xml.Name{Local: "errors"}})
		return
	}
	list := struct {
		Requests []xmlRequest `xml:"request"`
	}{}
	for _, r := range rows {
		x := xmlRequest{
			ID: r.ID, Status: status(r), StatusNotes: r.statusNotes, ServiceName: r.ServiceName, ServiceCode: r.ServiceCode,
			Description: r.Description, Agency: r.Agency, Requested: s.time(r.RequestedAt), Updated: s.updated(r),
			Address: r.Address, Lat: decimal(r.Latitude), Long: decimal(r.Longitude),
		}
		for _, n := range r.notes {
			x.Notes = append(x.Notes, xmlNote{s.time(n.at), n.kind, n.description})
		}
		list.Requests = append(list.Requests, x)
	}
	_ = encoder.EncodeElement(list, xml.StartElement{Name: xml.Name{Local: "service_requests"}})
}
