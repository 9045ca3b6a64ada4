// Package sqlitetest opens new stores quickly. A new file's tables are made step by step, as an upgrade makes them, which
// costs more than most tests; here they are made once in a process and copied. It is for tests only and must not be
// imported by the product.
package sqlitetest

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"ringfence/state/store/sqlite"
)

// Open is sqlite.Open, but a file that is not there is made from a copy of an empty store, and no commit waits for the
// disk unless o says so: no machine fails during a test.
func Open(ctx context.Context, path string, o sqlite.Options) (*sqlite.Engine, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		file, err := empty()
		if err == nil {
			err = os.WriteFile(path, file, 0o600)
		}
		if err != nil {
			return nil, err
		}
	}
	o.Sync = cmp.Or(o.Sync, sqlite.Normal)
	return sqlite.Open(ctx, path, o)
}

var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "ringfence-empty-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s.db")
	e, err := sqlite.Open(context.Background(), path, sqlite.Options{Sync: sqlite.Normal})
	if err == nil {
		err = e.Close()
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})
