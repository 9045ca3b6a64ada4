package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/edge/rest/api"
)

// toRating is the rows of a deck as core/rating has them, to be written as it reads them.
func toRating(rows []api.Price) ([]rating.Price, error) {
	out := make([]rating.Price, len(rows))
	for i, p := range rows {
		prefix, err := strconv.ParseUint(p.Prefix, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the server sent the prefix %.40q", p.Prefix)
		}
		out[i] = rating.Price{
			Prefix: prefix, Short: p.Short, Name: p.Name, Connect: money.Micro(p.Connect), Minimum: money.Micro(p.Minimum),
			First: uint16(p.First), Step: uint16(p.Step), From: rating.MomentOf(p.From), Until: rating.MomentOf(p.Until), NoPrice: p.Unpriced,
			Rates: [rating.NumBands]money.Rate{money.Rate(p.Peak), money.Rate(p.OffPeak), money.Rate(p.Weekend)},
		}
	}
	return out, nil
}

// formatOf is the format that was given; else the one that the name of the file ends with, if it is known; else the first that is known.
func formatOf(given, file string, known ...string) string {
	if given != "" {
		return given
	}
	if end := strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), "."); slices.Contains(known, end) {
		return end
	}
	return known[0]
}

// noPDF refuses to write a PDF to a terminal, which it would leave unreadable.
func (s *session) noPDF(format, path string) error {
	if format == "pdf" && path == "" && s.out.Terminal {
		return usagef("a PDF is not for a terminal: give --output FILE, or send it on with > or |")
	}
	return nil
}

// writeTo gives write a file, or standard output for "". A file appears only whole: it is written beside and renamed. What is not a file, such
// as /dev/stdout or a pipe, is written to as it is: renamed over, it would be gone for everyone.
func (s *session) writeTo(path string, write func(io.Writer) error) error {
	if path == "" {
		return write(s.out)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part) // the first error is the one to tell
		return err
	}
	return nil
}

// progress says on a terminal how much of a file was sent, at most ten times a second.
type progress struct {
	from  io.Reader
	to    io.Writer // nil: nowhere
	size  int64     // 0: unknown
	sent  int64
	rows  int64
	shown time.Time
}

// Read passes on, and counts.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	p.sent += int64(n)
	p.rows += int64(bytes.Count(b[:n], []byte{'\n'}))
	if now := time.Now(); p.to != nil && now.Sub(p.shown) > 100*time.Millisecond {
		p.shown = now
		fmt.Fprintf(p.to, "\r\x1b[Ksending: %s", p.text())
	}
	return n, err
}

func (p *progress) text() string {
	if p.size > 0 {
		return fmt.Sprintf("%d of %d KiB, %s, %d%%", p.sent>>10, p.size>>10, api.Count(int(p.rows), "row", "rows"), min(100, p.sent*100/p.size))
	}
	return fmt.Sprintf("%d KiB, %s", p.sent>>10, api.Count(int(p.rows), "row", "rows"))
}

func (p *progress) end() {
	if p.to != nil && !p.shown.IsZero() {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

// upload sends a file, and says on a terminal how far it is; as marks what the file is.
func upload[T any](s *session, path string, in any, file string, as func(io.Reader) any) (*T, error) {
	from, size, err := s.open(file)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	return send[T](s, path, in, &progress{from: from, size: size, to: s.progressTo()}, as)
}

func send[T any](s *session, path string, in any, body *progress, as func(io.Reader) any) (*T, error) {
	server, err := s.client()
	if err != nil {
		return nil, err
	}
	target, q, _ := request(path, in)
	out := new(T)
	err = server.Do(s.ctx, http.MethodPost, target+queryText(q), as(body), out)
	body.end()
	return out, err
}

// stream copies an answer that may be long.
func (s *session) stream(operation string, in any, accept string, w io.Writer) error {
	server, err := s.client()
	if err != nil {
		return err
	}
	method, path, posted := strings.Cut(operation, " ")
	if !posted {
		method, path = http.MethodGet, operation
	}
	target, q, _ := request(path, in)
	return server.Stream(s.ctx, method, target+queryText(q), accept, w)
}
