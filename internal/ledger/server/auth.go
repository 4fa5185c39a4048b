package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// ErrUnauthenticated is a TokenReviewer's answer to a token that is not valid here.
var ErrUnauthenticated = errors.New("the token is not valid for this ledger")

// TokenReviewer tells whose a bearer token is.
type TokenReviewer interface {
	// Review is the user name of the token's owner. The error wraps ErrUnauthenticated when the token is
	// not valid; any other error means that it cannot be known now.
	Review(ctx context.Context, token string) (user string, err error)
	// MayReply tells whether the token's owner may reply on the channel. Its error is as that of Review.
	MayReply(ctx context.Context, token, channel string) (bool, error)
}

// caller is who sent a request.
type caller struct {
	operator bool
	user     string
}

// authenticate finds out who asks, or answers the request and returns false.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) (caller, bool) {
	if isOperator(r) {
		return caller{operator: true}, true
	}
	token, ok := bearer(w, r)
	if !ok {
		return caller{}, false
	}
	user, err := s.reviewer.Review(r.Context(), token)
	return caller{user: user}, s.reviewed(w, err)
}

// bearer is the token of a request, or the request is answered.
func bearer(w http.ResponseWriter, r *http.Request) (token string, ok bool) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || token == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		fail(w, http.StatusUnauthorized, "a client certificate of the operator or a service-account token of audience "+ledgerapi.Audience+" is needed")
		return "", false
	}
	return token, true
}

// reviewed is true for a review without error; else the request is answered.
func (s *Server) reviewed(w http.ResponseWriter, err error) bool {
	switch {
	case errors.Is(err, ErrUnauthenticated):
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		fail(w, http.StatusUnauthorized, "the token is not valid, or not for audience "+ledgerapi.Audience)
	case err != nil:
		s.log.Warn("Could not review a token", "error", err)
		unavailable(w, 1, "the token could not be checked, try again")
	}
	return err == nil
}

// desk lets the operator through, and whoever may reply on the channel by the cluster's own roles.
func (s *Server) desk(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if isOperator(r) {
			next(w, r)
			return
		}
		token, ok := bearer(w, r)
		if !ok {
			return
		}
		allowed, err := s.reviewer.MayReply(r.Context(), token, r.PathValue("channel"))
		switch {
		case !s.reviewed(w, err):
		case !allowed:
			fail(w, http.StatusForbidden, "only the channel's worker may do this, and whoever may create complaintchannels/reply of this channel")
		default:
			next(w, r)
		}
	}
}

// isOperator reports whether the connection has the operator's certificate, signed by the client CA:
// VerifiedChains is set by the TLS stack after verification and never otherwise.
func isOperator(r *http.Request) bool {
	return r.TLS != nil && len(r.TLS.VerifiedChains) > 0 && len(r.TLS.VerifiedChains[0]) > 0 &&
		r.TLS.VerifiedChains[0][0].Subject.CommonName == ledgerapi.OperatorCommonName
}

// operator lets just the operator through.
func (s *Server) operator(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, ok := s.authenticate(w, r)
		if !ok {
			return
		}
		if !who.operator {
			fail(w, http.StatusForbidden, "only the operator may do this")
			return
		}
		next(w, r)
	}
}

// writer lets just the one user through that the policy names for the channel.
func (s *Server) writer(next http.HandlerFunc) http.HandlerFunc {
	return s.channel(false, next)
}

// reader lets the channel's writer through, the operator, and whoever may reply on the channel.
func (s *Server) reader(next http.HandlerFunc) http.HandlerFunc {
	return s.channel(true, next)
}

func (s *Server) channel(readersToo bool, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, ok := s.authenticate(w, r)
		if !ok {
			return
		}
		user, known := s.ledger.Writer(r.PathValue("channel"))
		switch {
		case who.operator && readersToo:
			next(w, r)
		case !known:
			fail(w, http.StatusNotFound, "the policy of this ledger does not name the channel")
		case !who.operator && user != "" && user == who.user:
			next(w, r)
		case readersToo:
			s.desk(next)(w, r)
		default:
			fail(w, http.StatusForbidden, "the policy names another writer for this channel")
		}
	}
}
