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
	maxForm   = 16 << 10
	maxAnswer = 4 << 10
	maxToken  = 200
)

// answerView is what the page behind a link shows.
type answerView struct {
	Known  []notify.Known
	Text   []string
	Result string // what was done
	Do     string // action of the button; "" is no button
	Button string
	Grave  bool // the button locks something
}

var _ = serves(func(s *Server) {
	s.page("GET "+notify.LinkPath+"{token}", public, s.showLink)
	s.raw("POST "+notify.LinkPath+"{token}", s.useLink)
})

// showLink is what a link is about. It changes nothing, since mail scanners open links.
func (s *Server) showLink(q *query) (page, error) {
	v, err := s.link(q.Request)
	if err != nil {
		return page{}, err
	}
	p := s.askPage(&v)
	if v.Expired && !v.Used {
		p.status = http.StatusGone
	}
	return p, nil
}

// useLink is the button, or a mail program that unsubscribes with one click (RFC 8058).
func (s *Server) useLink(w http.ResponseWriter, r *http.Request) {
	v, err := s.link(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxAnswer)
	if err := parseForm(r); err != nil {
		s.show(w, r, s.askPage(&v), http.StatusBadRequest)
		return
	}
	oneClick := r.PostForm.Get("List-Unsubscribe") == "One-Click" && v.Action == notify.Off
	if !oneClick && r.PostForm.Get("do") != v.Action { // a robot that posts everywhere
		s.show(w, r, s.askPage(&v), http.StatusBadRequest)
		return
	}
	v, err = s.d.Use(r.Context(), r.PathValue("token"), s.from(r))
	switch {
	case errors.Is(err, notify.ErrUsed) && oneClick:
		writeText(w, http.StatusOK, "Already switched off.\n")
	case errors.Is(err, notify.ErrUsed):
		s.show(w, r, s.usedPage(&v), http.StatusOK)
	case errors.Is(err, notify.ErrExpired):
		s.show(w, r, s.expiredPage(&v), http.StatusGone)
	case err != nil:
		s.fail(w, r, s.linkFault(r, err))
	case oneClick: // RFC 8058: no redirect, and no person reads it
		writeText(w, http.StatusOK, "Switched off.\n")
	default:
		s.show(w, r, s.answerPage("answer.thanks", "done", answerView{Result: v.Result, Text: []string{s.words.say("answer.close")}}), http.StatusOK)
	}
}

// link looks a token up.
func (s *Server) link(r *http.Request) (notify.LinkView, error) {
	token := r.PathValue("token")
	if len(token) > maxToken {
		return notify.LinkView{}, s.linkFault(r, notify.ErrLink)
	}
	v, err := s.d.Link(r.Context(), token)
	if err != nil {
		return v, s.linkFault(r, err)
	}
	return v, nil
}

// linkFault is what is said of a link that could not be looked up or used.
func (s *Server) linkFault(r *http.Request, err error) error {
	if errors.Is(err, notify.ErrLink) {
		s.rate.wrong(asker{net: fair.Address(s.from(r))})
		return &fault{status: http.StatusNotFound, title: "answer.cut", text: "answer.cut-what"}
	}
	s.log.Error("a link could not be looked up or used", "method", r.Method, "error", err)
	return &fault{status: http.StatusServiceUnavailable, title: "answer.down", text: "answer.down-what"}
}

func (s *Server) answerPage(title word, mark string, v answerView) page {
	return page{name: "answer", title: s.words.say(title), shape: "narrow", mark: mark, data: v}
}

func (s *Server) askPage(v *notify.LinkView) page {
	if v.Used {
		return s.usedPage(v)
	}
	if v.Expired {
		return s.expiredPage(v)
	}
	p := s.answerPage("", "", answerView{Known: v.Known, Text: v.Text, Do: v.Action, Button: v.Button, Grave: v.Action == notify.NotMine})
	p.title = v.Title
	return p
}

func (s *Server) usedPage(v *notify.LinkView) page {
	return s.answerPage("answer.used", "done", answerView{Result: v.Result, Text: []string{s.words.say("answer.used-what")}})
}

func (s *Server) expiredPage(v *notify.LinkView) page {
	p := s.answerPage("answer.expired", "warn", answerView{Text: v.Text})
	if v.Gone {
		p.title = v.Title
	}
	return p
}

// show writes a page outside of the way of handlers.
func (s *Server) show(w http.ResponseWriter, r *http.Request, p page, status int) {
	p.status = status
	s.write(w, r, &p, &query{Request: r, words: s.words, zone: s.reader.zone})
}

// parseForm reads a form of either type into r.PostForm.
func parseForm(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/form-data" {
		return r.ParseMultipartForm(maxForm)
	}
	return r.ParseForm()
}
