package meta

import (
	"context"
	"net/url"
	"time"

	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/complaint"
)

// mentionPatience is how long a delivery waits for what was said in the mentions that it is about; Meta waits
// five seconds for the answer to a delivery.
const mentionPatience = 2 * time.Second

// translate says what has happened by a body, and asks for what was said where the body does not tell.
func (s *source) translate(ctx context.Context, body []byte) (*push.Result, error) {
	r, err := s.translator.translate(body)
	if err != nil {
		return nil, err
	}
	if len(r.thin) > 0 {
		s.complete(ctx, r)
	}
	return &r.Result, nil
}

// complete asks what was said in mentions. A mention of which that cannot be had, or not in time, is a
// complaint without a text: to have it sent again for hours would end with no deliveries at all.
func (s *source) complete(ctx context.Context, r *result) {
	ctx, cancel := context.WithTimeout(ctx, mentionPatience)
	defer cancel()
	for _, m := range r.thin {
		if err := s.graph.said(ctx, m, s.instagram, &r.Events[m.index]); err != nil {
			e := asError(err)
			r.Problems = append(r.Problems, push.Problem{Reason: e.Reason, Message: "what was said in a mention could not be read: " + e.Message})
			return // what failed once will not be better for the next
		}
	}
}

// said completes the event of a mention.
func (g *graph) said(ctx context.Context, m thin, account string, e *complaint.Event) error {
	var answer struct {
		Comment struct {
			Text      string `json:"text"`
			Timestamp moment `json:"timestamp"`
		} `json:"mentioned_comment"`
		Media struct {
			Caption   string `json:"caption"`
			Timestamp moment `json:"timestamp"`
		} `json:"mentioned_media"`
	}
	fields := "mentioned_media.media_id(" + m.media + "){id,caption,timestamp}"
	if m.comment != "" {
		fields = "mentioned_comment.comment_id(" + m.comment + "){id,text,timestamp}"
	}
	if err := g.get(ctx, g.urgent, account, url.Values{"fields": {fields}}, &answer); err != nil {
		return err
	}
	e.Text = complaint.Cut(answer.Comment.Text+answer.Media.Caption, complaint.MaxTextBytes)
	if at := answer.Comment.Timestamp.or(answer.Media.Timestamp); !at.IsZero() {
		e.OccurredAt = at.Time
	}
	return nil
}
