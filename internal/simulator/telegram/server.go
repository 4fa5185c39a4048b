// Package telegram is a simulated Telegram Bot API: getUpdates with its offsets, its conflicts and its errors
// as documented. It has the updates of one bot.
package telegram

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// kept is how long an update is kept that is not read.
const kept = 24 * time.Hour

// Object is a JSON object.
type Object = map[string]any

// Options are what a server is made of.
type Options struct {
	// Token is the bot's.
	Token string
	// Now is its clock.
	Now func() time.Time
	// First is the number of the first update; 0 is 1.
	First int64
}

type update struct {
	id int64
	at time.Time
	// kind is the name of the member, body its value.
	kind string
	body Object
}

// Server is the simulated API. It is an http.Handler and safe for concurrent use.
type Server struct {
	options Options

	mu      sync.Mutex
	updates []update
	next    int64
	message int64
	fail    []failure
	asked   []string
	sent    []Sent
	blocked map[int64]bool
	webhook webhook
}

// Sent is a message that the bot sent.
type Sent struct {
	ID, Chat int64
	Text     string
	// Connection is the business account through which it went; "" is the bot's own.
	Connection string
}

type failure struct {
	status, retryAfter int
}

// New makes a server without updates.
func New(options Options) *Server {
	return &Server{options: options, next: max(options.First, 1), message: 100}
}

// Restart lets the numbers of updates go on from another one, as after a week without updates.
func (s *Server) Restart(next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = next
}

// Add adds an update of a kind, such as message, and returns the message's number. The message's id and
// date are set where they are missing.
func (s *Server) Add(kind string, message Object) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := message["message_id"]; !ok {
		s.message++
		message["message_id"] = s.message
	}
	if _, ok := message["date"]; !ok {
		message["date"] = s.options.Now().Unix()
	}
	s.updates = append(s.updates, update{s.next, s.options.Now(), kind, message})
	s.next++
	id, _ := message["message_id"].(int64)
	return id
}

// Private is a message that a person writes to the bot.
func Private(person int64, text string) Object {
	return Object{
		"from": Object{"id": person, "is_bot": false, "first_name": "Warga"},
		"chat": Object{"id": person, "type": "private", "first_name": "Warga"}, "text": text,
	}
}

// Business is a message in the chat of a business account with a person, by one of both.
func Business(person, from int64, text string) Object {
	m := Private(person, text)
	m["from"] = Object{"id": from, "is_bot": false, "first_name": "Seseorang"}
	m["business_connection_id"] = "bc-1"
	return m
}

// Fail lets the next request be answered with a status; retryAfter is in seconds.
func (s *Server) Fail(status, retryAfter int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = append(s.fail, failure{status, retryAfter})
}

// Asked are the queries so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Waiting is how many updates nobody has confirmed.
func (s *Server) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.updates)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.RawQuery)
	w.Header().Set("Content-Type", "application/json")
	method, known := strings.CutPrefix(r.URL.Path, "/bot"+s.options.Token+"/")
	if !known || !slices.Contains([]string{"getUpdates", "sendMessage", "getWebhookInfo", "setWebhook", "deleteWebhook"}, method) {
		refuse(w, http.StatusUnauthorized, Object{"description": "Unauthorized"})
		return
	}
	if len(s.fail) > 0 {
		f := s.fail[0]
		s.fail = s.fail[1:]
		if f.status != 0 {
			o := Object{"description": "Failed, with the words of a citizen in it: banjir"}
			if f.retryAfter != 0 {
				o["parameters"] = Object{"retry_after": f.retryAfter}
			}
			refuse(w, f.status, o)
			return
		}
	}
	switch method {
	case "sendMessage":
		s.send(w, r)
		return
	case "getUpdates":
		if s.webhook.url != "" {
			refuse(w, http.StatusConflict, Object{"description": "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"})
			return
		}
	default:
		s.manage(w, r, method)
		return
	}
	q := r.URL.Query()
	now := s.options.Now()
	// What lies below the offset is confirmed, and what is old is gone.
	offset, _ := strconv.ParseInt(q.Get("offset"), 10, 64)
	s.updates = slices.DeleteFunc(s.updates, func(u update) bool { return u.id < offset || now.Sub(u.at) > kept })
	limit, _ := strconv.Atoi(q.Get("limit"))
	result := []any{}
	for _, u := range s.updates {
		if len(result) == min(limit, 100) {
			break
		}
		if strings.Contains(q.Get("allowed_updates"), `"`+u.kind+`"`) {
			result = append(result, Object{"update_id": u.id, u.kind: u.body})
		}
	}
	_ = json.NewEncoder(w).Encode(Object{"ok": true, "result": result}) // the client went away: nobody is left to tell
}

// Sent are the messages that the bot has sent.
func (s *Server) Sent() []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// Block has a person block the bot.
func (s *Server) Block(person int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocked == nil {
		s.blocked = map[int64]bool{}
	}
	s.blocked[person] = true
}

// send is sendMessage. https://core.telegram.org/bots/api#sendmessage
func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ChatID     int64  `json:"chat_id"`
		Text       string `json:"text"`
		Connection string `json:"business_connection_id"`
	}
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case err != nil || in.ChatID == 0 || in.Text == "" || r.Header.Get("Content-Type") != "application/json":
		refuse(w, http.StatusBadRequest, Object{"description": "Bad Request: message text is empty"})
		return
	case s.blocked[in.ChatID]:
		refuse(w, http.StatusForbidden, Object{"description": "Forbidden: bot was blocked by the user"})
		return
	}
	s.message++
	s.sent = append(s.sent, Sent{ID: s.message, Chat: in.ChatID, Text: in.Text, Connection: in.Connection})
	_ = json.NewEncoder(w).Encode(Object{"ok": true, "result": Object{
		"message_id": s.message, "from": Object{"id": 123456, "is_bot": true}, "chat": Object{"id": in.ChatID, "type": "private"},
		"date": s.options.Now().Unix(), "text": in.Text,
	}})
}

func refuse(w http.ResponseWriter, status int, o Object) {
	o["ok"], o["error_code"] = false, status
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(o)
}
