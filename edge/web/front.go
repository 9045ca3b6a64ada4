package web

import "net/http"

var _ = serves(func(s *Server) {
	s.page("GET /{$}", public, s.front)
	s.raw("GET /robots.txt", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, "User-agent: *\nAllow: /status\nAllow: /security\nAllow: /assets/\nDisallow: /\n")
	})
	s.raw("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.raw("GET /assets/{file}", s.asset)
})

// front is what stands at the address itself for somebody who is not signed in.
func (s *Server) front(q *query) (page, error) {
	return s.answerPage("answer.front", "", answerView{Text: []string{q.t("answer.front-what")}}), nil
}
