package x

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// id is the number of a post. Its upper bits are the time at which it was made.
type id uint64

const (
	// epoch is the millisecond of Unix time from which the ids count.
	epoch = 1288834974657
	// sequenceBits tell posts of one millisecond apart.
	sequenceBits = 22
)

// parseID reads an id in its only form: decimal digits without a leading zero.
func parseID(s string) (id, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return id(n), err == nil && !strings.HasPrefix(s, "0")
}

// firstID is the smallest id of an instant; 1 for one before the ids begin.
func firstID(at time.Time) id {
	return id(max(at.UnixMilli()-epoch, 0))<<sequenceBits | 1
}

// time is when the post was made.
func (n id) time() time.Time {
	return time.UnixMilli(int64(n>>sequenceBits) + epoch).UTC()
}

func (n id) String() string { return strconv.FormatUint(uint64(n), 10) }

// post is what is read of a post.
type post struct {
	ID               string    `json:"id"`
	Text             string    `json:"text"`
	CreatedAt        time.Time `json:"created_at"`
	AuthorID         string    `json:"author_id"`
	ConversationID   string    `json:"conversation_id"`
	InReplyToUserID  string    `json:"in_reply_to_user_id"`
	ReferencedTweets []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"referenced_tweets"`
	// EditHistoryTweetIDs are the ids of all versions, the first of which names the post.
	EditHistoryTweetIDs []string `json:"edit_history_tweet_ids"`
	// NoteTweet has the whole text where Text is only its beginning.
	NoteTweet *struct {
		Text string `json:"text"`
	} `json:"note_tweet"`
	Geo *struct {
		PlaceID     string `json:"place_id"`
		Coordinates *struct {
			// Coordinates are longitude and latitude.
			Coordinates []float64 `json:"coordinates"`
		} `json:"coordinates"`
	} `json:"geo"`

	number id
	// place is the name of the place that the author attached.
	place string
}

// refers is the id of the post that this one refers to in that way, or "".
func (p *post) refers(kind string) string {
	for _, r := range p.ReferencedTweets {
		if r.Type == kind {
			return r.ID
		}
	}
	return ""
}

// first is the id of the post's first version.
func (p *post) first() id {
	if len(p.EditHistoryTweetIDs) > 0 {
		if n, ok := parseID(p.EditHistoryTweetIDs[0]); ok {
			return n
		}
	}
	return p.number
}

// place is one that authors attach to posts.
type place struct {
	ID       string `json:"id"`
	FullName string `json:"full_name"`
}

// placed notes the name of the post's place.
func (p *post) placed(places []place) {
	for i := range places {
		if p.Geo != nil && places[i].ID == p.Geo.PlaceID {
			p.place = places[i].FullName
		}
	}
}

// page is one answer, newest posts first.
type page struct {
	posts []post
	// odd are entries that are no posts.
	odd int
	// next is the token of the next page; "" is the end.
	next string
}

// answer is the JSON of a timeline.
type answer struct {
	Data     []json.RawMessage `json:"data"`
	Includes struct {
		Places []place `json:"places"`
	} `json:"includes"`
	Meta *struct {
		NextToken string `json:"next_token"`
	} `json:"meta"`
	Errors []struct {
		Type string `json:"type"`
	} `json:"errors"`
}

// parse reads an answer. Its error names nothing of it.
func parse(body []byte) (page, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return page{}, invalid("the answer is not the JSON of a timeline; check url")
	}
	if a.Meta == nil {
		return page{}, a.problem()
	}
	result := page{next: a.Meta.NextToken, posts: make([]post, 0, len(a.Data))}
	for _, raw := range a.Data {
		var p post
		if json.Unmarshal(raw, &p) != nil || !p.complete() {
			result.odd++
			continue
		}
		p.placed(a.Includes.Places)
		result.posts = append(result.posts, p)
	}
	return result, nil
}

// complete checks what every post must have, and notes its number.
func (p *post) complete() bool {
	var ok [3]bool
	p.number, ok[0] = parseID(p.ID)
	_, ok[1] = parseID(p.AuthorID)
	_, ok[2] = parseID(p.ConversationID)
	return ok == [3]bool{true, true, true} && !p.CreatedAt.IsZero()
}

// problem is what X says instead of a timeline, in a success.
func (a *answer) problem() error {
	for _, e := range a.Errors {
		switch {
		case strings.HasSuffix(e.Type, "/resource-not-found"):
			return &channel.Error{Reason: ledgerapi.ReasonNotFound, Message: "there is no account of this userID; it is the numeric id and not the @name"}
		case strings.HasSuffix(e.Type, "/not-authorized-for-resource"):
			return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "the account is protected or suspended, and the token does not let it be read"}
		}
	}
	return invalid("the answer has no meta, which every timeline has; check url")
}

func invalid(message string) *channel.Error {
	return &channel.Error{Reason: ledgerapi.ReasonInvalidResponse, Message: message}
}
