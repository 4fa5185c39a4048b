// Package x is a simulated X: the two timelines of the X API v2 that complaints and answers are read
// from, with their pages, their horizons, their limits of requests and their errors as documented.
package x

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// epoch is the millisecond of Unix time from which the ids count, and sequenceBits tell those of one
	// millisecond apart.
	epoch        = 1288834974657
	sequenceBits = 22
	// quarter is how long a quota of requests lasts.
	quarter = 15 * time.Minute
)

// Options are what a server is made of.
type Options struct {
	// Token is the bearer token that the server wants.
	Token string
	// Now is its clock.
	Now func() time.Time
	// Requests of an endpoint that it takes in a quarter of an hour; 0 is 450.
	Requests int
	// PageSize is the most posts it gives at once; 0 is what max_results asks for.
	PageSize int
	// Writer is who may post; nil is nobody.
	Writer *Writer
}

// Post is a post; ReplyTo is what it answers, 0 for none.
type Post struct {
	Author  string
	Text    string
	ReplyTo uint64
	// Mentions are accounts beside those that a reply mentions by itself.
	Mentions []string
	// Retweet is the post that it repeats, Quote the one that it quotes.
	Retweet, Quote uint64
	// Place is the name of a place that its author attached, and Position a longitude and a latitude.
	Place    string
	Position []float64
	// LongText is the whole of a text of which Text is the beginning.
	LongText string
	// At is when it was made; zero is now.
	At time.Time
}

// entry is one version of a post.
type entry struct {
	Post
	id, conversation uint64
	history          []uint64
	mentions         []string
	hidden           bool
}

// Server is the simulated X. It is an http.Handler and safe for concurrent use.
type Server struct {
	options Options

	mu      sync.Mutex
	entries []*entry // ascending ids
	used    map[string]int
	until   map[string]time.Time
	fail    []int
	asked   []string
	after   func(request int)
	hooks   hooks
}

// New makes a server without posts.
func New(options Options) *Server {
	if options.Requests == 0 {
		options.Requests = 450
	}
	return &Server{options: options, used: map[string]int{}, until: map[string]time.Time{}}
}

// Add adds a post and returns its id.
func (s *Server) Add(p Post) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &entry{Post: p, id: s.newID(p.At), mentions: slices.Clone(p.Mentions)}
	e.conversation, e.history = e.id, []uint64{e.id}
	if parent := s.find(p.ReplyTo); parent != nil {
		e.conversation = parent.conversation
		e.mentions = append(append(e.mentions, parent.Author), parent.mentions...)
	}
	s.insert(e)
	return e.id
}

// Edit changes the text of a post: X shows the new version under an id of its own, in the place of the old.
func (s *Server) Edit(id uint64, text string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.find(id)
	edited := *old
	edited.Text, edited.At, edited.id = text, time.Time{}, s.newID(time.Time{})
	edited.history = append(slices.Clone(old.history), edited.id)
	old.hidden = true
	s.insert(&edited)
	return edited.id
}

// Delete takes a post away. X still counts it.
func (s *Server) Delete(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.find(id).hidden = true
}

// Fail lets the next requests be answered with these statuses; 0 is none.
func (s *Server) Fail(statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = append(s.fail, statuses...)
}

// Asked are the requests so far: endpoint and query.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// After has f called after each request, counted from 1.
func (s *Server) After(f func(request int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = f
}

// newID is the first free id of an instant.
func (s *Server) newID(at time.Time) uint64 {
	if at.IsZero() {
		at = s.options.Now()
	}
	id := uint64(at.UnixMilli()-epoch) << sequenceBits
	for s.find(id) != nil {
		id++
	}
	return id
}

func (s *Server) search(id uint64) (int, bool) {
	return slices.BinarySearchFunc(s.entries, id, func(e *entry, id uint64) int {
		return int(min(max(int64(e.id)-int64(id), -1), 1))
	})
}

func (s *Server) find(id uint64) *entry {
	if at, found := s.search(id); found {
		return s.entries[at]
	}
	return nil
}

func (s *Server) insert(e *entry) {
	at, _ := s.search(e.id)
	s.entries = slices.Insert(s.entries, at, e)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	n, after := s.serve(w, r), s.after
	s.mu.Unlock()
	if after != nil {
		after(n)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) (n int) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	endpoint := parts[len(parts)-1]
	s.asked = append(s.asked, endpoint+"?"+r.URL.RawQuery)
	n = len(s.asked)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if r.Method == http.MethodPost && r.URL.Path == "/2/tweets" {
		s.reply(w, r)
		return n
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+s.options.Token:
		problem(w, http.StatusUnauthorized, "Unauthorized")
		return n
	case r.URL.Path == "/2/webhooks" || r.URL.Path == "/2/activity/subscriptions":
		s.webhooks(w, endpoint, r.URL.Query().Get("pagination_token"))
		return n
	case len(parts) != 4 || parts[0] != "2" || parts[1] != "users" || endpoint != "mentions" && endpoint != "tweets":
		problem(w, http.StatusNotFound, "Not Found")
		return n
	}
	if len(s.fail) > 0 {
		status := s.fail[0]
		s.fail = s.fail[1:]
		if status != 0 {
			problem(w, status, "Failed, with the words of a citizen in it: banjir")
			return n
		}
	}
	if !s.admit(w, endpoint) {
		problem(w, http.StatusTooManyRequests, "Too Many Requests")
		return n
	}
	q := r.URL.Query()
	size, err := strconv.Atoi(q.Get("max_results"))
	if err != nil || size < 5 || size > 100 || endpoint == "mentions" && q.Has("exclude") {
		problem(w, http.StatusBadRequest, "One or more parameters to your request was invalid.")
		return n
	}
	if s.options.PageSize != 0 {
		size = min(size, s.options.PageSize)
	}
	s.page(w, s.timeline(parts[2], endpoint, q.Get("exclude") == "retweets"), size, q.Get("since_id"), q.Get("until_id"), q.Get("pagination_token"))
	return n
}

// admit counts a request and says how many are left.
func (s *Server) admit(w http.ResponseWriter, endpoint string) bool {
	now := s.options.Now()
	if !now.Before(s.until[endpoint]) {
		s.used[endpoint], s.until[endpoint] = 0, now.Add(quarter).Truncate(time.Second)
	}
	s.used[endpoint]++
	w.Header().Set("x-rate-limit-limit", strconv.Itoa(s.options.Requests))
	w.Header().Set("x-rate-limit-remaining", strconv.Itoa(max(s.options.Requests-s.used[endpoint], 0)))
	w.Header().Set("x-rate-limit-reset", strconv.FormatInt(s.until[endpoint].Unix(), 10))
	return s.used[endpoint] <= s.options.Requests
}

// timeline lists what an endpoint shows, newest first: within its horizon, which counts what is hidden.
func (s *Server) timeline(account, endpoint string, noRetweets bool) []*entry {
	horizon := map[string]int{"mentions": 800, "tweets": 3200}[endpoint]
	var shown []*entry
	for _, e := range slices.Backward(s.entries) {
		of := e.Author == account
		if endpoint == "mentions" {
			of = slices.Contains(e.mentions, account)
		}
		if !of {
			continue
		}
		if horizon--; horizon < 0 {
			break
		}
		if !e.hidden && (e.Retweet == 0 || !noRetweets) {
			shown = append(shown, e)
		}
	}
	return shown
}

// page answers with a page of a timeline.
func (s *Server) page(w http.ResponseWriter, shown []*entry, size int, since, until, token string) {
	below, above := number(until), number(since)
	if token != "" {
		below = number(strings.TrimPrefix(token, "7140dibdnow9c7btw-"))
	}
	shown = slices.DeleteFunc(shown, func(e *entry) bool { return e.id <= above || below != 0 && e.id >= below })
	meta := map[string]any{"result_count": min(size, len(shown))}
	if len(shown) > size {
		shown = shown[:size]
		meta["next_token"] = fmt.Sprintf("7140dibdnow9c7btw-%d", shown[size-1].id)
	}
	answer := map[string]any{"meta": meta}
	if len(shown) > 0 {
		meta["newest_id"], meta["oldest_id"] = text(shown[0].id), text(shown[len(shown)-1].id)
		data, places := make([]any, len(shown)), []any{}
		for i, e := range shown {
			data[i] = e.wire()
			if e.Place != "" {
				places = append(places, map[string]any{"id": "place-" + text(e.id), "full_name": e.Place})
			}
		}
		answer["data"] = data
		if len(places) > 0 {
			answer["includes"] = map[string]any{"places": places}
		}
	}
	_ = json.NewEncoder(w).Encode(answer) // the client went away: nobody is left to tell
}

// wire is the post as X writes it.
func (e *entry) wire() map[string]any {
	history := make([]string, len(e.history))
	for i, id := range e.history {
		history[i] = text(id)
	}
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	post := map[string]any{
		"id": text(e.id), "text": escape.Replace(e.Text), "author_id": e.Author, "conversation_id": text(e.conversation),
		"created_at":             time.UnixMilli(int64(e.id>>sequenceBits) + epoch).UTC().Format("2006-01-02T15:04:05.000Z"),
		"edit_history_tweet_ids": history,
	}
	var references []any
	for kind, id := range map[string]uint64{"replied_to": e.ReplyTo, "retweeted": e.Retweet, "quoted": e.Quote} {
		if id != 0 {
			references = append(references, map[string]any{"type": kind, "id": text(id)})
		}
	}
	if references != nil {
		post["referenced_tweets"] = references
	}
	if e.ReplyTo != 0 && len(e.mentions) > len(e.Mentions) {
		post["in_reply_to_user_id"] = e.mentions[len(e.Mentions)]
	}
	geo := map[string]any{}
	if e.Place != "" {
		geo["place_id"] = "place-" + text(e.id)
	}
	if e.Position != nil {
		geo["coordinates"] = map[string]any{"type": "Point", "coordinates": e.Position}
	}
	if len(geo) > 0 {
		post["geo"] = geo
	}
	if e.LongText != "" {
		post["note_tweet"] = map[string]any{"text": escape.Replace(e.LongText)}
	}
	return post
}

func problem(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": title, "status": status, "type": "about:blank"})
}

func text(id uint64) string { return strconv.FormatUint(id, 10) }

// number is 0 for what is no id.
func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}
