package evidence

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/core/seal"
	"ringfence/state/store"
)

// A witness gets each checkpoint once, and its answer is kept. One that knows another story is believed, if we signed that.
func TestAWitness(t *testing.T) {
	w, got, refuse := newWorld(t), [][]byte{}, []byte(nil)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = append(got, b)
		if refuse != nil {
			rw.WriteHeader(http.StatusConflict)
			_, _ = rw.Write(refuse)
			return
		}
		_, _ = rw.Write([]byte("seen"))
	}))
	defer s.Close()
	w.e.o.Witnesses = []string{s.URL}
	given := map[string]int64{}
	w.e.give(t.Context(), given)
	if len(got) > 0 {
		t.Fatal("a witness was asked although there is no checkpoint")
	}
	w.write(3)
	first := w.seal()
	backup := filepath.Join(t.TempDir(), "backup.db")
	ok(t, w.s.Copy(t.Context(), backup))
	w.e.give(t.Context(), given)
	w.e.give(t.Context(), given)
	_, note := w.e.Latest()
	answers, err := w.e.Witnessed(t.Context())
	ok(t, err)
	if len(got) != 1 || string(got[0]) != string(note) || len(answers) != 1 || string(answers[0].Answer) != "seen" || answers[0].Number != first.Number {
		t.Fatalf("%q %+v", got, answers)
	}
	w.write(3)
	known := w.seal()
	_, refuse = w.e.Latest()
	// The store is restored with the whole data folder: nothing here knows the newest checkpoint, and the witness does.
	ok(t, w.s.Close())
	w.path, w.copy = backup, ""
	w.open()
	w.e.o.Witnesses = []string{s.URL}
	w.write(1)
	w.seal()
	w.e.give(t.Context(), map[string]int64{})
	c := w.seal()
	if c.Epoch != 2 || c.Lost != known.Number || c.LostHash != known.Hash() {
		t.Errorf("%+v", c)
	}
	facts, err := w.s.Facts(t.Context(), store.FactFilter{Kind: "evidence.epoch"})
	ok(t, err)
	if len(facts) != 1 {
		t.Errorf("%d facts say so", len(facts))
	}
	w.e.give(t.Context(), map[string]int64{})
	if again := w.seal(); again.Epoch != 2 {
		t.Errorf("another epoch: %+v", again)
	}
	refuse = []byte("not a checkpoint")
	if _, err := w.e.witness(t.Context(), s.URL, note); !errors.Is(err, errConflict) || w.e.epoch.begins {
		t.Errorf("a witness that shows none of our checkpoints was believed: %v", err)
	}
}

// openssl runs it in a folder.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "openssl", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

const tsaConf = `[tsa]
default_tsa = one
[one]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
crypto_device = builtin
certs = tsa.pem
[req]
distinguished_name = dn
x509_extensions = ext
[dn]
[ext]
basicConstraints = CA:TRUE
extendedKeyUsage = critical,timeStamping
`

// A time stamper of OpenSSL's stamps a checkpoint: its answer is read here, and OpenSSL verifies it against the checkpoint.
func TestATimeStamper(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no openssl: tools/deps.sh installs it")
		}
		t.Skip("there is no openssl")
	}
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "tsa.cnf"), []byte(tsaConf), 0o600))
	ok(t, os.WriteFile(filepath.Join(dir, "serial"), []byte("01"), 0o600))
	openssl(t, dir, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.pem", "-subj", "/CN=Stamper", "-days", "2", "-config", "tsa.cnf")
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		ok(t, os.WriteFile(filepath.Join(dir, "query"), b, 0o600))
		openssl(t, dir, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "answer")
		answer, err := os.ReadFile(filepath.Join(dir, "answer"))
		ok(t, err)
		rw.Header().Set("Content-Type", "application/timestamp-reply")
		_, _ = rw.Write(answer)
	}))
	defer s.Close()
	w := newWorld(t)
	w.e.o.Stampers = []string{s.URL}
	w.write(3)
	w.seal()
	given := map[string]int64{}
	w.e.give(t.Context(), given)
	answers, err := w.e.Witnessed(t.Context())
	ok(t, err)
	if len(answers) != 1 || given[s.URL] != 1 {
		t.Fatalf("%+v", answers)
	}
	_, note := w.e.Latest()
	at, err := Stamped(answers[0].Answer, note)
	if err != nil || time.Since(at) > time.Minute || time.Until(at) > time.Minute {
		t.Errorf("%v: %v", at, err)
	}
	ok(t, os.WriteFile(filepath.Join(dir, "note"), note, 0o600))
	ok(t, os.WriteFile(filepath.Join(dir, "answer"), answers[0].Answer, 0o600))
	openssl(t, dir, "ts", "-verify", "-data", "note", "-in", "answer", "-CAfile", "tsa.pem")
	other, err := (&seal.Checkpoint{Number: 9, Epoch: 1, At: time.Now()}).Sign(w.e.signer)
	ok(t, err)
	if _, err := Stamped(answers[0].Answer, other); !errors.Is(err, ErrStamp) {
		t.Errorf("the stamp of another checkpoint was taken: %v", err)
	}
	for n := range answers[0].Answer { // an answer that was cut off is none
		if _, err := Stamped(answers[0].Answer[:n], note); err == nil {
			t.Fatalf("%d bytes of an answer were taken", n)
		}
	}
}
