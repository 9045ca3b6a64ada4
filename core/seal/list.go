package seal

import (
	"encoding/hex"
	"fmt"
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

// VerifyList compares the sums of the files that are there with a signed list of those that should be.
func VerifyList(signed []byte, there map[string]Hash, trusted ...string) (found []Finding, err error) {
	say := func(what, text string) { found = append(found, Finding{what, text}) }
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
		say(BadFile, "the list of files is not signed with a key that is trusted")
		return found, nil
	}
	lines := strings.Split(strings.TrimSuffix(n.Text, "\n"), "\n")
	if lines[0] != listMagic {
		return nil, fmt.Errorf("%w: a list of files", ErrFormat)
	}
	listed := map[string]bool{}
	for _, line := range lines[1:] {
		sum, name, _ := strings.Cut(line, "  ")
		listed[name] = true
		if h, ok := there[name]; !ok {
			say(Removed, "file "+name)
		} else if hex.EncodeToString(h[:]) != sum {
			say(Changed, "file "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if !listed[name] {
			say(Inserted, "file "+name)
		}
	}
	return found, nil
}
