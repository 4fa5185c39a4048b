package meta

import (
	"encoding/json"
	"strconv"

	"github.com/tanggap/tanggap/internal/complaint"
)

// What is done to a comment or a post.
type verb int

const (
	ignored verb = iota
	added
	edited
	removed
	hidden
	shown
)

// verbOf reads a verb of the feed; both names of a change are in use.
func verbOf(s string) verb {
	switch s {
	case "add":
		return added
	case "edit", "edited", "update":
		return edited
	case "remove", "delete":
		return removed
	case "hide":
		return hidden
	case "unhide":
		return shown
	}
	return ignored
}

// contribution is a comment, or a post, on Facebook or Instagram, by a delivery or by a reading.
type contribution struct {
	// kind is comment, post or mention.
	kind     string
	platform string
	id       string
	// parent is the comment that it replies to, "" for none; post is what it stands below.
	parent, post string
	author       ident
	text         string
	ad           string
	// at is when it was made, or what was done to it done.
	at moment
}

// The kinds of contribution, which begin the identifiers of their events.
const (
	kindComment = "comment"
	kindPost    = "post"
	kindMention = "mention"
)

// feed is what a change of a Page's feed says; nil is nothing that matters.
func (t *translator) feed(v *feedValue, sent moment) (*complaint.Event, error) {
	c := contribution{platform: "facebook", author: v.author(), text: v.Message, at: v.CreatedTime.or(sent)}
	switch v.Item {
	case "comment":
		c.kind, c.id, c.post, c.parent = kindComment, string(v.CommentID), string(v.PostID), string(v.ParentID)
		if c.parent == c.post {
			c.parent = ""
		}
	case "post", "status", "photo", "video", "share", "link", "album", "note", "event":
		c.kind, c.id = kindPost, string(v.PostID)
		if t.ours(c.author) {
			return nil, nil //nolint:nilnil // what the city posts is no complaint, and no error
		}
	default:
		return nil, nil //nolint:nilnil // a like, a share, a rating: no word that could be answered
	}
	return t.done(&c, verbOf(v.Verb), v.EditedTime)
}

// mentioned is what a mention of the Page by others says; nil is nothing that matters.
func (t *translator) mentioned(v *feedValue, sent moment) (*complaint.Event, error) {
	c := contribution{kind: kindMention, platform: "facebook", author: v.author(), text: v.Message, at: v.CreatedTime.or(sent)}
	if c.id = string(v.CommentID); c.id == "" {
		c.id = string(v.PostID)
	}
	if t.ours(c.author) {
		return nil, nil //nolint:nilnil // no event is no error
	}
	return t.done(&c, verbOf(v.Verb), v.EditedTime)
}

// author is who did it, "" where Meta does not say.
func (v *feedValue) author() ident {
	if v.From.ID != "" {
		return v.From.ID
	}
	return v.SenderID
}

// instagram is what a comment on Instagram says.
func (t *translator) instagram(v *commentValue, sent moment) (*complaint.Event, error) {
	c := contribution{
		kind: kindComment, platform: "instagram", id: string(v.ID), parent: string(v.ParentID), post: string(v.Media.ID),
		author: v.From.ID, text: v.Text, ad: string(v.Media.AdID), at: sent,
	}
	if c.id == "" {
		c.id = string(v.CommentID)
	}
	return t.done(&c, added, moment{})
}

// thinMention notes where the account was mentioned; what was said is asked for later.
func (t *translator) thinMention(r *result, raw json.RawMessage, sent moment) {
	var v mentionValue
	if json.Unmarshal(raw, &v) != nil {
		r.failed("a mention", errShape)
		return
	}
	c := contribution{kind: kindMention, platform: "instagram", id: string(v.CommentID), at: sent}
	if c.id == "" {
		c.id = string(v.MediaID)
	}
	e, err := t.done(&c, added, moment{})
	if r.add("a mention", e, err); err == nil && plain(c.id) && (v.MediaID == "" || plain(string(v.MediaID))) {
		r.thin = append(r.thin, thin{len(r.Events) - 1, string(v.MediaID), string(v.CommentID)})
	}
}

// done is the event of something done to a contribution; nil is nothing that matters.
func (t *translator) done(c *contribution, v verb, editedAt moment) (*complaint.Event, error) {
	switch {
	case v == ignored:
		return nil, nil //nolint:nilnil // no event is no error
	case c.id == "":
		return nil, errID
	case c.at.IsZero():
		return nil, errTime
	}
	e := t.contributed(c)
	own := e.ID
	if v != added {
		e.Thread.Quoted = append([]string{own}, e.Thread.Quoted...)
		at := editedAt.or(c.at)
		e.OccurredAt = at.Time
		e.Kind, e.ID = complaint.KindEdited, "edited/"+own+"/"+strconv.FormatInt(at.Unix(), 10)
	}
	switch v {
	case removed:
		e.Text, e.Attributes[attributeType] = "", "remove"
		if e.ID = "removed/" + own; e.Actor == complaint.ActorCitizen {
			e.Kind = complaint.KindRedacted
		} // the city's own may have been read, and what citizens wrote stays
	case hidden, shown:
		e.Text, e.Reporter, e.Actor, e.Attributes[attributeType] = "", nil, complaint.ActorOfficial, "hide"
		if v == shown {
			e.Attributes[attributeType] = "unhide"
		}
		e.ID = e.Attributes[attributeType] + "/" + own + "/" + strconv.FormatInt(e.OccurredAt.Unix(), 10)
	case ignored, added, edited: // nothing more
	}
	return e, nil
}

// contributed is the event of a contribution that was made.
//
// A thread is a case, which has the name of the comment that begins it. Below the post of a visitor all is
// one case, which is the post's. Whose a post is is not said with a comment: the ledger knows the posts of
// visitors, and no others. The city's own comment right below a post answers the post, if it is a visitor's.
func (t *translator) contributed(c *contribution) *complaint.Event {
	e := &complaint.Event{
		ID: c.kind + "/" + c.id, Kind: complaint.KindReceived, Actor: complaint.ActorCitizen, OccurredAt: c.at.Time,
		Text:       complaint.Cut(c.text, complaint.MaxTextBytes),
		Attributes: map[string]string{attributeType: c.kind, attributePlatform: c.platform},
		Thread:     &complaint.Thread{},
	}
	if c.kind == kindMention {
		// The id of a post on somebody's own timeline begins with who that is, and identifiers are shown.
		e.ID = kindMention + "/" + digest(c.id)
		e.Attributes[attributeObject] = complaint.Cut(c.id, complaint.MaxAttributeBytes)
	}
	e.CaseID = e.ID
	post := kindPost + "/" + c.post
	if c.parent != "" {
		e.CaseID = kindComment + "/" + c.parent
		e.Thread.Quoted = append(e.Thread.Quoted, e.CaseID)
	}
	if c.post != "" {
		e.Thread.Quoted = append(e.Thread.Quoted, post)
	}
	if c.ad != "" {
		e.Attributes[attributeAd] = complaint.Cut(c.ad, complaint.MaxAttributeBytes)
	}
	switch {
	case t.ours(c.author):
		e.Kind, e.Actor = complaint.KindAnswered, complaint.ActorOfficial
		if c.parent == "" && c.post != "" {
			e.CaseID = post
		}
	case c.author != "":
		e.Reporter = &complaint.Reporter{Handle: string(c.author)}
	}
	return e
}
