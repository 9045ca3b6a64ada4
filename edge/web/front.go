package web

import "net/http"

var _ = serves(func(s *Server) {
	s.raw("GET /robots.txt", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, "User-agent: *\nAllow: /status\nAllow: /security\nAllow: /assets/\nDisallow: /\n")
	})
	s.raw("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.raw("GET /assets/{file}", s.asset)
})
