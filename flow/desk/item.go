package desk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// ErrFull says that a case has as many items, or as much in files, as it may have.
var ErrFull = errors.New("the case has as much in it as it may have: call us")

// Entered is an item that somebody writes into a case.
type Entered struct {
	Kind  casework.Kind // not a decision: Decide makes those
	Text  string
	Due   time.Time // of a task
	Owner string    // of a task
	Name  string    // of a file that comes with evidence
	File  io.Reader // nil: none
}

// Write writes an item. The customer's people write messages and evidence alone.
func (c *Cases) Write(ctx context.Context, who Who, id int64, n Entered) (out casework.Item, err error) {
	if n.Text = strings.TrimSpace(n.Text); n.Text == "" && n.File == nil {
		return out, &book.Invalid{Field: "text", Want: "what is to be written"}
	}
	if len(n.Text) > casework.MaxText {
		return out, &book.Invalid{Field: "text", Found: n.Text[:40], Want: fmt.Sprintf("at most %d bytes", casework.MaxText)}
	}
	allowed := n.Kind == casework.Message || n.Kind == casework.Evidence || who.staff() && (n.Kind == casework.Note || n.Kind == casework.Task)
	if !allowed {
		return out, &book.Invalid{Field: "kind", Found: string(n.Kind), Want: "note, message, task or evidence"}
	}
	if err := c.room(ctx, who, id, n.File != nil); err != nil {
		return out, err
	}
	var file casework.File
	if n.File != nil {
		if file, err = c.keep(ctx, n.Name, n.File); err != nil {
			return out, err
		}
	}
	err = c.change(ctx, who, id, func(x *casework.Case, items []casework.Item) (w store.CaseWrite, facts []store.Fact, err error) {
		if err := full(who, items, file.Size); err != nil {
			return w, nil, err
		}
		out = casework.Item{
			Case: id, N: int64(len(items)) + 1, Kind: n.Kind, At: time.Now(), By: who.Actor, Theirs: !who.staff(), Text: n.Text, Due: n.Due, Owner: casework.Cut(n.Owner, 100), File: file,
		}
		facts = []store.Fact{noted(x, &out)}
		w.Items = []casework.Item{out}
		if state, moved := answers(x, &out); moved { // the customer has answered, or is asked
			x.State, w.Case = state, x
		}
		return w, facts, nil
	})
	if err != nil && file.Code != "" {
		err = errors.Join(err, c.o.Store.DropPieces(context.WithoutCancel(ctx), file.Code))
	}
	return out, err
}

// answers says which state a message brings a case to: what staff ask waits for the customer, and their answer ends that.
func answers(x *casework.Case, i *casework.Item) (casework.State, bool) {
	switch {
	case i.Theirs && x.State == casework.Asked:
		return casework.Open, true
	case !i.Theirs && i.Kind == casework.Message && x.State == casework.Open:
		return casework.Asked, true
	}
	return x.State, false
}

// room says whether a case is there and takes another item, before a long file is read.
func (c *Cases) room(ctx context.Context, who Who, id int64, file bool) error {
	x, err := c.one(ctx, who, id)
	if err != nil {
		return err
	}
	if x.State == casework.Closed && !who.staff() {
		return fmt.Errorf("case %d is closed: %w", id, casework.ErrStep)
	}
	items, err := c.o.Store.CaseItems(ctx, id)
	if err != nil {
		return err
	}
	size := int64(0)
	if file {
		size = 1
	}
	return full(who, items, size)
}

func full(who Who, items []casework.Item, size int64) error {
	theirs, files, all := 0, 0, size
	for i := range items {
		if items[i].Theirs {
			theirs++
		}
		if items[i].File.Code != "" {
			files, all = files+1, all+items[i].File.Size
		}
	}
	tooMany := len(items) >= casework.MaxItems || !who.staff() && theirs >= casework.MaxTheirs
	if tooMany || size > 0 && (files >= casework.MaxFiles || all > casework.MaxAll) {
		return ErrFull
	}
	return nil
}

// pieceSize is how much of a file is written at once.
const pieceSize = 256 << 10

// keep stores a file in pieces.
func (c *Cases) keep(ctx context.Context, name string, r io.Reader) (f casework.File, err error) {
	f = casework.File{Code: strings.TrimPrefix(book.Identify(""), account.Mark), Name: casework.FileName(name)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.o.Store.DropPieces(context.WithoutCancel(ctx), f.Code))
		}
	}()
	sum := sha256.New()
	buffer := make([]byte, pieceSize)
	for n := int64(0); ; n++ {
		got, err := io.ReadFull(r, buffer)
		if got == 0 && (err == io.EOF || err == nil) {
			break
		}
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return f, err
		}
		if f.Size += int64(got); f.Size > casework.MaxFile {
			return f, &book.Invalid{Field: "file", Found: f.Name, Want: fmt.Sprintf("a file of at most %d MB", casework.MaxFile>>20)}
		}
		sum.Write(buffer[:got])
		if err := c.o.Store.PutPiece(ctx, f.Code, n, buffer[:got]); err != nil {
			return f, err
		}
		if got < pieceSize {
			break
		}
	}
	if f.Size == 0 {
		return f, &book.Invalid{Field: "file", Found: f.Name, Want: "a file with something in it"}
	}
	f.Hash = hex.EncodeToString(sum.Sum(nil))
	return f, nil
}

// Attached is the file of an item. write copies it.
func (c *Cases) Attached(ctx context.Context, who Who, id, n int64) (f casework.File, write func(io.Writer) error, err error) {
	x, err := c.Case(ctx, who, id)
	if err != nil {
		return f, nil, err
	}
	i, err := numbered(x.Items, id, n)
	if err == nil && i.File.Code == "" {
		err = fmt.Errorf("file of item %d of case %d: %w", n, id, store.ErrNotFound)
	}
	if err != nil {
		return f, nil, err
	}
	f = i.File
	return f, func(w io.Writer) error {
		for n := range (f.Size + pieceSize - 1) / pieceSize {
			piece, err := c.o.Store.Piece(ctx, f.Code, n)
			if err != nil {
				return err
			}
			if _, err := w.Write(piece); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// End ends a task, or answers evidence.
func (c *Cases) End(ctx context.Context, who Who, id, n int64, how, answer string) error {
	return c.change(ctx, who, id, func(x *casework.Case, items []casework.Item) (w store.CaseWrite, facts []store.Fact, err error) {
		i, err := numbered(items, id, n)
		if err != nil {
			return w, nil, err
		}
		if i.Kind == casework.Decision {
			return w, nil, fmt.Errorf("decision %d is for a second person: %w", n, casework.ErrStep)
		}
		if err := i.End(how, answer, who.Actor, time.Now()); err != nil {
			return w, nil, err
		}
		return store.CaseWrite{Items: []casework.Item{*i}}, []store.Fact{answered(x, i)}, nil
	})
}

// numbered is one of the items of a case.
func numbered(items []casework.Item, id, n int64) (*casework.Item, error) {
	for i := range items {
		if items[i].N == n {
			return &items[i], nil
		}
	}
	return nil, fmt.Errorf("item %d of case %d: %w", n, id, store.ErrNotFound)
}

// noted is the fact that an item was written.
func noted(x *casework.Case, i *casework.Item) store.Fact {
	said := fact.CaseNoted{
		By: i.By, Case: x.ID, Item: i.N, ItemKind: string(i.Kind), Text: i.Text, Due: i.Due, Owner: i.Owner, Attached: i.File.Name, SHA256: i.File.Hash,
		What: i.What, Amount: i.Amount, Count: i.Calls,
	}
	return said.Row(i.At, subjectOf(x))
}

// answered is the fact that it has ended.
func answered(x *casework.Case, i *casework.Item) store.Fact {
	said := fact.CaseAnswered{
		By: i.EndedBy, Case: x.ID, Item: i.N, ItemKind: string(i.Kind), Ended: i.How, Answer: i.Answer, What: i.What, Amount: i.Amount, Count: i.Calls,
	}
	return said.Row(i.Ended, subjectOf(x))
}

// editable is what Edit changes of a case.
func editable(x *casework.Case) json.RawMessage {
	text, _ := json.Marshal(struct { // texts, a time and a flag have an encoding
		Title    string         `json:"title"`
		State    casework.State `json:"state"`
		Owner    string         `json:"owner,omitempty"`
		Deadline time.Time      `json:"deadline,omitzero"`
		Hold     bool           `json:"hold,omitempty"`
		Linked   []string       `json:"linked,omitempty"`
	}{x.Title, x.State, x.Owner, x.Deadline, x.Hold, x.Linked})
	return text
}
