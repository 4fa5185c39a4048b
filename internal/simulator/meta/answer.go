package meta

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Windows of answers to messages.
const (
	replyWindow = 24 * time.Hour
	agentWindow = 7 * 24 * time.Hour
)

// answer is a comment or a message of the city by the Graph API.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, node, edge string) {
	if node == "me" && edge == "messages" {
		s.send(w, r)
		return
	}
	var in struct {
		Message string `json:"message"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Message == "" {
		refuse(w, http.StatusBadRequest, 100)
		return
	}
	of := func(things []*thing) *thing {
		at := slices.IndexFunc(things, func(t *thing) bool { return t.id == node && !t.removed })
		if at < 0 {
			return nil
		}
		return things[at]
	}
	comment, post := of(s.comments), of(s.posts)
	t := &thing{author: s.options.PageID, text: in.Message, at: s.options.Now()}
	switch {
	case edge == "comments" && comment != nil:
		t.id, t.of, t.parent = s.newID("303_"), comment.of, comment.id
	case edge == "comments" && post != nil:
		t.id, t.of = s.newID("303_"), post.id
	case edge == "replies" && comment != nil && comment.parent == "":
		t.id, t.of, t.parent, t.author = s.newID("1790"), comment.of, comment.id, s.options.InstagramID
	default:
		refuse(w, http.StatusBadRequest, 100)
		return
	}
	s.comments = append(s.comments, t)
	write(w, Object{"id": t.id})
}

// send is the Send API. https://developers.facebook.com/docs/messenger-platform/reference/send-api
func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Recipient struct {
			ID string `json:"id"`
		} `json:"recipient"`
		Type    string `json:"messaging_type"`
		Tag     string `json:"tag"`
		Message struct {
			Text string `json:"text"`
		} `json:"message"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Message.Text == "" {
		refuse(w, http.StatusBadRequest, 100)
		return
	}
	for platform, messages := range s.messages {
		for _, last := range slices.Backward(messages) {
			if last.author != in.Recipient.ID {
				continue
			}
			age := s.options.Now().Sub(last.at)
			if in.Type == "RESPONSE" && age >= replyWindow || in.Type == "MESSAGE_TAG" && (in.Tag != "HUMAN_AGENT" || age >= agentWindow) {
				refuse(w, http.StatusForbidden, 10)
				return
			}
			t := &thing{id: s.newID("m_"), author: last.to, to: last.author, parent: last.parent, text: in.Message.Text, at: s.options.Now()}
			s.messages[platform] = append(messages, t)
			write(w, Object{"recipient_id": in.Recipient.ID, "message_id": t.id})
			return
		}
	}
	refuse(w, http.StatusBadRequest, 551)
}

// Said are the texts of the city's own comments and messages, in their order.
func (s *Server) Said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var said []string
	for _, t := range slices.Concat(s.comments, s.messages["messenger"], s.messages["instagram"]) {
		if t.author == s.options.PageID || t.author == s.options.InstagramID {
			said = append(said, t.text)
		}
	}
	return said
}
