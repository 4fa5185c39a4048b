package meta

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
)

// Sizes of pages, which are those that Meta allows.
const (
	entriesPage = 50
	itemsPage   = 100
	// commentsPage is of Instagram, which gives fifty comments at once.
	commentsPage = 50
)

// lists are what is read of a Page and an account.
func (s *source) lists(bound time.Time, messages bool) []list {
	var all []list
	if s.page != "" {
		all = append(all, s.posts(bound))
	}
	if s.instagram != "" {
		all = append(all, s.media())
	}
	if !messages {
		return all
	}
	if s.page != "" {
		all = append(all, s.conversations("messenger", s.page))
	}
	if s.instagram != "" {
		of := s.page
		if of == "" {
			of = s.instagram
		}
		all = append(all, s.conversations("instagram", of))
	}
	return all
}

// node is what objects of the Graph API have in common.
type node struct {
	ID          ident  `json:"id"`
	From        person `json:"from"`
	Message     string `json:"message"`
	CreatedTime moment `json:"created_time"`
	UpdatedTime moment `json:"updated_time"`
	Parent      person `json:"parent"`
	// Text and Timestamp are Instagram's names.
	Text      string `json:"text"`
	Timestamp moment `json:"timestamp"`
	Replies   page   `json:"replies"`
	To        struct {
		Data []person `json:"data"`
	} `json:"to"`
}

// posts are those on the Page, by it and by visitors.
func (s *source) posts(bound time.Time) list {
	query := ask("id,from,message,created_time,updated_time", entriesPage)
	query.Set("since", strconv.FormatInt(bound.Unix(), 10))
	return list{name: "posts", path: s.page + "/feed", query: query, entry: func(raw json.RawMessage) (entryOf, error) {
		var n node
		if json.Unmarshal(raw, &n) != nil || n.CreatedTime.IsZero() {
			return entryOf{}, errShape
		}
		e := entryOf{id: string(n.ID), at: n.CreatedTime, changed: n.UpdatedTime, items: s.comments(string(n.ID))}
		if n.From.ID != "" && !s.translator.ours(n.From.ID) {
			var err error
			c := contribution{kind: kindPost, platform: "facebook", id: string(n.ID), author: n.From.ID, text: n.Message, at: n.CreatedTime}
			e.event, err = s.translator.done(&c, added, moment{})
			return e, err
		}
		return e, nil
	}}
}

// comments are those below a post on Facebook, replies among them.
func (s *source) comments(post string) items {
	query := ask("id,from,message,created_time,parent{id}", itemsPage)
	query.Set("filter", "stream")
	query.Set("order", "reverse_chronological")
	return items{path: post + "/comments", query: query, read: func(raw json.RawMessage) ([]*complaint.Event, moment, *items, error) {
		var n node
		if json.Unmarshal(raw, &n) != nil {
			return nil, moment{}, nil, errShape
		}
		e, err := s.translator.done(&contribution{
			kind: kindComment, platform: "facebook", id: string(n.ID), parent: string(n.Parent.ID), post: post, author: n.From.ID, text: n.Message, at: n.CreatedTime,
		}, added, moment{})
		return []*complaint.Event{e}, n.CreatedTime, nil, err
	}}
}

// media are the posts of the account on Instagram. Of a post there it is not said when somebody last commented.
func (s *source) media() list {
	return list{name: "media", path: s.instagram + "/media", query: ask("id,timestamp", entriesPage), entry: func(raw json.RawMessage) (entryOf, error) {
		var n node
		if json.Unmarshal(raw, &n) != nil || n.Timestamp.IsZero() {
			return entryOf{}, errShape
		}
		of := items{path: string(n.ID) + "/comments", query: ask("id,text,timestamp,from,replies{id,text,timestamp,from}", commentsPage), unsorted: true}
		of.read = func(raw json.RawMessage) ([]*complaint.Event, moment, *items, error) {
			return s.thread(raw, string(n.ID))
		}
		return entryOf{id: string(n.ID), at: n.Timestamp, items: of}, nil
	}}
}

// thread is a comment on Instagram with the replies to it.
func (s *source) thread(raw json.RawMessage, media string) ([]*complaint.Event, moment, *items, error) {
	var n node
	if json.Unmarshal(raw, &n) != nil {
		return nil, moment{}, nil, errShape
	}
	first, err := s.remark(&n, media, "")
	if err != nil {
		return nil, moment{}, nil, err
	}
	events := []*complaint.Event{first}
	read := func(raw json.RawMessage) ([]*complaint.Event, moment, *items, error) {
		var reply node
		if json.Unmarshal(raw, &reply) != nil {
			return nil, moment{}, nil, errShape
		}
		e, err := s.remark(&reply, media, string(n.ID))
		return []*complaint.Event{e}, reply.Timestamp, nil, err
	}
	for _, raw := range n.Replies.Data {
		replies, _, _, err := read(raw)
		if err != nil {
			return nil, moment{}, nil, err
		}
		events = append(events, replies...)
	}
	if n.Replies.next() == "" || !plain(string(n.ID)) {
		return events, n.Timestamp, nil, nil
	}
	// There are more replies than come with the comment.
	return events, n.Timestamp, &items{path: string(n.ID) + "/replies", query: ask("id,text,timestamp,from", commentsPage), unsorted: true, read: read}, nil
}

func (s *source) remark(n *node, media, parent string) (*complaint.Event, error) {
	return s.translator.done(&contribution{
		kind: kindComment, platform: "instagram", id: string(n.ID), parent: parent, post: media, author: n.From.ID, text: n.Text, at: n.Timestamp,
	}, added, moment{})
}

// conversations are those of a platform by messages, the latest first.
func (s *source) conversations(platform, of string) list {
	query := ask("id,updated_time", entriesPage)
	query.Set("platform", platform)
	return list{name: "conversations-" + platform, path: of + "/conversations", query: query, messages: true, entry: func(raw json.RawMessage) (entryOf, error) {
		var n node
		if json.Unmarshal(raw, &n) != nil || n.UpdatedTime.IsZero() {
			return entryOf{}, errShape
		}
		below := items{path: string(n.ID) + "/messages", query: ask("id,created_time,from,to,message", itemsPage)}
		below.read = func(raw json.RawMessage) ([]*complaint.Event, moment, *items, error) {
			var n node
			if json.Unmarshal(raw, &n) != nil {
				return nil, moment{}, nil, errShape
			}
			m := messaging{Sender: n.From, Timestamp: n.CreatedTime, Message: &message{MID: string(n.ID), Text: n.Message}}
			for _, to := range n.To.Data {
				if !s.translator.ours(to.ID) {
					m.Recipient = to
				}
			}
			e, err := s.translator.message(&m, platform)
			return []*complaint.Event{e}, n.CreatedTime, nil, err
		}
		return entryOf{id: string(n.ID), at: n.UpdatedTime, changed: n.UpdatedTime, items: below}, nil
	}}
}
