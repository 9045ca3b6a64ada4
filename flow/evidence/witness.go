package evidence

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed" // the verifier
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"ringfence/core/seal"
	"ringfence/state/store"
)

//go:embed verify.py
var verifier string

// Verifier is a second verifier of files of evidence: a program for Python 3 without packages, written from docs/evidence.md.
func Verifier() string { return verifier }

// ReadList reads a signed list of files, and the sum of each other file of its folder.
func ReadList(path string) (signed []byte, sums map[string]seal.Hash, err error) {
	folder, name := filepath.Split(path)
	dir := os.DirFS(cmp.Or(folder, "."))
	if signed, err = fs.ReadFile(dir, name); err != nil {
		return nil, nil, err
	}
	sums = map[string]seal.Hash{}
	err = fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == name {
			return err
		}
		f, err := dir.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		_, err = io.Copy(h, f)
		sums[path] = seal.Hash(h.Sum(nil))
		return err
	})
	return signed, sums, err
}

// Limits of what is asked of others.
const (
	witnessWithin = 20 * time.Second
	maxAnswer     = 64 << 10
	shownAnswers  = 20 // checkpoints whose answers Witnessed shows
)

// Witnessed are the answers to the newest checkpoints that got any.
func (e *Evidence) Witnessed(ctx context.Context) ([]store.Witnessed, error) {
	last, _ := e.Latest()
	return e.o.Store.Witnessed(ctx, max(last.Number-shownAnswers, 0), last.Number+1)
}

// Watch gives the newest checkpoint to the witnesses and time stampers until ctx ends. One that does not answer gets the newest again at the next turn.
func (e *Evidence) Watch(ctx context.Context) {
	if len(e.o.Witnesses)+len(e.o.Stampers) == 0 {
		return
	}
	given := map[string]int64{}
	for {
		e.give(ctx, given)
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(e.o.Every, time.Minute)):
		}
	}
}

// give asks each that has not had the newest checkpoint.
func (e *Evidence) give(ctx context.Context, given map[string]int64) {
	c, signed := e.Latest()
	ask := func(url string, do func(context.Context, string, []byte) ([]byte, error)) {
		if c.Number == 0 || given[url] == c.Number || ctx.Err() != nil {
			return
		}
		answer, err := do(ctx, url, signed)
		if err == nil {
			err = e.o.Store.PutWitnessed(ctx, store.Witnessed{Number: c.Number, Witness: url, At: time.Now(), Answer: answer})
		}
		if err != nil {
			e.o.Log.Warn("a checkpoint was not witnessed", "checkpoint", c.Number, "witness", url, "error", err)
			return
		}
		given[url] = c.Number
	}
	for _, url := range e.o.Witnesses {
		ask(url, e.witness)
	}
	for _, url := range e.o.Stampers {
		ask(url, e.stamp)
	}
}

// errAnswer says that a witness answered something else than that it has the checkpoint.
var errAnswer = errors.New("it answered")

// errConflict says that a witness knows another story.
var errConflict = errors.New("it knows a checkpoint that this one does not follow")

// witness posts the signed note. One that knows a checkpoint which this one does not follow answers 409 Conflict with that.
func (e *Evidence) witness(ctx context.Context, url string, signed []byte) ([]byte, error) {
	answer, err := e.post(ctx, url, "text/plain; charset=utf-8", signed)
	if !errors.Is(err, errConflict) {
		return answer, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	known, cerr := seal.OpenCheckpoint(answer, e.keys.check...)
	if cerr != nil {
		return nil, fmt.Errorf("%w, and gave no checkpoint of ours: %w", err, cerr)
	}
	if e.last.Epoch > known.Epoch { // our checkpoints say that the story has changed since
		return nil, err
	}
	return nil, errors.Join(err, e.fits(ctx, &known))
}

func (e *Evidence) post(ctx context.Context, url, kind string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, witnessWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", kind)
	res, err := e.o.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err == nil && res.StatusCode == http.StatusConflict:
		err = errConflict
	case err == nil && res.StatusCode/100 != 2:
		err = fmt.Errorf("%w %s", errAnswer, res.Status)
	}
	return answer, err
}
