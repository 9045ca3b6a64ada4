package app

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"ringfence/app/config"
	"ringfence/core/secret"
	"ringfence/flow/auth"
)

// keyring is where the keys that seal passwords come from: a file, or the environment, which cannot be added to.
type keyring struct {
	file string // "" is the environment
	mu   sync.Mutex
	keys []secret.Key // owned by mu
}

// openKeys reads the keys, and makes the file at the first start. A file that is missing beside a database that is not
// empty is an error: a new key would open nothing.
func openKeys(cfg *config.Config, log *slog.Logger) (*keyring, error) {
	if cfg.Secret.Key != "" {
		keys, err := secret.ParseKeys([]byte(string(cfg.Secret.Key)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", auth.KeyEnv, err)
		}
		return &keyring{keys: keys}, nil
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Secret.KeyFile), 0o700); err != nil {
		return nil, fmt.Errorf("the key file's folder: %w", err)
	}
	keys, made, err := auth.OpenKeys(cfg.Secret.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("the key that seals passwords: %w", err)
	}
	if made {
		log.Warn("a key that seals passwords was made: keep a copy apart from the database", "file", cfg.Secret.KeyFile)
	}
	return &keyring{file: cfg.Secret.KeyFile, keys: keys}, nil
}

// presentKeys reads the keys and makes none: a new key would open nothing of a backup.
func presentKeys(cfg *config.Config) (*secret.Box, error) {
	if cfg.Secret.Key == "" {
		if _, err := os.Stat(cfg.Secret.KeyFile); err != nil {
			return nil, fmt.Errorf("the key that seals passwords: %w: put its copy back first", err)
		}
	}
	k, err := openKeys(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return k.box()
}

func (k *keyring) box() (*secret.Box, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return secret.NewBox(k.keys)
}

// errKeyFixed says that keys of the environment are rotated where they are set.
var errKeyFixed = errors.New("the key comes from " + auth.KeyEnv + ": add a new one there after the old (old,new), restart, then rotate again without the old")

// add puts a new key into the file, durable before it returns.
func (k *keyring) add() (*secret.Box, error) {
	if k.file == "" {
		return nil, errKeyFixed
	}
	keys, err := auth.AddKey(k.file)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.keys = keys
	k.mu.Unlock()
	return k.box()
}
