package seal

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The second verifier, which was written from docs/evidence.md, finds in good and in tampered files what this one finds.
func TestThePythonVerifierAgrees(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no python3: tools/deps.sh test installs it")
		}
		t.Skip("there is no python3")
	}
	j := filled(t)
	good := j.file(t, all)
	files := map[string]string{"good": good, "some": j.file(t, func(i int) bool { return i%3 == 1 }), "none": j.file(t, func(int) bool { return false })}
	for name, c := range tampered {
		files[name] = strings.Join(c.change(strings.Split(good, "\n")), "\n")
	}
	late := sample(40)
	late.At = day.Add(-3600e9)
	j.write(late)
	j.checkpoint(t, day.Add(120e9))
	files["back-dated"] = j.file(t, all)
	for i := range j.rows {
		if err := Erase(&j.rows[i], func(f *Field) bool { return i%2 == 0 || f.Name == "source" }); err != nil {
			t.Fatal(err)
		}
	}
	files["erased"] = j.file(t, all)
	for name, text := range files {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), python, "../../flow/evidence/verify.py", path).CombinedOutput()
		var want []string
		for _, f := range verify(t, text).Findings {
			want = append(want, f.String())
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		got := lines[1 : len(lines)-1]
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || (err != nil) != (len(want) > 0) {
			t.Errorf("%s: Python says %q (%v), Go %q", name, out, err, want)
		}
	}
}

// TestClearedFilesStillProve: what is taken out of a file leaves every proof of it standing, for both verifiers, and nothing of it is left in the file.
func TestClearedFilesStillProve(t *testing.T) {
	j := filled(t)
	other := newJournal(t) // a key that is not in the file
	for name, keep := range map[string]func(int) bool{"all": all, "some": func(i int) bool { return i%3 == 1 }} {
		for _, key := range []*journal{j, other} {
			file := j.file(t, keep)
			var once, twice strings.Builder
			every := func(n int) func(*Sealed) bool {
				i := 0
				return func(*Sealed) bool { i++; return i%n == 0 }
			}
			cleared, err := Clear(&once, strings.NewReader(file), every(2), key.public, key.signer)
			if err != nil || cleared == 0 {
				t.Fatalf("%s: %d, %v", name, cleared, err)
			}
			if _, err := Clear(&twice, strings.NewReader(once.String()), every(3), key.public, key.signer); err != nil {
				t.Fatal(err)
			}
			for what, text := range map[string]string{"once": once.String(), "twice": twice.String()} {
				if f := verify(t, text).Findings; len(f) > 0 {
					t.Errorf("%s, %s: %v", name, what, f)
				}
				pythonAgrees(t, text)
			}
			if n := strings.Count(once.String(), "07700900"); n != strings.Count(file, "07700900")-int(cleared) {
				t.Errorf("%s: %d numbers are left of %d", name, n, strings.Count(file, "07700900"))
			}
		}
	}
	if _, err := Clear(&strings.Builder{}, strings.NewReader(j.file(t, all)[:2000]), func(*Sealed) bool { return true }, j.public, j.signer); err == nil {
		t.Error("a file that was cut short was cleared")
	}
}

// pythonAgrees wants the second verifier to find nothing.
func pythonAgrees(t *testing.T, text string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no python3: tools/deps.sh test installs it")
		}
		t.Skip("there is no python3")
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), python, "../../flow/evidence/verify.py", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
