package sms

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// listed is a message as the API lists it.
type listed struct {
	AccountSID  string  `json:"account_sid"`
	APIVersion  string  `json:"api_version"`
	Body        string  `json:"body"`
	DateCreated string  `json:"date_created"`
	DateSent    *string `json:"date_sent"`
	Direction   string  `json:"direction"`
	ErrorCode   *int    `json:"error_code"`
	From        string  `json:"from"`
	NumMedia    string  `json:"num_media"`
	NumSegments string  `json:"num_segments"`
	SID         string  `json:"sid"`
	Status      string  `json:"status"`
	To          string  `json:"to"`

	at time.Time
}

// list adds a message to the list, or gives it another status.
func (t *Twilio) list(m Message, direction, from, to, status string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := m.At.UTC().Format(time.RFC1123Z)
	l := listed{
		AccountSID: t.AccountSID, APIVersion: "2010-04-01", Body: m.Text, DateCreated: at, DateSent: &at, Direction: direction, From: from, To: to,
		NumMedia: strconv.Itoa(m.Media), NumSegments: strconv.Itoa(m.Segments), SID: m.SID, Status: status, at: m.At.UTC(),
	}
	if status == "queued" || status == "accepted" {
		l.DateSent = nil
	}
	if i := slices.IndexFunc(t.messages, func(o listed) bool { return o.SID == m.SID }); i >= 0 {
		t.messages[i] = l
		return
	}
	t.messages = append(t.messages, l)
}

// Fail lets the next requests to the API be answered with these statuses; 0 is none.
func (t *Twilio) Fail(statuses ...int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail = append(t.fail, statuses...)
}

// Asked are the requests to the API so far.
func (t *Twilio) Asked() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.asked)
}

// ServeHTTP implements http.Handler: GET /2010-04-01/Accounts/{SID}/Messages.json, newest first.
func (t *Twilio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked = append(t.asked, r.URL.RequestURI())
	status := 0
	if len(t.fail) > 0 {
		status, t.fail = t.fail[0], t.fail[1:]
	}
	name, token, _ := r.BasicAuth()
	path := "/2010-04-01/Accounts/" + t.AccountSID + "/Messages.json"
	switch {
	case status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "2")
		refuse(w, status, 20429, "Too Many Requests")
	case status != 0:
		refuse(w, status, 20500, "An internal server error has occurred")
	case name != t.AccountSID || token != t.AuthToken:
		refuse(w, http.StatusUnauthorized, 20003, "Authenticate")
	case r.Method == http.MethodPost && r.URL.Path == path:
		t.create(w, r)
	case r.Method != http.MethodGet || r.URL.Path != path:
		refuse(w, http.StatusNotFound, 20404, "The requested resource was not found")
	default:
		t.page(w, path, r.URL.Query())
	}
}

// OptOut has a person opt out of messages, as by STOP.
func (t *Twilio) OptOut(person string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.optedOut = append(t.optedOut, person)
}

// Sent counts the messages that were sent by the API.
func (t *Twilio) Sent() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.messages {
		if t.messages[i].Direction == "outbound-api" {
			n++
		}
	}
	return n
}

// create sends a message; the caller holds mu.
// https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
func (t *Twilio) create(w http.ResponseWriter, r *http.Request) {
	to, from, body := r.PostFormValue("To"), r.PostFormValue("From"), r.PostFormValue("Body")
	switch {
	case from != t.Number:
		refuse(w, http.StatusBadRequest, 21606, "The 'From' phone number provided is not a valid message-capable Twilio phone number")
		return
	case body == "" || to == "":
		refuse(w, http.StatusBadRequest, 21602, "Message body is required")
		return
	case slices.Contains(t.optedOut, to):
		refuse(w, http.StatusBadRequest, 21610, "Attempt to send to unsubscribed recipient "+to)
		return
	}
	at := t.now().UTC()
	sent := at.Format(time.RFC1123Z)
	l := listed{
		AccountSID: t.AccountSID, APIVersion: "2010-04-01", Body: body, DateCreated: sent, DateSent: &sent, Direction: "outbound-api", From: from, To: to,
		NumMedia: "0", NumSegments: "1", SID: NewSID(), Status: "queued", at: at,
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(l) // the client may have gone away
	l.Status = "sent"
	t.messages = append(t.messages, l)
}

func (t *Twilio) now() time.Time {
	if t.Now != nil {
		return t.Now()
	}
	return time.Now()
}

// page answers with one page; the caller holds mu.
func (t *Twilio) page(w http.ResponseWriter, path string, query url.Values) {
	since, _ := time.Parse(time.DateOnly, query.Get("DateSent>"))
	var matching []listed
	for _, l := range t.messages {
		if l.DateSent != nil && !l.at.Before(since) && (query.Get("To") == "" || query.Get("To") == l.To) {
			matching = append(matching, l)
		}
	}
	slices.SortStableFunc(matching, func(a, b listed) int { return b.at.Compare(a.at) })
	size, _ := strconv.Atoi(query.Get("PageSize"))
	if size <= 0 || size > 1000 {
		size = 50
	}
	if t.PageSize > 0 {
		size = min(size, t.PageSize)
	}
	number, _ := strconv.Atoi(query.Get("Page"))
	first := min(number*size, len(matching))
	last := min(first+size, len(matching))
	answer := map[string]any{"messages": append([]listed{}, matching[first:last]...), "page": number, "page_size": size, "next_page_uri": nil}
	if last < len(matching) {
		query.Set("Page", strconv.Itoa(number+1))
		query.Set("PageToken", "PA"+matching[last-1].SID)
		answer["next_page_uri"] = path + "?" + query.Encode()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the client may have gone away
}

// refuse answers with an error as Twilio writes it.
func refuse(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message, "status": status}) // the client may have gone away
}
