package casefile

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/seal"
	"ringfence/flow/evidence"
)

// unpacked is an archive in a folder of its own.
func unpacked(t testing.TB, b []byte) string {
	t.Helper()
	dir := t.TempDir()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	must(t, err)
	must(t, os.CopyFS(dir, z))
	return dir
}

// withEvidence is an archive of three calls, with a checkpoint before them, as bytes.
func (h *house) withEvidence() []byte {
	h.t.Helper()
	ctx := context.Background()
	_, err := h.seal.Seal(ctx)
	must(h.t, err)
	var ids []call.ID
	for _, to := range []string{"020 7946 0000", "07700 900123", "00 33 1 42 68 53 00"} {
		id, _ := h.call("2001", to, home)
		h.call("3001", to, away) // what another customer does meanwhile
		ids = append(ids, id)
	}
	var b bytes.Buffer
	must(h.t, h.file.Export(ctx, &b, &Request{Case: 17, Customer: "acme", Name: "Acme", Provider: "Test", Calls: ids}, time.Now()))
	return b.Bytes()
}

// edit changes the lines of a file.
func edit(t *testing.T, dir, name string, change func(lines []string) []string) {
	t.Helper()
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Join(change(strings.Split(string(b), "\n")), "\n")), 0o600))
}

// rowsOf are where the rows are among the lines of a file of evidence.
func rowsOf(lines []string) (out []int) {
	for i, l := range lines {
		if strings.HasPrefix(l, "row\t") {
			out = append(out, i)
		}
	}
	return out
}

// tampered is what somebody does to an unpacked case file, and what both verifiers must say. %s is the place of the row.
var tampered = map[string]struct {
	change func(t *testing.T, dir string) (row string)
	want   []string
}{
	"changed": {inProofs(func(p []string) []string {
		return []string{strings.Replace(strings.Join(p, "\t"), "192.0.2.7", "192.0.2.8", 1)}
	}), []string{"changed: row %s of tree main"}},
	"removed":    {inProofs(func([]string) []string { return nil }), []string{"removed: row %s of tree main"}},
	"inserted":   {inProofs(func(p []string) []string { l := strings.Join(p, "\t"); return []string{l, l} }), []string{"inserted: row %s of tree main is there twice"}},
	"back-dated": {inProofs(backDated), []string{"back-dated: row %s of tree main says ", "changed: row %s of tree main"}},
	"reordered": {func(t *testing.T, dir string) (row string) {
		edit(t, dir, proofsFile, func(l []string) []string {
			for _, i := range rowsOf(l) {
				if strings.HasPrefix(l[i+1], "row\t") {
					row = strings.Split(l[i], "\t")[1]
					l[i], l[i+1] = l[i+1], l[i]
					break
				}
			}
			return l
		})
		return row
	}, []string{"reordered: row %s of tree main"}},
	"a price changed": {func(t *testing.T, dir string) string {
		edit(t, dir, "records.csv", func(l []string) []string { return append(l, l[1]) })
		return ""
	}, []string{"changed: file records.csv"}},
	"a file removed": {func(t *testing.T, dir string) string {
		must(t, os.Remove(filepath.Join(dir, "disclosure", "faults.txt")))
		return ""
	}, []string{"removed: file disclosure/faults.txt"}},
	"a file inserted": {func(t *testing.T, dir string) string {
		must(t, os.WriteFile(filepath.Join(dir, "disclosure", "more.txt"), nil, 0o600))
		return ""
	}, []string{"inserted: file disclosure/more.txt"}},
	"the list changed": {func(t *testing.T, dir string) string {
		edit(t, dir, listFile, func(l []string) []string { return append(l[:1:1], l[2:]...) })
		return ""
	}, []string{"file: the list of files is not signed with a key that is trusted"}},
}

// inProofs changes the row of the first call that was admitted, given as its parts.
func inProofs(change func(parts []string) []string) func(*testing.T, string) string {
	return func(t *testing.T, dir string) (row string) {
		edit(t, dir, proofsFile, func(l []string) []string {
			for _, i := range rowsOf(l) {
				if p := strings.Split(l[i], "\t"); p[4] == "call.admitted" {
					row = p[1]
					return slices.Concat(l[:i], change(p), l[i+1:])
				}
			}
			t.Fatal("no call was admitted")
			return nil
		})
		return row
	}
}

// backDated lets a row say that it is a day older.
func backDated(p []string) []string {
	at, _ := strconv.ParseInt(p[3], 10, 64)
	p[3] = strconv.FormatInt(at-(24*time.Hour).Microseconds(), 10)
	return []string{strings.Join(p, "\t")}
}

// TestACaseFileIsProven: the verifier in the archive accepts it after unpacking, finds and names what was done to each tampered copy, and Go's agrees.
func TestACaseFileIsProven(t *testing.T) {
	if fault != "" {
		t.Skip("of a faulty build")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no python3: tools/deps.sh installs it")
		}
		t.Skip("there is no python3 here: the verifier in the archive is not run")
	}
	b := openHouse(t).withEvidence()
	run := func(dir string) (string, error) {
		cmd := exec.CommandContext(t.Context(), python, verifierFile, proofsFile, "--files", listFile)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	good := unpacked(t, b)
	if out, err := run(good); err != nil || !strings.HasSuffix(out, ": good\n") {
		t.Fatalf("%v: %s", err, out)
	}
	if found := checked(t, good); len(found) > 0 {
		t.Fatal(found)
	}
	placed(t, good)
	for _, name := range slices.Sorted(maps.Keys(tampered)) {
		c, dir := tampered[name], unpacked(t, b)
		row := c.change(t, dir)
		out, err := run(dir)
		if err == nil {
			t.Errorf("%s: accepted: %s", name, out)
		}
		ours := strings.Join(checked(t, dir), "\n")
		for _, want := range c.want {
			if strings.Contains(want, "%s") {
				want = fmt.Sprintf(want, row)
			}
			if !strings.Contains(out, want) || !strings.Contains(ours, want) {
				t.Errorf("%s: want %q; Python says %s, Go %s", name, want, out, ours)
			}
		}
	}
}

// checked is what Go's verifier finds.
func checked(t *testing.T, dir string) (found []string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, proofsFile))
	must(t, err)
	defer f.Close()
	r, err := seal.Verify(f)
	must(t, err)
	signed, sums, err := evidence.ReadList(filepath.Join(dir, listFile))
	must(t, err)
	files, err := seal.VerifyList(signed, sums, r.Keys...)
	must(t, err)
	for _, f := range slices.Concat(r.Findings, files) {
		found = append(found, f.String())
	}
	return found
}

// placed wants each fact at its place in the proofs, with the same body.
func placed(t *testing.T, dir string) {
	t.Helper()
	proofs, err := os.ReadFile(filepath.Join(dir, proofsFile))
	must(t, err)
	rows := map[int64]string{}
	lines := strings.Split(string(proofs), "\n")
	for _, i := range rowsOf(lines) {
		n, err := strconv.ParseInt(strings.Split(lines[i], "\t")[1], 10, 64)
		must(t, err)
		rows[n] = lines[i]
	}
	facts, err := os.ReadFile(filepath.Join(dir, "facts.jsonl"))
	must(t, err)
	n := 0
	for line := range strings.Lines(string(facts)) {
		var f struct {
			Kind  string
			Body  map[string]json.RawMessage
			Proof *place
		}
		must(t, json.Unmarshal([]byte(line), &f))
		if f.Proof == nil {
			t.Fatalf("without a place: %s", line)
		}
		row := rows[f.Proof.Row]
		for name, value := range f.Body {
			if p := strings.Split(row, "\t"); p[4] != f.Kind || !strings.Contains(row, "\t"+name+"\t") || !strings.Contains(row, "\t"+string(value)) {
				t.Fatalf("%s is not %s", line, row)
			}
		}
		n++
	}
	if n < 9 || n != len(rows) {
		t.Errorf("%d facts and %d rows", n, len(rows))
	}
}
