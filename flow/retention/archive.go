package retention

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
	"strconv"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/retain"
	"ringfence/flow/evidence"
	"ringfence/flow/keep"
	"ringfence/flow/records"
	"ringfence/state/store"
)

// day is the day on which a call began.
func day(o *store.Old) string { return o.At.UTC().Format(time.DateOnly) }

// Files are the names of the two files of an archive: call records, and their facts with proofs.
func Files(a *Archive) (calls, facts string) {
	return a.Name + ".calls.csv.gz", a.Name + ".evidence.gz"
}

// archive writes calls of a day and their facts to files, and then deletes them. What a crash leaves:
//   - before the files have their names: nothing but a part of one, which is written over;
//   - files that the store does not know: they are written again under the same name, because it begins with the first of the calls;
//   - an archive whose calls are not all deleted: finish goes on with it, whichever node that is.
func (s *sweep) archive(ctx context.Context, all []store.Old) error {
	a := Archive{
		Name: day(&all[0]) + "-" + all[0].Text, Node: s.r.o.Node, State: store.ArchiveMade, Made: s.now, First: call.ID(all[0].Text), Last: call.ID(all[len(all)-1].Text), LastAt: all[0].At, Calls: int64(len(all)),
	}
	ids := make([]call.ID, len(all))
	for i := range all {
		ids[i] = all[i].Call
		if all[i].At.After(a.LastAt) {
			a.LastAt = all[i].At
		}
	}
	if err := s.name(ctx, &a); err != nil {
		return err
	}
	if err := s.files(ctx, &a, ids); err != nil {
		return err
	}
	said := fact.ArchiveWritten{
		Archive: a.Name, Node: a.Node, Count: a.Calls, FactCount: a.Facts, From: all[0].At, To: a.LastAt, SHA256: a.CallsHash, FactsSHA256: a.FactsHash,
	}
	if err := s.r.o.Store.PutArchive(ctx, a, ids, said.Row(s.now, fact.Subject{})); err != nil {
		return err
	}
	return s.empty(ctx, a.Name)
}

// name gives an archive a name of its own. A call that had to stay when its archive was emptied may begin another one.
func (s *sweep) name(ctx context.Context, a *Archive) error {
	all, err := s.r.o.Store.Archives(ctx, "")
	if err != nil {
		return err
	}
	for i := 0; i < len(all); i++ {
		if all[i].Name == a.Name {
			a.Name, i = a.Name+"b", -1
		}
	}
	return os.MkdirAll(s.r.o.Folder, 0o700)
}

// files writes both files of an archive, whole and on the disk before they have their names.
func (s *sweep) files(ctx context.Context, a *Archive, ids []call.ID) error {
	calls, facts := Files(a)
	size, sum, err := s.file(calls, func(w io.Writer) error { return s.records(ctx, w, ids) })
	if err != nil {
		return err
	}
	a.Bytes, a.CallsHash = size, sum
	size, a.FactsHash, err = s.file(facts, func(w io.Writer) error { return s.r.o.Export(ctx, w, evidence.Filter{Calls: ids}) })
	if err != nil {
		return err
	}
	a.Bytes += size
	for from := 0; from < len(ids); from += 200 {
		for f := (store.FactFilter{Calls: ids[from:min(from+200, len(ids))], Limit: 1000}); ; {
			some, err := s.r.o.Store.Facts(ctx, f)
			if err != nil {
				return err
			}
			if a.Facts += int64(len(some)); len(some) < f.Limit {
				break
			}
			f.After = some[len(some)-1].Seq
		}
	}
	return nil
}

func (s *sweep) file(name string, write func(io.Writer) error) (size int64, sum string, err error) {
	hash := sha256.New()
	size, err = keep.Replace(filepath.Join(s.r.o.Folder, name), func(w io.Writer) error {
		z := gzip.NewWriter(io.MultiWriter(w, hash))
		return errors.Join(write(z), z.Close())
	})
	return size, hex.EncodeToString(hash.Sum(nil)), err
}

// columns are those of `ringfence cdr export`, as far as a record has them, so that `ringfence replay` reads the file.
var columns = []string{
	"id", "direction", "line", "account", "peer", "trunk", "dialled", "number", "class", "country", "destination", "prefix", "per_minute_nano", "source", "user_agent",
	"a_call_id", "b_call_id", "begun", "answered", "ended", "ring_ns", "talk_ns", "retail_micro", "cost_micro", "ended_by", "reason", "text", "sip_status", "refused", "carrier_talk_ns", "cause", "parent",
}

func (s *sweep) records(ctx context.Context, w io.Writer, ids []call.ID) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	n := func(n int64) string { return strconv.FormatInt(n, 10) }
	for _, id := range ids {
		c, err := s.r.o.Store.CDR(ctx, id)
		if err != nil {
			return fmt.Errorf("call %s: %w", id, err)
		}
		row := []string{
			string(c.ID), string(c.Direction), c.Line, c.Account, c.Peer, c.Trunk, c.Dialled, c.Number, c.Class, c.Country, c.Rate, c.Prefix, n(int64(c.PerMinute)), c.Source, c.UserAgent,
			c.ALeg, c.BLeg, at(c.Begun), at(c.AnsweredAt), at(c.Ended), n(int64(c.Ring)), n(int64(c.Talk)), n(int64(c.Retail)), n(int64(c.Cost)), string(c.By), c.Reason, c.Text,
			strconv.Itoa(c.Status), strconv.FormatBool(c.Refused), n(int64(c.CarrierTalk)), string(c.Cause), string(c.Parent),
		}
		for i := range row {
			row[i] = records.Inert(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// finish goes on with archives whose calls were not all deleted.
func (s *sweep) finish(ctx context.Context) error {
	all, err := s.r.o.Store.Archives(ctx, store.ArchiveMade)
	for i := range all {
		if err == nil {
			err = s.empty(ctx, all[i].Name)
		}
	}
	return err
}

// empty deletes what is in an archive from the database.
func (s *sweep) empty(ctx context.Context, name string) error {
	f := store.OldFilter{Kind: retain.Calls, Archive: name, Unread: s.unread(""), Limit: page}
	for {
		all, err := s.r.o.Store.Old(ctx, f)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			break
		}
		if err := s.drop(ctx, f, all, atOnce); err != nil {
			return err
		}
	}
	return s.r.o.Store.MoveArchive(ctx, name, store.ArchiveMade, store.ArchiveKept)
}

// archives deletes those of this node whose time has come, unless one of their calls is held.
func (s *sweep) archives(ctx context.Context) error {
	before := s.p.Keep[retain.Archives].Before(s.now)
	all, err := s.r.o.Store.Archives(ctx, store.ArchiveKept)
	if err != nil || before.IsZero() {
		return err
	}
	for i := range all {
		a := &all[i]
		if a.Node != s.r.o.Node || !a.LastAt.Before(before) {
			continue
		}
		why, err := s.heldIn(ctx, a)
		if err != nil {
			return err
		}
		if why != retain.Expired {
			s.held(retain.Archives, why)
			continue
		}
		if err := s.gone(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// gone deletes the files first: if that is where it ends, it is done again.
func (s *sweep) gone(ctx context.Context, a *Archive) error {
	calls, facts := Files(a)
	for _, name := range []string{calls, facts} {
		if err := os.Remove(filepath.Join(s.r.o.Folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	said := fact.ArchiveDeleted{Archive: a.Name, Node: a.Node, Count: a.Calls, SHA256: a.CallsHash, FactsSHA256: a.FactsHash}
	s.out.Deleted[retain.Archives]++
	return s.r.o.Store.MoveArchive(ctx, a.Name, store.ArchiveKept, store.ArchiveGone, said.Row(s.now, fact.Subject{}))
}

// heldIn looks through an archive for a call that a hold or a live case covers.
func (s *sweep) heldIn(ctx context.Context, a *Archive) (retain.Why, error) {
	rules, err := s.rules(ctx)
	if err != nil || len(rules.Holds) == 0 {
		return retain.Expired, err
	}
	calls, _ := Files(a)
	f, err := os.Open(filepath.Join(s.r.o.Folder, calls))
	if errors.Is(err, fs.ErrNotExist) {
		return retain.Expired, nil
	}
	if err != nil {
		return retain.Expired, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return retain.Expired, err
	}
	in := csv.NewReader(z)
	for n := 0; ; n++ {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return retain.Expired, nil
		}
		if err != nil {
			return retain.Expired, err
		}
		if n == 0 {
			continue
		}
		begun, _ := time.Parse(time.RFC3339Nano, row[17]) // as it was written
		it := retain.Item{Kind: retain.Archives, At: begun, Call: call.ID(row[0]), Line: row[2], Customer: row[3]}
		if why, _ := rules.Decide(&it, s.now); why != retain.Expired {
			return why, nil
		}
	}
}
