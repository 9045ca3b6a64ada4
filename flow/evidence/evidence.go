// Package evidence seals the journal: it builds the trees over the leaf hashes that the store writes with each fact, signs checkpoints of them, puts these
// where the provider cannot take them back, and writes files that prove what the journal says. core/seal has the rules; docs/evidence.md the format.
// It must not know what facts mean.
package evidence

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ringfence/core/fact"
	"ringfence/core/seal"
	"ringfence/core/secret"
	"ringfence/flow/keep"
	"ringfence/state/store"
)

// Options of Open.
type Options struct {
	Store     store.Store
	Seed      []byte        // 32 bytes from which the signing key is made; all nodes have the same
	Copy      string        // file that keeps the newest checkpoint apart from the database; "" keeps none
	Every     time.Duration // the least time between two checkpoints; 0 is 5 s
	Witnesses []string      // URLs that get each checkpoint
	Stampers  []string      // URLs of RFC 3161 time stampers
	Client    *http.Client  // nil: http.DefaultClient
	Log       *slog.Logger
}

// Evidence is safe for concurrent use, and on several nodes.
type Evidence struct {
	o      Options
	signer note.Signer
	public string

	mu    sync.Mutex // owns the rest, and is held while a checkpoint is made
	trees map[string]*growing
	last  seal.Checkpoint // the newest that is stored; zero: none
	note  []byte          // of last
	epoch epoch
	keys  keys
}

// keys are the public keys that signed checkpoints, the oldest first. Secret keys are replaced, and what an older one signed must still be checked.
type keys struct {
	public  []string
	check   []note.Verifier
	written bool // the journal has the one in use
}

func (k *keys) add(public string) error {
	v, err := note.NewVerifier(public)
	if err == nil && !slices.Contains(k.public, public) {
		k.public, k.check = append(k.public, public), append(k.check, v)
	}
	return err
}

// epoch is what the next checkpoint must say of a store that has forgotten the newest one that this server knew.
type epoch struct {
	begins bool
	lost   seal.Checkpoint
	why    string
}

// keyName is the name of the key in signed notes.
const keyName = "ringfence"

// Open reads what there is, and compares it with the copy that this server kept.
func Open(ctx context.Context, o Options) (*Evidence, error) {
	if o.Every == 0 {
		o.Every = 5 * time.Second
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Evidence{o: o, trees: map[string]*growing{}}
	var err error
	if e.signer, e.public, err = keyOf(o.Seed); err == nil {
		err = e.readKeys(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("the key that signs checkpoints: %w", err)
	}
	if err := e.catchUp(ctx); err != nil {
		return nil, err
	}
	return e, e.compareCopy(ctx)
}

// keyOf makes the pair of a seed, in the form of signed notes.
func keyOf(seed []byte) (note.Signer, string, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, "", errors.New("the seed has not 32 bytes")
	}
	public, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	key := append([]byte{1}, public...)
	sum := sha256.Sum256(append([]byte(keyName+"\n"), key...))
	hash := binary.BigEndian.Uint32(sum[:])
	private := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", keyName, hash, base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
	s, err := note.NewSigner(private)
	return s, fmt.Sprintf("%s+%08x+%s", keyName, hash, base64.StdEncoding.EncodeToString(key)), err
}

// readKeys reads from the journal which keys signed its checkpoints.
func (e *Evidence) readKeys(ctx context.Context) error {
	rows, err := e.o.Store.Facts(ctx, store.FactFilter{Kinds: []string{fact.KindEvidenceKey}, Limit: secret.MaxKeys * 2})
	if err != nil {
		return err
	}
	for i := range rows {
		var f fact.EvidenceKey
		if err := f.Decode(rows[i].Body); err != nil {
			return err
		}
		if err := e.keys.add(f.PublicKey); err != nil {
			return fmt.Errorf("fact %d: %w", rows[i].Seq, err)
		}
	}
	e.keys.written = slices.Contains(e.keys.public, e.public)
	return e.keys.add(e.public)
}

// PublicKey is the key that checkpoints are signed with, and its fingerprint.
func (e *Evidence) PublicKey() (public, fingerprint string) {
	return e.public, seal.Fingerprint(e.public)
}

// signedWith are the keys of a file of evidence.
func (e *Evidence) signedWith() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.keys.public)
}

// SignList signs a list of files, so that nobody can change one that belongs to an archive.
func (e *Evidence) SignList(sums map[string]seal.Hash) ([]byte, error) {
	return seal.SignList(sums, e.signer)
}

// Latest is the newest checkpoint, as it was signed; the zero Checkpoint when there is none.
func (e *Evidence) Latest() (seal.Checkpoint, []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last, e.note
}

// Checkpoint reads one; ErrNotFound.
func (e *Evidence) Checkpoint(ctx context.Context, number int64) ([]byte, error) {
	all, err := e.o.Store.Checkpoints(ctx, number, number+1, 1)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("checkpoint %d: %w", number, store.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return all[0].Note, nil
}

// catchUp reads the newest checkpoint, which another node may have made.
func (e *Evidence) catchUp(ctx context.Context) error {
	all, err := e.o.Store.Checkpoints(ctx, -1, 1<<62, 1)
	if err != nil || len(all) == 0 || all[0].Number == e.last.Number {
		return err
	}
	c, err := seal.OpenCheckpoint(all[0].Note, e.keys.check...)
	if err != nil {
		if c, err = seal.PeekCheckpoint(all[0].Note); err != nil {
			return fmt.Errorf("checkpoint %d: %w", all[0].Number, err)
		}
		e.o.Log.Error("the newest checkpoint is signed with another key: each node needs the same secret key", "checkpoint", c.Number)
	}
	e.last, e.note = c, all[0].Note
	return nil
}

// compareCopy finds a store that is older than the checkpoint that this server kept, or tells another story than it.
func (e *Evidence) compareCopy(ctx context.Context) error {
	if e.o.Copy == "" {
		return nil
	}
	text, err := os.ReadFile(e.o.Copy)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	kept, err := seal.OpenCheckpoint(text, e.keys.check...)
	if err != nil {
		e.o.Log.Error("the copy of the newest checkpoint cannot be read", "file", e.o.Copy, "error", err)
		return nil
	}
	return e.fits(ctx, &kept)
}

// fits compares the store with a checkpoint of ours that is known elsewhere. If it does not fit, the next checkpoint begins a new epoch, and a fact says why.
func (e *Evidence) fits(ctx context.Context, known *seal.Checkpoint) error {
	why, err := e.differs(ctx, known)
	if err != nil || why == "" {
		return err
	}
	e.epoch = epoch{begins: true, lost: *known, why: why}
	e.o.Log.Error("the journal is not the one that was known: the next checkpoint begins a new epoch", "found", why)
	return nil
}

// differs says why the store is not one that a checkpoint of ours was made of, "" when it is.
func (e *Evidence) differs(ctx context.Context, kept *seal.Checkpoint) (string, error) {
	if kept.Number > e.last.Number {
		return fmt.Sprintf("restored: checkpoint %d is known here, and the store ends at checkpoint %d", kept.Number, e.last.Number), nil
	}
	stored, err := e.Checkpoint(ctx, kept.Number)
	if errors.Is(err, store.ErrNotFound) {
		if e.last.Epoch > kept.Epoch {
			return "", nil // the store was restored since, and its checkpoints say so
		}
		return fmt.Sprintf("checkpoint %d is known here, and is not in the store", kept.Number), nil
	}
	if err != nil {
		return "", err
	}
	c, err := seal.PeekCheckpoint(stored)
	if err != nil {
		return "", err
	}
	if why := seal.Compare(kept, &c); why != "" {
		return why, nil
	}
	return e.headsDiffer(ctx, kept)
}

// headsDiffer looks whether the trees still have the rows that a checkpoint names.
func (e *Evidence) headsDiffer(ctx context.Context, c *seal.Checkpoint) (string, error) {
	sizes, err := e.o.Store.Trees(ctx)
	if err != nil {
		return "", err
	}
	for _, h := range c.Heads {
		if sizes[h.Tree] < h.Size {
			return fmt.Sprintf("removed: tree %s has %d rows, and %d in checkpoint %d", h.Tree, sizes[h.Tree], h.Size, c.Number), nil
		}
		t, err := newHashes(e.o.Store, h.Tree).tree(ctx, h.Size)
		if err != nil {
			return "", err
		}
		if t.Root() != h.Root {
			return fmt.Sprintf("changed: tree %s has other rows than in checkpoint %d", h.Tree, c.Number), nil
		}
	}
	return "", nil
}

// Run makes checkpoints until ctx ends.
func (e *Evidence) Run(ctx context.Context) {
	outage := keep.Outage{Log: e.o.Log, Level: slog.LevelError, Failed: "the journal cannot be sealed", Again: "the journal is sealed again"}
	for {
		_, err := e.Seal(ctx)
		if ctx.Err() == nil {
			outage.Note(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(e.o.Every):
		}
	}
}

// Seal makes a checkpoint if something was written since the last one, and gives the newest.
func (e *Evidence) Seal(ctx context.Context) (seal.Checkpoint, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.catchUp(ctx); err != nil {
		return seal.Checkpoint{}, err
	}
	heads, err := e.grow(ctx)
	if err != nil {
		return seal.Checkpoint{}, err
	}
	if slices.Equal(heads, e.last.Heads) && !e.epoch.begins {
		return e.last, nil
	}
	now, err := e.o.Store.Clock(ctx)
	if err != nil {
		return seal.Checkpoint{}, err
	}
	c := e.next(now, heads)
	signed, err := c.Sign(e.signer)
	if err != nil {
		return seal.Checkpoint{}, err
	}
	err = e.o.Store.PutCheckpoint(ctx, store.Checkpoint{Number: c.Number, At: c.At, Note: signed}, e.begun(&c)...)
	if errors.Is(err, store.ErrExists) { // another node was first, and its checkpoint has what is here
		return c, e.catchUp(ctx)
	}
	if err != nil {
		return seal.Checkpoint{}, err
	}
	e.last, e.note, e.epoch, e.keys.written = c, signed, epoch{}, true
	return c, e.keepCopy(signed)
}

// next is the checkpoint that follows the last one. A clock that jumped back never makes it older than that.
func (e *Evidence) next(now time.Time, heads []seal.Head) seal.Checkpoint {
	c := seal.Checkpoint{Number: e.last.Number + 1, Epoch: max(e.last.Epoch, 1), At: now.UTC().Truncate(time.Microsecond), Heads: heads}
	if e.last.Number > 0 {
		c.Previous = e.last.Hash()
	}
	if l := &e.epoch.lost; e.epoch.begins {
		c.Epoch, c.Number = max(c.Epoch, l.Epoch)+1, max(c.Number, l.Number+1)
		c.Lost, c.LostHash = l.Number, l.Hash()
		if c.At.Before(l.At) {
			c.At = l.At
		}
	}
	if c.At.Before(e.last.At) {
		c.At = e.last.At
	}
	return c
}

// begun are the facts that a key is in use, and that an epoch begins.
func (e *Evidence) begun(c *seal.Checkpoint) (facts []store.Fact) {
	if !e.keys.written {
		facts = append(facts, (&fact.EvidenceKey{PublicKey: e.public}).Row(c.At, fact.Subject{}))
	}
	if e.epoch.begins {
		facts = append(facts, (&fact.EvidenceEpoch{Epoch: c.Epoch, Checkpoint: c.Lost, Text: e.epoch.why}).Row(c.At, fact.Subject{}))
	}
	return facts
}

func (e *Evidence) keepCopy(signed []byte) error {
	if e.o.Copy == "" {
		return nil
	}
	_, err := keep.Replace(e.o.Copy, func(w io.Writer) error {
		_, err := w.Write(signed)
		return err
	})
	return err
}

// grow adds the new leaves to the trees, and stores the roots of subtrees that became complete.
func (e *Evidence) grow(ctx context.Context) ([]seal.Head, error) {
	sizes, err := e.o.Store.Trees(ctx)
	if err != nil {
		return nil, err
	}
	heads := make([]seal.Head, 0, len(sizes))
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		t := e.trees[name]
		if t == nil {
			if t, err = e.resume(ctx, name); err != nil {
				return nil, err
			}
		}
		e.trees[name] = t
		if err := t.grow(ctx, e.o.Store, sizes[name]); err != nil {
			delete(e.trees, name) // it is read again
			return nil, err
		}
		heads = append(heads, seal.Head{Tree: name, Size: t.tree.Size, Root: t.tree.Root()})
	}
	return heads, nil
}
