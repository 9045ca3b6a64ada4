package evidence

import (
	"bytes"
	"context"
	_ "embed" // the verifier
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"ringfence/state/store"
)

//go:embed verify.py
var verifier string

// Verifier is a second verifier of files of evidence: a program for Python 3 without packages, written from docs/evidence.md.
func Verifier() string { return verifier }

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

// witness posts the signed note.
func (e *Evidence) witness(ctx context.Context, url string, signed []byte) ([]byte, error) {
	return e.post(ctx, url, "text/plain; charset=utf-8", signed)
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
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%w %s", errAnswer, res.Status)
	}
	return answer, err
}
