package rest

import "net/http"

// OverTCP is what TCP clients reach.
func (s *Server) OverTCP() http.Handler { return s.guard(s.tokenOwner, s.ownName, s.mux) }
