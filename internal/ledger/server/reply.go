package server

import (
	"net/http"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxReplyBody bounds a reply, whose text JSON may escape.
const maxReplyBody = 6*ledgerapi.MaxReplyBytes + 4<<10

func (s *Server) reply(w http.ResponseWriter, r *http.Request) {
	var in ledgerapi.ReplyRequest
	// A member that is not known might have said not to send it.
	if !s.body(w, r, maxReplyBody, true, &in) {
		return
	}
	status, err := s.ledger.Reply(r.Context(), r.PathValue("channel"), in)
	if err != nil {
		s.refused(w, r, err)
		return
	}
	answer(w, http.StatusAccepted, status)
}

func (s *Server) replyStatus(w http.ResponseWriter, r *http.Request) {
	status, err := s.ledger.ReplyStatus(r.Context(), r.PathValue("channel"), r.PathValue("reply"))
	if err != nil {
		s.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, status)
}

func (s *Server) outbox(w http.ResponseWriter, r *http.Request) {
	wait, ok := waitOf(w, r)
	if !ok {
		return
	}
	ctx, cancel := s.untilStopped(r.Context())
	defer cancel()
	box, err := s.ledger.Outbox(ctx, r.PathValue("channel"), wait)
	switch {
	case err != nil && ctx.Err() != nil && r.Context().Err() == nil:
		unavailable(w, 1, "the ledger is stopping, try again")
	case err != nil:
		s.refused(w, r, err)
	default:
		answer(w, http.StatusOK, box)
	}
}

func (s *Server) replyDone(w http.ResponseWriter, r *http.Request) {
	var in ledgerapi.ReplyResult
	if !s.body(w, r, maxReportBytes, false, &in) {
		return
	}
	if err := s.ledger.ReplyDone(r.Context(), r.PathValue("channel"), r.PathValue("reply"), in); err != nil {
		s.refused(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
