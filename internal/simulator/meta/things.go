package meta

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// newID is an id that nothing else has.
func (s *Server) newID(prefix string) string {
	s.serial++
	return prefix + s.options.PageID[:3] + leading(s.serial)
}

func leading(n int) string {
	digits := []byte("00000000000")
	for i := len(digits) - 1; n > 0; i-- {
		digits[i] += byte(n % 10)
		n /= 10
	}
	return string(digits)
}

// Post is what somebody posts on the Page. It returns its id and the delivery about it.
func (s *Server) Post(author, text string) (id string, delivery []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &thing{id: s.options.PageID + "_" + s.newID(""), author: author, text: text, at: s.options.Now()}
	s.posts = append(s.posts, t)
	return t.id, s.feed(t, "status", "add")
}

// Media is a picture that the account posts on Instagram, of which nothing is delivered.
func (s *Server) Media() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &thing{id: s.newID("1789"), at: s.options.Now()}
	s.media = append(s.media, t)
	return t.id
}

// Comment is a comment below a post on Facebook, or a reply to another where parent is not "".
func (s *Server) Comment(author, post, parent, text string) (id string, delivery []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, tail, _ := strings.Cut(post, "_")
	t := &thing{id: tail + "_" + s.newID(""), author: author, of: post, parent: parent, text: text, at: s.options.Now()}
	s.comments = append(s.comments, t)
	return t.id, s.feed(t, "comment", "add")
}

// Change does something to a comment on Facebook: edited, with a new text, remove, hide or unhide.
func (s *Server) Change(id, verb, text string) (delivery []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.comments, func(t *thing) bool { return t.id == id })
	t := s.comments[at]
	switch verb {
	case "edited":
		t.text = text
	case "remove":
		t.removed = true
	case "hide", "unhide":
		t.hidden = verb == "hide"
	}
	now := *t
	now.at = s.options.Now()
	return s.feed(&now, "comment", verb)
}

// Remark is a comment on Instagram, or a reply to another where parent is not "". flat delivers it in the shape of
// apps with Instagram Login.
func (s *Server) Remark(author, media, parent, text string, flat bool) (id string, delivery []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &thing{id: s.newID("1790"), author: author, of: media, parent: parent, text: text, at: s.options.Now()}
	s.comments = append(s.comments, t)
	value := Object{
		"from": Object{"id": t.author, "username": "warga"}, "media": Object{"id": media, "media_product_type": "FEED"}, "text": text,
	}
	if parent != "" {
		value["parent_id"] = parent
	}
	entry := Object{"id": s.options.InstagramID, "time": t.at.Unix()}
	if flat {
		value["comment_id"] = t.id
		entry["field"], entry["value"] = "comments", value
	} else {
		value["id"] = t.id
		entry["changes"] = []any{Object{"field": "comments", "value": value}}
	}
	return t.id, body("instagram", entry)
}

// Mention is a mention of the account in a comment on somebody else's media, of which the delivery says only
// where.
func (s *Server) Mention(author, text string) (id string, delivery []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	media := s.newID("1789")
	t := &thing{id: s.newID("1791"), author: author, of: media, text: text, at: s.options.Now()}
	s.comments = append(s.comments, t)
	value := Object{"media_id": media, "comment_id": t.id}
	return t.id, body("instagram", Object{"id": s.options.InstagramID, "time": t.at.Unix(), "changes": []any{Object{"field": "mentions", "value": value}}})
}

// Message is a message of a person to the city, or (answer) of the city to a person, on messenger or
// instagram.
func (s *Server) Message(platform, person, text string, answer bool) (mid string, delivery []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own, object := s.options.PageID, "page"
	if platform == "instagram" {
		own, object = s.options.InstagramID, "instagram"
	}
	t := &thing{id: s.newID("m_"), author: person, to: own, parent: "t_" + person, text: text, at: s.options.Now()}
	content := Object{"mid": t.id, "text": text}
	if answer {
		t.author, t.to = own, person
		content["is_echo"], content["app_id"] = true, 263902037430900
	}
	s.messages[platform] = append(s.messages[platform], t)
	return t.id, body(object, Object{"id": own, "time": t.at.UnixMilli(), "messaging": []any{Object{
		"sender": Object{"id": t.author}, "recipient": Object{"id": t.to}, "timestamp": t.at.UnixMilli(), "message": content,
	}}})
}

// Unsend takes a message on Instagram back.
func (s *Server) Unsend(mid string) (delivery []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.messages["instagram"]
	t := list[slices.IndexFunc(list, func(t *thing) bool { return t.id == mid })]
	t.removed = true
	now := s.options.Now().UnixMilli()
	return body("instagram", Object{"id": s.options.InstagramID, "time": now, "messaging": []any{Object{
		"sender": Object{"id": t.author}, "recipient": Object{"id": t.to}, "timestamp": now, "message": Object{"mid": mid, "is_deleted": true},
	}}})
}

// feed is the delivery about something on the Page.
func (s *Server) feed(t *thing, item, verb string) []byte {
	value := Object{
		"item": item, "verb": verb, "from": Object{"id": t.author, "name": "Warga"}, "created_time": t.at.Unix(), "post_id": t.id,
	}
	if verb == "add" || verb == "edited" {
		value["message"] = t.text
	}
	if item == "comment" {
		value["comment_id"], value["post_id"], value["parent_id"] = t.id, t.of, t.of
		value["post"] = Object{"id": t.of, "status_type": "mobile_status_update", "is_published": true, "updated_time": stamp(t.at), "promotion_status": "inactive"}
		if t.parent != "" {
			value["parent_id"] = t.parent
		}
	}
	return body("page", Object{"id": s.options.PageID, "time": s.options.Now().Unix(), "changes": []any{Object{"field": "feed", "value": value}}})
}

// The forms in which the Graph API gives things.

func (s *Server) post(t *thing) Object {
	updated := t.at
	for _, c := range s.comments {
		if c.of == t.id && c.at.After(updated) {
			updated = c.at
		}
	}
	return Object{"id": t.id, "from": Object{"id": t.author, "name": "Warga"}, "message": t.text, "created_time": stamp(t.at), "updated_time": stamp(updated)}
}

func (s *Server) facebook(t *thing) Object {
	o := Object{"id": t.id, "from": Object{"id": t.author, "name": "Warga"}, "message": t.text, "created_time": stamp(t.at)}
	if t.parent != "" {
		o["parent"] = Object{"id": t.parent}
	}
	return o
}

func (s *Server) instagram(t *thing) Object {
	o := Object{"id": t.id, "from": Object{"id": t.author, "username": "warga"}, "text": t.text, "timestamp": stamp(t.at)}
	if t.parent == "" {
		if replies := s.replies(t.id); len(replies) > 0 {
			o["replies"] = s.pageOf(replies, 25, "", "https://graph.facebook.com/"+s.options.Version+"/"+t.id+"/replies", s.instagram)
		}
	}
	return o
}

// replies to a comment on Instagram, oldest first.
func (s *Server) replies(comment string) []*thing {
	replies := newest(s.comments, func(t *thing) bool { return t.parent == comment })
	slices.Reverse(replies)
	return replies
}

func message(t *thing) Object {
	return Object{
		"id": t.id, "from": Object{"id": t.author}, "to": Object{"data": []any{Object{"id": t.to}}}, "message": t.text, "created_time": stamp(t.at),
	}
}

// conversations are those of a platform, the latest first.
func (s *Server) conversations(platform string) []*thing {
	latest := map[string]time.Time{}
	var order []string
	for _, t := range slices.Backward(s.messages[platform]) {
		if _, known := latest[t.parent]; !known {
			latest[t.parent] = t.at
			order = append(order, t.parent)
		}
	}
	var list []*thing
	for _, id := range order {
		list = append(list, &thing{id: id, at: latest[id]})
	}
	return list
}

// mention answers what was said where the account was mentioned.
func (s *Server) mention(w http.ResponseWriter, fields string) {
	for _, t := range s.comments {
		if strings.HasPrefix(fields, "mentioned_comment.comment_id("+t.id+")") && !t.removed {
			write(w, Object{"id": s.options.InstagramID, "mentioned_comment": Object{"id": t.id, "text": t.text, "timestamp": stamp(t.at)}})
			return
		}
	}
	refuse(w, http.StatusBadRequest, 100)
}
