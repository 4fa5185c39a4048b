package x

import (
	"html"
	"slices"

	"github.com/tanggap/tanggap/internal/complaint"
)

// attributePlace is the place that the author attached to a post, as X calls it.
const attributePlace = "place"

// conversations tell which of them the city began.
type conversations interface {
	// ours reports whether the city began the conversation, began notes that it did.
	ours(conversation id) bool
	began(conversation id)
}

// events are what a post says has happened; none for a post that is neither a complaint nor an answer.
// Reading it again gives events of the same identifiers.
func (s *source) events(post *post, known conversations) []complaint.Event {
	if post.refers("retweeted") != "" {
		return nil
	}
	conversation, _ := parseID(post.ConversationID) // checked when it was parsed
	official := s.city(post.AuthorID)
	replied := post.refers("replied_to")
	switch {
	case replied == "" && official:
		known.began(post.first())
		return nil
	case replied == post.ConversationID && s.city(post.InReplyToUserID):
		known.began(conversation)
	}
	citizen, e := post.AuthorID, complaint.Event{Kind: complaint.KindReceived, Actor: complaint.ActorCitizen}
	if official {
		citizen, e = post.InReplyToUserID, complaint.Event{Kind: complaint.KindAnswered, Actor: complaint.ActorOfficial}
	}
	e.CaseID = post.ConversationID
	if replied == "" {
		e.CaseID = post.first().String()
	}
	if known.ours(conversation) {
		if citizen == "" || s.city(citizen) {
			return nil // the city goes on with a post of its own; it answers nobody
		}
		e.CaseID += "/" + citizen
	}
	return post.versions(e)
}

// city reports whether an account is one of the city's.
func (s *source) city(account string) bool { return slices.Contains(s.agencies, account) }

// versions completes the event of a post, and adds that it was edited if it was.
func (p *post) versions(e complaint.Event) []complaint.Event {
	first := p.first()
	e.ID, e.OccurredAt, e.Text = first.String(), p.CreatedAt, p.words()
	if e.Actor == complaint.ActorCitizen {
		// The number stays when a name changes.
		e.Reporter = &complaint.Reporter{Handle: p.AuthorID}
	}
	e.Location = p.location()
	if p.place != "" {
		e.Attributes = map[string]string{attributePlace: complaint.Cut(p.place, complaint.MaxAttributeBytes)}
	}
	if first == p.number {
		return []complaint.Event{e}
	}
	edited := e
	e.OccurredAt = first.time()
	edited.Kind, edited.ID = complaint.KindEdited, e.ID+"/edited/"+p.ID
	return []complaint.Event{e, edited}
}

// words are the text as it was written: X escapes &, < and >.
func (p *post) words() string {
	text := p.Text
	if p.NoteTweet != nil && p.NoteTweet.Text != "" {
		text = p.NoteTweet.Text
	}
	return complaint.Cut(html.UnescapeString(text), complaint.MaxTextBytes)
}

// location is the position that the author attached; a place is no position but a name.
func (p *post) location() *complaint.Location {
	if p.Geo == nil || p.Geo.Coordinates == nil || len(p.Geo.Coordinates.Coordinates) != 2 {
		return nil
	}
	at := p.Geo.Coordinates.Coordinates
	if !(at[0] >= -180 && at[0] <= 180 && at[1] >= -90 && at[1] <= 90) {
		return nil
	}
	return &complaint.Location{Latitude: at[1], Longitude: at[0]}
}
