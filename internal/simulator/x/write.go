package x

import (
	"crypto/hmac"
	"crypto/sha1" // OAuth 1.0a signs with it (RFC 5849 section 3.4.2)
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Writer is an account that lets an app post for it, and the secrets of both.
type Writer struct {
	Account                                                     string
	ConsumerKey, ConsumerSecret, AccessToken, AccessTokenSecret string
}

// reply is POST /2/tweets, with a reply. https://docs.x.com/x-api/posts/create-post
func (s *Server) reply(w http.ResponseWriter, r *http.Request) {
	writer := s.options.Writer
	if writer == nil || !writer.signed(r) {
		problem(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	if len(s.fail) > 0 {
		status := s.fail[0]
		s.fail = s.fail[1:]
		if status != 0 {
			problem(w, status, "Failed, with the words of a citizen in it: banjir")
			return
		}
	}
	if !s.admit(w, "create") {
		problem(w, http.StatusTooManyRequests, "Too Many Requests")
		return
	}
	var in struct {
		Text  string `json:"text"`
		Reply struct {
			InReplyTo string `json:"in_reply_to_tweet_id"`
		} `json:"reply"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Text == "" {
		problem(w, http.StatusBadRequest, "One or more parameters to your request was invalid.")
		return
	}
	parent := s.find(number(in.Reply.InReplyTo))
	if parent == nil || !slices.Contains(parent.mentions, writer.Account) {
		problem(w, http.StatusForbidden, "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author of the post you are replying to.")
		return
	}
	e := &entry{Post: Post{Author: writer.Account, Text: in.Text, ReplyTo: parent.id}, id: s.newID(s.options.Now())}
	e.conversation, e.history = parent.conversation, []uint64{e.id}
	e.mentions = append([]string{parent.Author}, parent.mentions...)
	s.insert(e)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"id": text(e.id), "text": in.Text}})
}

// signed verifies the signature of a request without form parameters (RFC 5849 section 3.4).
func (k *Writer) signed(r *http.Request) bool {
	scheme, fields, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "OAuth") {
		return false
	}
	given := map[string]string{}
	var pairs []string
	for field := range strings.SplitSeq(fields, ",") {
		name, quoted, _ := strings.Cut(strings.TrimSpace(field), "=")
		value, err := url.PathUnescape(strings.Trim(quoted, `"`))
		if err != nil {
			return false
		}
		given[name] = value
		if name != "oauth_signature" && name != "realm" {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	slices.Sort(pairs)
	scheme = "http"
	if r.TLS != nil || r.URL.Scheme == "https" {
		scheme = "https"
	}
	base := r.Method + "&" + escape(scheme+"://"+r.Host+r.URL.Path) + "&" + escape(strings.Join(pairs, "&"))
	mac := hmac.New(sha1.New, []byte(escape(k.ConsumerSecret)+"&"+escape(k.AccessTokenSecret)))
	mac.Write([]byte(base))
	signature, err := base64.StdEncoding.DecodeString(given["oauth_signature"])
	return err == nil && hmac.Equal(signature, mac.Sum(nil)) &&
		given["oauth_consumer_key"] == k.ConsumerKey && given["oauth_token"] == k.AccessToken && given["oauth_signature_method"] == "HMAC-SHA1"
}

// escape is the percent-encoding of RFC 5849 section 3.6.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
