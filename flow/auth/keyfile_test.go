package auth

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ringfence/core/secret"
)

func TestKeyFileOfTheFirstStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if _, err := LoadKeys(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	keys, made, err := OpenKeys(path)
	if err != nil || !made || len(keys) != 1 {
		t.Fatal(len(keys), made, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	again, made, err := OpenKeys(path)
	if err != nil || made || len(again) != 1 || again[0].ID() != keys[0].ID() {
		t.Error("the second start has another key", made, err)
	}
	if _, err := NewKeyFile(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("written over: %v", err)
	}
	onlyKeyFile(t, path)
}

func TestKeyFileRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	first, err := NewKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	box, _ := secret.NewBox(first)
	sealed, _ := box.Seal(secret.LineOwner("1001"), secret.NewPassword("hunter2"))
	both, err := AddKey(path)
	if err != nil || len(both) != 2 || both[0].ID() != first[0].ID() {
		t.Fatal(len(both), err)
	}
	box, _ = secret.NewBox(both)
	if sealed, err = box.Reseal(sealed); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, secret.FormatKeys(both[1:]), 0o600); err != nil { // the old one is no longer needed
		t.Fatal(err)
	}
	last, err := LoadKeys(path)
	if err != nil || len(last) != 1 {
		t.Fatal(len(last), err)
	}
	box, _ = secret.NewBox(last)
	if p, err := box.Open(secret.LineOwner("1001"), sealed); err != nil || p.Reveal() != "hunter2" {
		t.Error(err)
	}
	onlyKeyFile(t, path)
}

// TestTwoRotationsLoseNoKey: something may be sealed already with the key of either.
func TestTwoRotationsLoseNoKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if _, err := NewKeyFile(path); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := AddKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if keys, err := LoadKeys(path); err != nil || len(keys) != 9 {
		t.Error(len(keys), err)
	}
}

func TestKeyFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if _, err := NewKeyFile(good); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(good)
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
	}{
		"readable by the group": {string(text), 0o640}, "readable by all": {string(text), 0o604}, "writable by the group": {string(text), 0o620},
		"empty": {"", 0o600}, "cut short": {string(text[:len(text)/2+60]) + "x", 0o600}, "endless": {strings.Repeat("#", 1<<17), 0o600},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKeys(path)
		if !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := AddKey(path); err == nil {
			t.Errorf("%s: rotated", name)
		}
	}
	if _, err := LoadKeys(dir); !errors.Is(err, ErrKeyFile) {
		t.Error("a folder:", err)
	}
}

func onlyKeyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind beside the key file: %v %v", entries, err)
	}
}
