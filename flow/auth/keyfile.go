package auth

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ringfence/core/secret"
	"ringfence/flow/keep"
)

// KeyEnv names the environment variable that may hold the keys instead of a file, in the form of secret.ParseKeys.
const KeyEnv = "RINGFENCE_KEY"

// ErrKeyFile says that a key file cannot be used as it is. Its text never holds a key.
var ErrKeyFile = errors.New("key file")

// LoadKeys reads a key file. One that others than its owner may read or write is refused, for then the keys are no
// secret; so is anything but a regular file. fs.ErrNotExist is passed through.
func LoadKeys(path string) ([]secret.Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w %s: it is not a regular file", ErrKeyFile, path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w %s: others can read or change it (mode %04o): chmod 600 it, and consider `ringfence key rotate`",
			ErrKeyFile, path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err != nil {
		return nil, err
	}
	keys, err := secret.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrKeyFile, path, err)
	}
	return keys, nil
}

// NewKeyFile makes a key file with one fresh key, mode 0600, durable before it returns. fs.ErrExist when there is one
// already: a key file is never written over, for that would lose every password.
func NewKeyFile(path string) ([]secret.Key, error) {
	k, err := secret.NewKey()
	if err != nil {
		return nil, err
	}
	keys := []secret.Key{k}
	err = alone(path, func(dir *os.File) error {
		made := path + ".new"
		if err := write(made, keys); err != nil {
			return err
		}
		return errors.Join(os.Link(made, path), os.Remove(made), dir.Sync()) // unlike Rename, Link does not replace
	})
	return keys, err
}

// OpenKeys reads the key file, and makes it when there is none: the first start. made tells the operator to back it up.
func OpenKeys(path string) (keys []secret.Key, made bool, err error) {
	keys, err = LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, false, err
	}
	keys, err = NewKeyFile(path)
	if errors.Is(err, fs.ErrExist) { // another process was first
		keys, err = LoadKeys(path)
		return keys, false, err
	}
	return keys, err == nil, err
}

// AddKey appends a fresh key, which seals from the next NewBox on, and returns all. The file is replaced as a whole:
// whatever happens meanwhile, it holds either the old keys or all of them.
func AddKey(path string) (keys []secret.Key, err error) {
	err = alone(path, func(*os.File) error {
		if keys, err = LoadKeys(path); err != nil {
			return err
		}
		k, err := secret.NewKey()
		if err != nil {
			return err
		}
		if keys = append(keys, k); len(keys) > secret.MaxKeys {
			return fmt.Errorf("%w %s: %d keys; at most %d", ErrKeyFile, path, len(keys), secret.MaxKeys)
		}
		return write(path, keys)
	})
	return keys, err
}

// alone runs f while the folder of a key file is locked: two concurrent rotations must not lose each other's key, with
// which something may be sealed already.
func alone(path string, f func(dir *os.File) error) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close() // which unlocks
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	return f(dir)
}

func write(path string, keys []secret.Key) error {
	_, err := keep.Replace(path, func(w io.Writer) error {
		_, err := w.Write(secret.FormatKeys(keys))
		return err
	})
	return err
}
