//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
		without(t, "no axe-core: "+err.Error())
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
	npm := exec.CommandContext(t.Context(), "npm", "pack", "--loglevel=error", "axe-core@"+axeVersion)
	npm.Dir = t.TempDir()
	if out, err := npm.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("npm pack: %w: %s", err, out)
	}
	pack, err := os.ReadFile(filepath.Join(npm.Dir, "axe-core-"+axeVersion+".tgz"))
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(pack))
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
