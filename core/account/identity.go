package account

import (
	"fmt"
	"strings"
)

// An identity is what money, records and evidence are keyed by. It is never used again. It begins with the handle that
// people gave, so that a reader of the database knows what he sees, and ends with a mark and random letters:
// "3001~x7k2m9qp". The handle may be given again once its line or customer is gone. What was added before there were
// identities has none of the letters: its identity is its handle alone.

// Mark stands between a handle and its random letters; no handle has it.
const Mark = "~"

// SuffixLetters are those of a suffix, without look-alikes: 32, so that a random byte gives each as often. SuffixLen of them
// are 40 bits, chosen separately for each handle.
const (
	SuffixLetters = "0123456789abcdefghjkmnpqrstvwxyz"
	SuffixLen     = 8
)

// Handle is what people call what has an identity: the part before the mark.
func Handle(id string) string {
	handle, _, _ := strings.Cut(id, Mark)
	return handle
}

// HandlePath is a path with handles for its identities: "line/3001", "customer/acme/anna".
func HandlePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = Handle(parts[i])
	}
	return strings.Join(parts, "/")
}

// FullIdentity is an identity as people write it where a handle could be meant as well: with its mark, even when nothing
// follows.
func FullIdentity(id string) string {
	if id == "" || strings.Contains(id, Mark) {
		return id
	}
	return id + Mark
}

// ReadIdentity tells an identity as people write it (FullIdentity) from a handle.
func ReadIdentity(text string) (id string, ok bool) {
	handle, suffix, ok := strings.Cut(text, Mark)
	if !ok {
		return "", false
	}
	if suffix == "" {
		return handle, true
	}
	return text, true
}

// Identity puts an identity together from a handle and random bytes.
func Identity(handle string, random [SuffixLen]byte) string {
	for i, b := range random {
		random[i] = SuffixLetters[b%byte(len(SuffixLetters))]
	}
	return handle + Mark + string(random[:])
}

// checkIdentity wants a handle that check accepts, alone or with a suffix.
func checkIdentity(id string, check func(string) error) error {
	handle, suffix, marked := strings.Cut(id, Mark)
	if err := check(handle); err != nil {
		return err
	}
	if marked && (len(suffix) != SuffixLen || strings.Trim(suffix, SuffixLetters) != "") {
		return fmt.Errorf("%w: %.80q has no suffix of %d letters", ErrID, id, SuffixLen)
	}
	return nil
}
