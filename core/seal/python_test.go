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
