package web

import (
	"errors"
	"mime"
	"net/http"

	"ringfence/edge/internal/fair"
	"ringfence/flow/notify"
)

// Limits of what is posted, and of a token.
const (
	maxForm  = 4 << 10
	maxToken = 200
)

// show is GET: what a link is about. It changes nothing, since mail scanners open links.
func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	v, ok := s.link(w, r)
	if !ok {
		return
	}
	status := http.StatusOK
	if v.Expired && !v.Used {
		status = http.StatusGone
	}
	s.write(w, r, status, askPage(&v))
}

// use is POST: the button was pressed, or a mail program unsubscribes with one click (RFC 8058).
func (s *Server) use(w http.ResponseWriter, r *http.Request) {
	v, ok := s.link(w, r)
	if !ok {
		return
	}
	if err := parseForm(r); err != nil {
		s.write(w, r, http.StatusBadRequest, askPage(&v))
		return
	}
	oneClick := r.PostForm.Get("List-Unsubscribe") == "One-Click" && v.Action == notify.Off
	if !oneClick && r.PostForm.Get("do") != v.Action { // a robot that posts everywhere
		s.write(w, r, http.StatusBadRequest, askPage(&v))
		return
	}
	v, err := s.d.Use(r.Context(), r.PathValue("token"), s.from(r))
	switch {
	case errors.Is(err, notify.ErrUsed) && oneClick:
		writeText(w, http.StatusOK, "Already switched off.\n")
	case errors.Is(err, notify.ErrUsed):
		s.write(w, r, http.StatusOK, usedPage(&v))
	case errors.Is(err, notify.ErrExpired):
		s.write(w, r, http.StatusGone, expiredPage(&v))
	case err != nil:
		s.failed(w, r, err)
	case oneClick: // RFC 8058: no redirect, and no person reads it
		writeText(w, http.StatusOK, "Switched off.\n")
	default:
		s.write(w, r, http.StatusOK, donePage(&v))
	}
}

// link looks a token up. When it is none, the page is written already.
func (s *Server) link(w http.ResponseWriter, r *http.Request) (notify.LinkView, bool) {
	token := r.PathValue("token")
	if len(token) > maxToken {
		s.failed(w, r, notify.ErrLink)
		return notify.LinkView{}, false
	}
	v, err := s.d.Link(r.Context(), token)
	if err != nil {
		s.failed(w, r, err)
		return v, false
	}
	return v, true
}

func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, notify.ErrLink) {
		s.rate.wrong(asker{net: fair.Address(s.from(r))})
		s.write(w, r, http.StatusNotFound, unknownPage)
		return
	}
	s.log.Error("a link could not be looked up or used", "method", r.Method, "error", err)
	w.Header().Set("Retry-After", "30")
	s.write(w, r, http.StatusServiceUnavailable, brokenPage)
}

// parseForm reads a form of either type into r.PostForm.
func parseForm(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/form-data" {
		return r.ParseMultipartForm(maxForm)
	}
	return r.ParseForm()
}
