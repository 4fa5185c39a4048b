package server

import (
	"net/http"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// maxErasureBytes bounds an ErasureRequest.
const maxErasureBytes = 64 << 10

// Admin is what a person may do who is let in by the file system or the shell of the ledger's own pod.
// Nothing else is checked: it is for a socket that nobody else can open.
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/erasures", s.erase)
	mux.HandleFunc("GET /v1/erasures/{id}", s.erasure)
	return mux
}

func (s *Server) erase(w http.ResponseWriter, r *http.Request) {
	var in ledgerapi.ErasureRequest
	if !s.body(w, r, maxErasureBytes, true, &in) {
		return
	}
	status, err := s.ledger.Erase(r.Context(), in)
	if err != nil {
		s.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, status)
}

func (s *Server) erasure(w http.ResponseWriter, r *http.Request) {
	status, err := s.ledger.Erasure(r.Context(), r.PathValue("id"))
	if err != nil {
		s.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, status)
}
