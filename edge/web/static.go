package web

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// copyEvery is how often the copy of the status pages is written.
const copyEvery = 30 * time.Second

// Copy writes the status pages into a folder until ctx ends, so that they can be shown by other computers.
func (s *Server) Copy(ctx context.Context, folder string) {
	tick := time.NewTicker(copyEvery)
	defer tick.Stop()
	for {
		if err := s.writeCopy(folder); err != nil {
			s.log.Error("the copy of the status pages could not be written", "folder", folder, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// writeCopy writes each file whole or not at all.
func (s *Server) writeCopy(folder string) error {
	files := map[string][]byte{"ring.css": s.css.body}
	var err error
	if files["index.html"], err = s.copied(); err != nil {
		return err
	}
	if files["feed.atom"], err = s.atomBody(); err != nil {
		return err
	}
	if files["feed.json"], err = s.jsonBody(); err != nil {
		return err
	}
	if s.d.Security != nil {
		if files["security.html"], err = s.copiedSecurity(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, body := range files {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path+".part", body, 0o644); err != nil { //nolint:gosec // the public reads them
			return err
		}
		if err := os.Rename(path+".part", path); err != nil {
			return err
		}
	}
	return nil
}

// copied is the status page without what needs this server: no script, no form. Its links lead here.
func (s *Server) copied() ([]byte, error) {
	q := &query{Request: &http.Request{}, words: s.words, zone: s.reader.zone, now: s.reader.now()}
	v := s.statusView(q)
	v.Copied = true
	return s.copyOf(&page{name: "status", title: v.title(q), about: q.t("status.about", "provider", s.help.Provider), shape: "middle", data: v}, q)
}
