package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"ringfence/state/store"
)

// files watches that the database is still the one that was opened. SQLite continues to write to files that were
// deleted while open, and all of that is lost when the process ends. It looks by name only and opens nothing (see folder). The
// holder of the writer's turn owns it.
type files struct {
	path  string
	known [3]fs.FileInfo // of the database, its log and its index, as they were first seen
}

// same is ErrReplaced when a file was deleted, moved or replaced.
func (f *files) same() error {
	for i, suffix := range [...]string{"", "-wal", "-shm"} {
		info, err := os.Stat(f.path + suffix)
		switch was := f.known[i]; {
		case was == nil && err == nil:
			f.known[i] = info
		case was == nil && errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(was, info):
			return fmt.Errorf("%w (%s): what is written now would be lost. Stop the server and restore a backup, or start it on what is there now", store.ErrReplaced, f.path+suffix)
		case err != nil:
			return err
		}
	}
	return nil
}
