package privacy

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/seal"
	"ringfence/flow/keep"
	"ringfence/flow/retention"
	"ringfence/state/store"
)

// eachArchived streams the records in the archives of this node.
func (p *Privacy) eachArchived(ctx context.Context, yield func(*call.CDR) error) error {
	all, err := p.o.Store.Archives(ctx, "")
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Node != p.o.Node {
			continue
		}
		name, _ := retention.Files(&all[i])
		err := p.records(name, func(row []string, at map[string]int) error { return yield(recordOf(row, at)) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // its time came in between
			return err
		}
	}
	return nil
}

// records reads the rows of a file of records, with the places of its columns.
func (p *Privacy) records(name string, yield func(row []string, at map[string]int) error) error {
	f, err := os.Open(filepath.Join(p.o.Folder, name))
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	in := csv.NewReader(z)
	in.ReuseRecord = true
	var at map[string]int
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if at == nil {
			at = map[string]int{}
			for i, name := range row {
				at[name] = i
			}
			continue
		}
		if err := yield(row, at); err != nil {
			return err
		}
	}
}

// recordOf reads what a customer may see of a record.
func recordOf(row []string, at map[string]int) *call.CDR {
	text := func(name string) string {
		if i, ok := at[name]; ok {
			return row[i]
		}
		return ""
	}
	instant := func(name string) time.Time {
		t, _ := time.Parse(time.RFC3339Nano, text(name)) // as it was written; "" is none
		return t
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(text(name), 10, 64)
		return n
	}
	return &call.CDR{
		ID: call.ID(text("id")), Direction: call.Direction(text("direction")), Line: text("line"), Account: text("account"), Peer: text("peer"), Dialled: text("dialled"), Number: text("number"),
		Class: text("class"), Country: text("country"), Rate: text("destination"), Source: text("source"), UserAgent: text("user_agent"), Begun: instant("begun"), AnsweredAt: instant("answered"),
		Ended: instant("ended"), Talk: time.Duration(number("talk_ns")), Retail: money.Micro(number("retail_micro")), By: call.Party(text("ended_by")), Reason: text("reason"), Text: text("text"),
		Refused: text("refused") == "true",
	}
}

// clearArchives takes a customer out of the archives of this node, and names the nodes whose turn it is.
func (p *Privacy) clearArchives(ctx context.Context, e *store.Erasure) (left []Left, err error) {
	all, err := p.o.Store.Archives(ctx, "")
	if err != nil {
		return nil, err
	}
	for i := range all {
		a := &all[i]
		switch {
		case a.Cleared >= e.ID:
		case a.Node != p.o.Node:
			if one := (Left{"archives of the node " + a.Node, "it clears them while it runs"}); !slices.Contains(left, one) {
				left = append(left, one)
			}
		default:
			if err := p.clearArchive(ctx, e, a); err != nil && !errors.Is(err, store.ErrMoved) && !errors.Is(err, store.ErrNotFound) {
				return left, fmt.Errorf("archive %s: %w", a.Name, err)
			}
		}
	}
	return left, nil
}

// clearArchive writes the files of an archive again, if they have something of the customer, and then notes their sums. After a crash the files are looked at again: what
// is cleared already stays so.
func (p *Privacy) clearArchive(ctx context.Context, e *store.Erasure, a *store.Archive) error {
	now := *a
	now.Cleared = e.ID
	calls, facts := retention.Files(a)
	gone, ids, err := p.recordsOf(calls, e.Customer)
	if errors.Is(err, fs.ErrNotExist) {
		return p.o.Store.ClearArchive(ctx, *a, now)
	}
	if err != nil {
		return err
	}
	if err := p.genuine(facts, a.FactsHash); err != nil {
		return err
	}
	hide := hides(e, ids)
	cleared, err := p.rewritten(facts, func(w io.Writer, r io.Reader) (int64, error) { return p.o.Clear(w, r, hide) })
	if err != nil {
		return err
	}
	dropped, err := p.rewritten(calls, func(w io.Writer, r io.Reader) (int64, error) { return without(w, r, e.Customer) })
	if err != nil {
		return err
	}
	now.Calls -= gone
	now.Bytes = 0
	for name, sum := range map[string]*string{calls: &now.CallsHash, facts: &now.FactsHash} {
		var size int64
		if size, *sum, err = p.sum(name); err != nil {
			return err
		}
		now.Bytes += size
	}
	if cleared == 0 && dropped == 0 && now.CallsHash == a.CallsHash && now.FactsHash == a.FactsHash {
		return p.o.Store.ClearArchive(ctx, *a, now)
	}
	said := fact.ArchiveCleared{Archive: a.Name, Node: a.Node, Erasure: e.ID, Count: now.Calls, FactCount: now.Facts, SHA256: now.CallsHash, FactsSHA256: now.FactsHash}
	return p.o.Store.ClearArchive(ctx, *a, now, said.Row(time.Now().UTC(), fact.Subject{}))
}

// genuine refuses to write a file of facts again, and thereby to sign it, that is neither the one that was noted nor, after a crash, one that was cleared
// already: who changed it would get our signature.
func (p *Privacy) genuine(name, noted string) error {
	_, sum, err := p.sum(name)
	if err != nil || sum == noted {
		return err
	}
	_, err = p.rewritten(name, func(_ io.Writer, r io.Reader) (int64, error) { return 0, p.o.Wrote(r) })
	if err != nil {
		return fmt.Errorf("%s was changed since it was written (%w): put the file in its place that its hash in the journal is of (archive.written), and the erasure goes on", name, err)
	}
	return nil
}

// recordsOf counts the calls of a customer in a file, and gives their ids.
func (p *Privacy) recordsOf(name, customer string) (n int64, ids []string, err error) {
	err = p.records(name, func(row []string, at map[string]int) error {
		if row[at["account"]] == customer {
			n++
			ids = append(ids, row[at["id"]])
		}
		return nil
	})
	return n, ids, err
}

// hides says of rows whether they are about the customer, one of its lines or one of its calls.
func hides(e *store.Erasure, calls []string) func(*seal.Sealed) bool {
	names := map[string][]string{"@account": quoted([]string{e.Customer}), "@line": quoted(e.Lines), "@call": quoted(calls)}
	return func(r *seal.Sealed) bool {
		for i := range r.Fields {
			if f := &r.Fields[i]; f.Kind == seal.Committed {
				if _, is := slices.BinarySearch(names[f.Name], f.Value); is {
					return true
				}
			}
		}
		return false
	}
}

// without copies records but for those of a customer.
func without(w io.Writer, r io.Reader, customer string) (dropped int64, err error) {
	in, out := csv.NewReader(r), csv.NewWriter(w)
	in.ReuseRecord = true
	column := -1
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			out.Flush()
			return dropped, out.Error()
		}
		if err != nil {
			return dropped, err
		}
		if column < 0 {
			if column = slices.Index(row, "account"); column < 0 {
				return 0, errors.New("a file of records without accounts")
			}
		} else if row[column] == customer {
			dropped++
			continue
		}
		if err := out.Write(row); err != nil {
			return dropped, err
		}
	}
}

// rewritten copies a packed file through a function, and puts the copy into its place if that took something out.
func (p *Privacy) rewritten(name string, through func(io.Writer, io.Reader) (int64, error)) (n int64, err error) {
	path := filepath.Join(p.o.Folder, name)
	pass := func(w io.Writer) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err == nil {
			n, err = through(w, z)
		}
		return err
	}
	if err := pass(io.Discard); err != nil || n == 0 {
		return 0, err
	}
	_, err = keep.Replace(path, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		return errors.Join(pass(z), z.Close())
	})
	return n, err
}

// sum is the size and the SHA-256 of a file.
func (p *Privacy) sum(name string) (int64, string, error) {
	f, err := os.Open(filepath.Join(p.o.Folder, name))
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	return n, hex.EncodeToString(hash.Sum(nil)), err
}
