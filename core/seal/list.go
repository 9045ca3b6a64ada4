package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// listMagic is the first line of a list of files.
const listMagic = "ringfence files 1"

// SignList signs a list of files by the SHA-256 of each, so that what belongs together stays together.
func SignList(sums map[string]Hash, keys ...note.Signer) ([]byte, error) {
	var b strings.Builder
	b.WriteString(listMagic + "\n")
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		h := sums[name]
		fmt.Fprintf(&b, "%s  %s\n", hex.EncodeToString(h[:]), name)
	}
	return note.Sign(&note.Note{Text: b.String()}, keys...)
}

// VerifyList compares the files of a folder with the signed list that is among them.
func VerifyList(dir fs.FS, list string, trusted ...string) (found []Finding, err error) {
	say := func(what, format string, args ...any) {
		found = append(found, Finding{what, fmt.Sprintf(format, args...)})
	}
	signed, err := fs.ReadFile(dir, list)
	if err != nil {
		return nil, err
	}
	var keys []note.Verifier
	for _, t := range trusted {
		k, err := note.NewVerifier(t)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	n, err := note.Open(signed, note.VerifierList(keys...))
	if err != nil {
		say(BadFile, "%s is not signed with a key that is trusted", list)
		return found, nil
	}
	lines := strings.Split(strings.TrimSuffix(n.Text, "\n"), "\n")
	if lines[0] != listMagic {
		return nil, fmt.Errorf("%w: %s", ErrFormat, list)
	}
	listed := map[string]bool{list: true}
	for _, line := range lines[1:] {
		sum, name, _ := strings.Cut(line, "  ")
		listed[name] = true
		switch is, err := sumOf(dir, name); {
		case errors.Is(err, fs.ErrNotExist):
			say(Removed, "file %s", name)
		case err != nil:
			return nil, err
		case is != sum:
			say(Changed, "file %s", name)
		}
	}
	err = fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !listed[path] {
			say(Inserted, "file %s", path)
		}
		return err
	})
	return found, err
}

func sumOf(dir fs.FS, name string) (string, error) {
	f, err := dir.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}
