package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed assets/ring.css
var styleSheet string

//go:embed assets/ring.js
var script string

// asset is a file of ours, whose address has its hash: it is fetched once and kept for good.
type asset struct {
	path, kind, etag string
	body, packed     []byte // packed: by gzip; nil where that does not help
}

const maxLogo = 64 << 10

// newAsset makes one under /assets/; ext is with its dot.
func newAsset(name, ext string, body []byte) asset {
	sum := sha256.Sum256(body)
	tag := base64.RawURLEncoding.EncodeToString(sum[:9])
	a := asset{path: "/assets/" + name + "-" + tag + ext, kind: mime.TypeByExtension(ext), etag: `"` + tag + `"`, body: body}
	if strings.HasPrefix(a.kind, "text/") || ext == ".svg" {
		a.packed = packed(body)
	}
	return a
}

func packed(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is right
	_, _ = w.Write(body)                                  // into memory
	_ = w.Close()
	return b.Bytes()
}

// openAssets makes the style sheet with the provider's colour, the script, and the provider's logo.
func (s *Server) openAssets() error {
	s.css = newAsset("ring", ".css", []byte(":root{--hue:"+strconv.Itoa(s.o.Hue)+"}\n"+styleSheet))
	s.js = newAsset("ring", ".js", []byte(script))
	all := []*asset{&s.css, &s.js}
	if s.o.Logo != "" {
		body, err := os.ReadFile(s.o.Logo)
		if err != nil {
			return fmt.Errorf("the logo: %w", err)
		}
		ext := strings.ToLower(filepath.Ext(s.o.Logo))
		if kind := mime.TypeByExtension(ext); !strings.HasPrefix(kind, "image/") || len(body) > maxLogo {
			return fmt.Errorf("the logo %s: an image (.svg, .png, .webp) of at most %d KB is needed", s.o.Logo, maxLogo>>10)
		}
		s.logo = newAsset("logo", ext, body)
		all = append(all, &s.logo)
	}
	s.assets = map[string]*asset{}
	for _, a := range all {
		s.assets[a.path] = a
	}
	return nil
}

// asset serves one. The address changes with what it holds, so that it may be kept for a year.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[r.URL.Path]
	if !ok {
		s.fail(w, r, errMissing)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox") // a logo opened by itself runs nothing
	h.Set("ETag", a.etag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == a.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.kind)
	s.send(w, r, http.StatusOK, a.body, a.packed)
}

// send writes a body, packed if that is there and the other side takes it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, status int, body, packed []byte) {
	if packed != nil && len(packed) < len(body) && takesGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		body = packed
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the other side may have gone
	}
}

func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.TrimSpace(q) != "q=0" {
			return true
		}
	}
	return false
}
