package x

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/fetch"
	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// pageSize is the most posts that X gives at once.
const pageSize = 100

// timeline is one of the lists that are read.
type timeline struct {
	// endpoint is the last part of its path.
	endpoint string
	// horizon is how many of the latest posts X shows.
	horizon int
	// exclude is what X is asked to leave out.
	exclude string
}

var (
	// Retweets count towards the horizon whether they are shown or not. The list of mentions has no such
	// parameter in X's own description of its API, so that they are left out here.
	ownPosts = timeline{endpoint: "tweets", horizon: 3200, exclude: "retweets"}
	mentions = timeline{endpoint: "mentions", horizon: 800}
)

// fields of a post that are asked for. Users are not: each one read is paid for, and a name is not needed.
const fields = "author_id,conversation_id,created_at,edit_history_tweet_ids,geo,in_reply_to_user_id,note_tweet,referenced_tweets,text"

// poll is one poll under way.
type poll struct {
	*source
	sink   channel.Sink
	cursor cursor
	now    time.Time
	// pages that this poll has read.
	pages int
}

// read reads a timeline from its newest post back to where the last reading began, page by page. Only
// with the last page does it move on; a poll that is cut off goes on below the oldest post it has stored.
// With the last page the channel has been read through the earlier of this reading and the other's.
func (p *poll) read(ctx context.Context, t timeline, f, other *feed) error {
	if f.Window == nil {
		f.Window = &window{Started: p.now}
	}
	w := f.Window
	query := p.query(t, f)
	seen := map[string]bool{}
	for {
		if p.pages >= p.maxPages {
			return &channel.Error{Reason: ledgerapi.ReasonConnected,
				Message: fmt.Sprintf("read %d pages, as many as polling.maxPages allows; the next poll goes on", p.pages)}
		}
		got, err := p.get(ctx, t, query)
		if err != nil {
			return err
		}
		p.pages++
		batch := channel.Batch{Events: p.take(got, w)}
		if got.next != "" && seen[got.next] {
			return invalid("the pages go in a circle: the next one was read already")
		}
		seen[got.next] = true
		last, lost := got.next == "", false
		if last {
			lost = w.lost(t, f.Since)
			f.Since, f.Through, f.Window = max(f.Since, w.Newest), w.Started, nil
			if other != nil {
				through := f.Through
				if other.Through.Before(through) {
					through = other.Through
				}
				batch.ObservedThrough = &through
			}
		}
		batch.Cursor = channel.EncodeCursor(p.cursor)
		if err := p.sink.Append(ctx, batch); err != nil {
			return err
		}
		if got.odd > 0 {
			p.sink.Problem(ledgerapi.ReasonInvalidResponse, "an entry of the timeline is no post with an id, an author, a conversation and a time", got.odd)
		}
		if lost {
			p.sink.Problem(ledgerapi.ReasonHistoryLost, fmt.Sprintf(
				"X shows the latest %d posts of %s only, and there were more to read; the older ones cannot be had any more", t.horizon, t.endpoint), 1)
		}
		if last {
			if batch.ObservedThrough != nil {
				p.observed = *batch.ObservedThrough
			}
			return nil
		}
		query.Set("pagination_token", got.next)
	}
}

// lost reports whether the reading ended at the horizon and not where the last one began. X counts posts
// that it no longer shows, so that a list that comes within a page of the horizon may have ended there;
// it did not if a post was among them that is older than what was to be read.
func (w *window) lost(t timeline, since id) bool {
	return w.Read > t.horizon-pageSize && w.Oldest > since
}

// take turns a page into events and notes how far it reaches.
func (p *poll) take(got page, w *window) []complaint.Event {
	w.Read += len(got.posts) + got.odd
	var events []complaint.Event
	// Oldest first, as the beginning of a conversation says whose it is.
	for i := range slices.Backward(got.posts) {
		post := &got.posts[i]
		w.Newest = max(w.Newest, post.number)
		if w.Oldest == 0 || post.number < w.Oldest {
			w.Oldest = post.number
		}
		events = append(events, p.events(post, &p.cursor)...)
	}
	return events
}

// query asks for what is new in a timeline. A poll that goes on with a reading begins below the oldest post
// that is stored: what a page was called then need not be known any more.
func (p *poll) query(t timeline, f *feed) url.Values {
	// Entries that become visible late lie below the newest one that was read.
	since := min(firstID(f.Since.time().Add(-p.overlap)), f.Since)
	query := url.Values{
		"since_id": {since.String()}, "max_results": {strconv.Itoa(pageSize)},
		"tweet.fields": {fields}, "expansions": {"geo.place_id"}, "place.fields": {"full_name"},
	}
	if t.exclude != "" {
		query.Set("exclude", t.exclude)
	}
	if f.Window.Oldest != 0 {
		query.Set("until_id", f.Window.Oldest.String())
	}
	return query
}

// get asks for one page.
func (p *poll) get(ctx context.Context, t timeline, query url.Values) (page, error) {
	target := p.base.JoinPath("2", "users", p.account, t.endpoint)
	target.RawQuery = query.Encode()
	response, err := p.client.Get(ctx, target, nil)
	if err != nil {
		return page{}, explain(err)
	}
	return parse(response.Body)
}

// explain puts what X means by a status into a sentence.
func explain(err error) error {
	status, ok := errors.AsType[*fetch.StatusError](err)
	if !ok {
		return err
	}
	switch status.Status {
	case http.StatusUnauthorized:
		return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "X does not know the bearer token (401); make a new one in the developer console", Err: status}
	case http.StatusPaymentRequired:
		return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "the app has no credits left (402); buy some in the developer console", Err: status}
	case http.StatusForbidden:
		return &channel.Error{Reason: ledgerapi.ReasonUnauthorized, Message: "the app may not read this timeline (403); check that it belongs to a project with access to the X API v2", Err: status}
	}
	return err
}
