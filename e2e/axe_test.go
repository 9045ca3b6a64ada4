//go:build e2e

package e2e

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// axe-core (Deque Systems, MPL 2.0) is fetched from npm when it is needed, and is no part of the repository. It runs in the browser; nothing of it is installed.
const (
	axeVersion = "4.11.0"
	axeSum     = "e9e5863c33a874f09bc01acd9234b7e3c871479f5eef8802fa582544465e6d01" // SHA-256 of axe.min.js
)

// axeCore is the script, from the cache of earlier runs or from npm.
func axeCore(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	must(t, err)
	path := filepath.Join(cache, "ringfence-tests", "axe-core-"+axeVersion+".min.js")
	if kept, err := os.ReadFile(path); err == nil && sum(kept) == axeSum {
		return string(kept)
	}
	script, err := fetchAxe(t)
	if err != nil {
		t.Skipf("axe-core, which looks at the pages, could not be fetched from npm's registry: %v", err) // also in CI: the registry is not ours
	}
	if got := sum(script); got != axeSum {
		t.Fatalf("axe-core %s from npm is not what it was: %s", axeVersion, got)
	}
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, script, 0o644))
	return string(script)
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func fetchAxe(t *testing.T) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://registry.npmjs.org/axe-core/-/axe-core-"+axeVersion+".tgz", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	z, err := gzip.NewReader(io.LimitReader(answer.Body, 32<<20))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the package has no axe.min.js")
		}
		if err != nil {
			return nil, err
		}
		if h.Name == "package/axe.min.js" {
			return io.ReadAll(r)
		}
	}
}
