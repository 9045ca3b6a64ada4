package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ringfence/core/casework"
	"ringfence/flow/book"
	"ringfence/flow/desk"
)

// maxUpload is what is read of a form with a file: the file, its text, and what stands between them.
const maxUpload = casework.MaxFile + 64<<10

// maxIgnored is how much more of a file that is too long is read and thrown away, so that its sender reads the answer: a browser that is broken off
// while it sends shows none.
const maxIgnored = 100 << 20

// attach takes a file as evidence. It is written as it comes, and never held whole.
func (s *Server) attach(q *query, at string) (page, error) {
	if err := q.may("attach-case-file"); err != nil {
		return page{}, err
	}
	id, err := caseID(q)
	if err != nil {
		return page{}, err
	}
	if _, err := s.d.Cases.Case(q.Context(), asking(q), id); err != nil {
		return page{}, err
	}
	err = s.keepFile(q, id)
	why := caseWhy(q, err)
	_, long := errors.AsType[*http.MaxBytesError](err)
	if wrong, ok := errors.AsType[*book.Invalid](err); ok && wrong.Field == "file" {
		if long = strings.Contains(wrong.Want, "at most"); !long {
			why = q.t("case.file-none")
		}
	}
	switch {
	case err == nil:
		return page{see: fmt.Sprintf("%s/%d?did=attach", at, id)}, nil
	case errors.Is(err, errNoFile):
		why = q.t("case.file-none")
	case long:
		why = q.t("case.file-long")
	case errors.Is(err, errBroken), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, multipart.ErrMessageTooLarge):
		why = q.t("case.file-broken")
	}
	if why == "" {
		return page{}, err
	}
	_, _ = io.CopyN(io.Discard, q.whole, maxIgnored) // whatever of it fails, the answer is the same
	p, err := s.casePage(q, at, why)
	p.status = http.StatusUnprocessableEntity
	if long {
		p.status = http.StatusRequestEntityTooLarge
	}
	return p, err
}

var (
	errNoFile = errors.New("no file came")
	errBroken = errors.New("the file broke off")
)

// unbroken reads a part of a form. One that breaks off before its end is an error, which io.ReadFull cannot take for the end of the file.
type unbroken struct{ io.Reader }

// Read reads on.
func (u unbroken) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errBroken
	}
	return n, err
}

// keepFile reads the parts of a form in their order: the text stands before the file.
func (s *Server) keepFile(q *query, id int64) error {
	parts, err := q.MultipartReader()
	if err != nil {
		return errNoFile
	}
	about := ""
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return errNoFile
		}
		if err != nil {
			return err
		}
		switch {
		case part.FormName() == "about":
			text, err := io.ReadAll(io.LimitReader(part, casework.MaxText+1))
			if err != nil {
				return err
			}
			about = string(text)
		case part.FileName() != "":
			_, err := s.d.Cases.Write(q.Context(), asking(q), id, desk.Entered{Kind: casework.Evidence, Text: about, Name: part.FileName(), File: unbroken{part}})
			return err
		}
	}
}

// upload adds a route that takes a form with a file, up to so many bytes. Nothing of it is read before it is known who sends it.
func (s *Server) upload(pattern string, who area, most int64, h handler) {
	s.areas[pattern] = who
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		whole, ok := r.Context().Value(wholeBody{}).(io.ReadCloser)
		if !ok {
			whole = r.Body
		}
		control := http.NewResponseController(w)
		_, _ = control.SetReadDeadline(time.Now().Add(fileTime)), control.SetWriteDeadline(time.Now().Add(fileTime)) // a server of the tests has none
		q, err := s.comer(r, who)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		q.whole, r.Body = whole, http.MaxBytesReader(w, whole, most)
		s.finish(w, r, q, h)
	})
}

// sheetFile is a file that is read whole, such as a carrier's or a bank's.
type sheetFile struct {
	name string
	data []byte
}

// sheet reads an upload whole: its fields, and its file.
func (q *query) sheet() (fields map[string]string, f sheetFile, err error) {
	parts, err := q.MultipartReader()
	if err != nil {
		return nil, f, errNoFile
	}
	for fields = map[string]string{}; ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, f, err
		}
		if part.FileName() != "" {
			f.name = part.FileName()
			if f.data, err = io.ReadAll(part); err != nil {
				return nil, f, err
			}
			continue
		}
		text, err := io.ReadAll(io.LimitReader(part, 1000))
		if err != nil {
			return nil, f, err
		}
		fields[part.FormName()] = string(text)
	}
	if len(f.data) == 0 {
		return fields, f, errNoFile
	}
	return fields, f, nil
}

// uploadWhy is what was wrong with an upload itself, in words. What is left of it is read, so that its sender reads the answer.
func (q *query) uploadWhy(err error) (why string) {
	_, long := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errNoFile):
		why = q.t("case.file-none")
	case long:
		why = q.t("case.sheet-long")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		why = q.t("case.file-broken")
	}
	_, _ = io.CopyN(io.Discard, q.whole, maxIgnored) // whatever of it fails, the answer is the same
	return why
}

// caseFile hands out a file that came as evidence. It is never shown: what is in it is anybody's.
func (s *Server) caseFile(q *query, w http.ResponseWriter) error {
	if err := q.may("get-case-file"); err != nil {
		return err
	}
	id, err := caseID(q)
	n, wrong := strconv.ParseInt(q.PathValue("n"), 10, 64)
	if err != nil || wrong != nil {
		return errMissing
	}
	f, write, err := s.d.Cases.Attached(q.Context(), asking(q), id, n)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	return write(w)
}

// caseArchive is the file of a case for a court.
func (s *Server) caseArchive(q *query, w http.ResponseWriter) error {
	if err := q.may("export-case"); err != nil {
		return err
	}
	id, err := caseID(q)
	if err != nil || s.judges() == nil {
		return book.ErrNotFound
	}
	if _, err := s.d.Cases.Case(q.Context(), asking(q), id); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="case-`+strconv.FormatInt(id, 10)+`.zip"`)
	return s.judges().ExportCase(q.Context(), w, id, nil, q.now)
}
