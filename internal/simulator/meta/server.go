// Package meta is a simulated Meta as far as a Facebook Page and an Instagram professional account go: the
// Graph API that they are read by, with its pages, its limits and its errors as documented, and the webhooks
// that it sends. It has one Page, one account and one app.
// https://developers.facebook.com/docs/graph-api/webhooks/reference/page
package meta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tanggap/tanggap/internal/simulator/whatsapp"
)

// Object is a JSON object.
type Object = map[string]any

// Options are what a server is made of.
type Options struct {
	// AppID and AppSecret are the app's, Token the access token of the Page.
	AppID, AppSecret, Token string
	// PageID and InstagramID are the city's.
	PageID, InstagramID string
	// Version of the Graph API; "" is v26.0.
	Version string
	// Now is its clock.
	Now func() time.Time
	// PageSize is the most entries it gives at once; 0 is what limit asks for.
	PageSize int
}

// thing is a post, a piece of media, a comment or a message.
type thing struct {
	id, author, text string
	// parent is the comment that a comment replies to, of the post below which it stands, or the conversation of a
	// message.
	parent, of string
	at         time.Time
	hidden     bool
	removed    bool
	// to is whom a message is to.
	to string
}

// Server is the simulated Meta. It is an http.Handler and safe for concurrent use.
type Server struct {
	options Options

	mu     sync.Mutex
	serial int
	// Newest last.
	posts, media, comments []*thing
	messages               map[string][]*thing // by platform
	pageFields             []string
	appFields              map[string][]string
	usage                  map[string]string
	fail                   []failure
	asked                  []string
}

type failure struct{ status, code int }

// New makes a server without posts, which delivers everything.
func New(options Options) *Server {
	if options.Version == "" {
		options.Version = "v26.0"
	}
	s := &Server{options: options, messages: map[string][]*thing{}, usage: map[string]string{}}
	s.Subscribe("feed", "mention", "messages", "message_echoes")
	s.Activate("page", "feed", "mention", "messages")
	s.Activate("instagram", "comments", "mentions", "messages")
	return s
}

// Subscribe subscribes the app to fields of the Page; none ends it, as Meta does after an hour of failures.
func (s *Server) Subscribe(fields ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pageFields = fields
}

// Activate sets the fields of an object that the app's webhook is active for; none ends it.
func (s *Server) Activate(object string, fields ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.appFields == nil {
		s.appFields = map[string][]string{}
	}
	s.appFields[object] = fields
}

// Use sets a header that tells of the use of a limit, such as X-App-Usage, in further answers; "" takes it away.
func (s *Server) Use(header, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage[header] = value
}

// Fail lets a further request be answered with a status and the code of an error; 0 is none.
func (s *Server) Fail(status, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = append(s.fail, failure{status, code})
}

// note remembers a request.
func (s *Server) note(path string, query url.Values) {
	query.Del("appsecret_proof")
	s.asked = append(s.asked, path+"?"+query.Encode())
}

// Asked are the requests so far: path and query, without the proof.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, versioned := strings.CutPrefix(r.URL.Path, "/"+s.options.Version+"/")
	s.note(path, r.URL.Query())
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	for name, value := range s.usage {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	if len(s.fail) > 0 {
		f := s.fail[0]
		s.fail = s.fail[1:]
		if f.status != 0 {
			refuse(w, f.status, f.code)
			return
		}
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	node, edge, _ := strings.Cut(path, "/")
	switch {
	case !versioned:
		refuse(w, http.StatusBadRequest, 2500)
	case node == s.options.AppID && edge == "subscriptions":
		if token != s.options.AppID+"|"+s.options.AppSecret {
			refuse(w, http.StatusBadRequest, 190)
			return
		}
		if !whatsapp.Proven(r, token, s.options.AppSecret) {
			disprove(w)
			return
		}
		write(w, Object{"data": s.subscriptions()})
	case token != s.options.Token:
		refuse(w, http.StatusUnauthorized, 190)
	case !whatsapp.Proven(r, token, s.options.AppSecret):
		disprove(w)
	case r.Method == http.MethodPost:
		s.answer(w, r, node, edge)
	default:
		s.serve(w, r, node, edge)
	}
}

// serve answers about an object.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, node, edge string) {
	own := node == s.options.PageID || node == s.options.InstagramID
	q := r.URL.Query()
	switch {
	case own && edge == "subscribed_apps":
		data := []any{}
		if len(s.pageFields) > 0 {
			data = append(data, Object{"id": s.options.AppID, "name": "Tanggap", "subscribed_fields": s.pageFields})
		}
		write(w, Object{"data": data})
	case node == s.options.InstagramID && edge == "":
		s.mention(w, q.Get("fields"))
	case own && edge == "feed":
		since, _ := strconv.ParseInt(q.Get("since"), 10, 64)
		s.page(w, r, newest(s.posts, func(t *thing) bool { return t.at.Unix() >= since }), s.post)
	case own && edge == "media":
		s.page(w, r, newest(s.media, all), func(t *thing) Object { return Object{"id": t.id, "timestamp": stamp(t.at)} })
	case own && edge == "conversations":
		s.page(w, r, s.conversations(q.Get("platform")), func(t *thing) Object { return Object{"id": t.id, "updated_time": stamp(t.at)} })
	case edge == "comments" && q.Get("filter") == "stream":
		s.page(w, r, newest(s.comments, func(t *thing) bool { return t.of == node }), s.facebook)
	case edge == "comments":
		s.page(w, r, newest(s.comments, func(t *thing) bool { return t.of == node && t.parent == "" }), s.instagram)
	case edge == "replies":
		s.page(w, r, s.replies(node), s.instagram)
	case edge == "messages":
		both := slices.Concat(s.messages["messenger"], s.messages["instagram"])
		s.page(w, r, newest(both, func(t *thing) bool { return t.parent == node }), message)
	default:
		refuse(w, http.StatusBadRequest, 100)
	}
}

func all(*thing) bool { return true }

// newest are the things that are asked for and not removed, newest first.
func newest(things []*thing, want func(*thing) bool) []*thing {
	var kept []*thing
	for _, t := range slices.Backward(things) {
		if !t.removed && want(t) {
			kept = append(kept, t)
		}
	}
	return kept
}

// page answers with a page of a list. A cursor is the id of the last entry before it.
func (s *Server) page(w http.ResponseWriter, r *http.Request, things []*thing, form func(*thing) Object) {
	size, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	if size == 0 || size > 100 {
		size = 25
	}
	write(w, s.pageOf(things, size, r.URL.Query().Get("after"), "https://graph.facebook.com"+r.URL.Path, form))
}

func (s *Server) pageOf(things []*thing, size int, after, address string, form func(*thing) Object) Object {
	if s.options.PageSize != 0 {
		size = min(size, s.options.PageSize)
	}
	if at := slices.IndexFunc(things, func(t *thing) bool { return "QVFI"+t.id == after }); at >= 0 {
		things = things[at+1:]
	}
	answer, data := Object{}, []any{}
	more := len(things) > size
	if more {
		things = things[:size]
	}
	for _, t := range things {
		data = append(data, form(t))
	}
	answer["data"] = data
	if len(things) > 0 {
		cursors := Object{"before": "QVFI" + things[0].id, "after": "QVFI" + things[len(things)-1].id}
		paging := Object{"cursors": cursors}
		if more {
			paging["next"] = address + "?after=" + fmt.Sprint(cursors["after"])
		}
		answer["paging"] = paging
	}
	return answer
}

func (s *Server) subscriptions() []any {
	var data []any
	for object, names := range s.appFields {
		fields := []any{}
		for _, name := range names {
			fields = append(fields, Object{"name": name, "version": s.options.Version})
		}
		data = append(data, Object{"object": object, "callback_url": "https://hooks.depok.example/", "active": len(names) > 0, "fields": fields})
	}
	return data
}

func refuse(w http.ResponseWriter, status, code int) {
	w.WriteHeader(status)
	write(w, Object{"error": Object{"message": "Failed, with the words of a citizen in it: banjir", "type": "OAuthException", "code": code, "fbtrace_id": "A0"}})
}

// disprove is how an app with "Require App Secret" answers to who does not know it.
func disprove(w http.ResponseWriter) {
	w.WriteHeader(http.StatusBadRequest)
	write(w, whatsapp.Unproven())
}

func write(w http.ResponseWriter, answer Object) {
	_ = json.NewEncoder(w).Encode(answer) // the client went away: nobody is left to tell
}

// stamp is a time as the Graph API writes it.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05-0700") }
