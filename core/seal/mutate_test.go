package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// driver lets one Python check many files, and answers what it found in each. Signatures that this test has made are not computed again: that takes most of the time.
const driver = `
import functools, importlib.util, json, os, sys
spec = importlib.util.spec_from_file_location("verify", sys.argv[1])
v = importlib.util.module_from_spec(spec)
spec.loader.exec_module(v)
right, real = set(map(tuple, json.load(sys.stdin))), functools.lru_cache(None)(v.ed25519)
v.ed25519 = lambda public, message, signature: (message.decode(), signature.hex()) in right or real(public, message, signature)
out = {}
for name in os.listdir(sys.argv[2]):
    try: out[name] = v.verify(os.path.join(sys.argv[2], name))[0]
    except ValueError: out[name] = None
json.dump(out, sys.stdout)
`

// pythonSays is what the second verifier finds in each file; nil: it is not a file of evidence.
func pythonSays(t *testing.T, files map[string]string, signed [][2]string) map[string][]string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no python3: tools/deps.sh test installs it")
		}
		t.Skip("there is no python3")
	}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", driver, "../../flow/evidence/verify.py", dir)
	cmd.Stderr = os.Stderr
	known, err := json.Marshal(signed)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = bytes.NewReader(known)
	said, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var out map[string][]string
	if err := json.Unmarshal(said, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// goSays is the same of this one.
func goSays(t *testing.T, text string) []string {
	t.Helper()
	r, err := Verify(strings.NewReader(text))
	if errors.Is(err, ErrFormat) {
		return nil
	} else if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, f.String())
	}
	return out
}

// signedAgain gives changed lines an end that fits them, as the provider could: it has the key.
func (j *journal) signedAgain(t *testing.T, lines []string) string {
	t.Helper()
	text, rows := strings.Join(lines, "\n")+"\n", int64(0)
	for _, l := range lines {
		if strings.HasPrefix(l, "row\t") || strings.HasPrefix(l, "unsealed\t") {
			rows++
		}
	}
	sum := sha256.Sum256([]byte(text))
	signed, err := note.Sign(&note.Note{Text: endText(rows, sum[:])}, j.signer)
	if err != nil {
		t.Fatal(err)
	}
	return text + lineEnd + "\t" + string(quote(nil, string(signed))) + "\n"
}

// mutated changes some lines at random: bytes, parts and whole lines.
func mutated(r *rand.Rand, lines []string) []string {
	lines = slices.Clone(lines)
	for range 1 + r.IntN(2) {
		i, j := r.IntN(len(lines)), r.IntN(len(lines))
		switch b, parts := []byte(lines[i]), strings.Split(lines[i], "\t"); r.IntN(11) {
		case 0:
			lines = slices.Delete(lines, i, i+1)
		case 1:
			lines = slices.Insert(lines, j, lines[i])
		case 2:
			lines[i], lines[j] = lines[j], lines[i]
		case 3:
			lines = slices.Insert(lines, i, "")
		case 4:
			lines = lines[:max(1, i)]
		case 5, 6:
			if len(b) > 0 {
				b[r.IntN(len(b))] = "0123456789abcdefABCDEF+-=# _\t\r\\\"\x00\xff"[r.IntN(34)]
				lines[i] = string(b)
			}
		case 7:
			if len(b) > 0 {
				k := r.IntN(len(b))
				lines[i] = string(b[:k]) + []string{"0", " ", "\r", "\t", "\xc2\x85", "٣"}[r.IntN(6)] + string(b[k:])
			}
		case 8:
			k := r.IntN(len(parts))
			parts[k] = []string{"0" + parts[k], "+" + parts[k], parts[k] + "_0", " " + parts[k], strings.ToUpper(parts[k]), "", "-" + parts[k], "99999999999999999999", "-", "="}[r.IntN(10)]
			lines[i] = strings.Join(parts, "\t")
		case 9:
			lines[i] = lines[i] + []string{"\t", "\r", " ", "\tmore", "\ta\t-\t1"}[r.IntN(5)]
		case 10:
			k, l := r.IntN(len(parts)), r.IntN(len(parts))
			parts[k], parts[l] = parts[l], parts[k]
			lines[i] = strings.Join(parts, "\t")
		}
		if len(lines) == 0 {
			return []string{lineFirst}
		}
	}
	return lines
}

// TestBothVerifiersAgreeOnWhatIsChanged changes files at random, also as the provider could, who signs their ends again. Both verifiers find the same in each, and a file in
// which they find nothing has every row of the good one as it was.
func TestBothVerifiersAgreeOnWhatIsChanged(t *testing.T) {
	seed, rounds := uint64(15), 160
	if text := os.Getenv("SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	j := filled(t)
	good := []string{j.file(t, all), j.file(t, func(i int) bool { return i%3 == 1 })}
	files, signed := map[string]string{}, [][2]string{}
	for _, text := range good {
		signed = append(signed, signatures(t, text)...)
	}
	for i := range rounds {
		lines, name := strings.Split(strings.TrimSuffix(good[i%2], "\n"), "\n"), fmt.Sprint(i)
		if i%4 < 2 {
			files[name] = j.signedAgain(t, mutated(r, lines[:len(lines)-1]))
			signed = append(signed, signatures(t, files[name][strings.LastIndex(files[name], "\n"+lineEnd)+1:])...)
		} else {
			files[name] = strings.Join(mutated(r, lines), "\n") + []string{"\n", "", "\n\n", "\r\n"}[r.IntN(4)]
		}
	}
	python, accepted := pythonSays(t, files, signed), 0
	for i := range rounds {
		text := files[fmt.Sprint(i)]
		got, want := python[fmt.Sprint(i)], goSays(t, text)
		slices.Sort(got)
		slices.Sort(want)
		if (got == nil) != (want == nil) || !slices.Equal(got, want) {
			t.Errorf("seed %d, file %d: Python says %q, Go %q\n%s", seed, i, got, want, differs(good[i%2], text))
		}
		if want != nil && len(want) == 0 {
			accepted++
			if !slices.Equal(rowsOf(text), rowsOf(good[i%2])) {
				t.Errorf("seed %d, file %d is accepted:\n%s", seed, i, differs(good[i%2], text))
			}
		}
	}
	if accepted == 0 || accepted > rounds/5 {
		t.Errorf("%d of %d are accepted", accepted, rounds)
	}
}

// signatures are the signed notes of a file: their texts, and what signs them in hexadecimal.
func signatures(t *testing.T, text string) (out [][2]string) {
	t.Helper()
	for l := range strings.Lines(text) {
		what, quoted, _ := strings.Cut(l, "\t")
		var signed string
		if what != lineCheckpoint && what != lineEnd || json.Unmarshal([]byte(quoted), &signed) != nil {
			continue
		}
		body, line, _ := strings.Cut(signed, "\n\n")
		raw, err := base64.StdEncoding.DecodeString(line[strings.LastIndex(line, " ")+1 : len(line)-1])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, [2]string{body + "\n", hex.EncodeToString(raw[4:])})
	}
	return out
}

func rowsOf(text string) (out []string) {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, lineTree) || strings.HasPrefix(l, lineRow) || strings.HasPrefix(l, lineSkip) || strings.HasPrefix(l, lineUnsealed) {
			out = append(out, strings.TrimSuffix(l, "\n"))
		}
	}
	return out
}

// differs are the lines of a file that the good one does not have.
func differs(good, text string) string {
	var out []string
	for l := range strings.SplitSeq(text, "\n") {
		if !strings.Contains(good, l+"\n") && !strings.HasPrefix(l, "end\t") {
			out = append(out, fmt.Sprintf("%.300q", l))
		}
	}
	return strings.Join(out, "\n")
}

// TestWhoHasTheKeyCannotLeaveOut forges files as the provider could, with an end that is signed again: lines in places where nothing would be compared with them.
func TestWhoHasTheKeyCannotLeaveOut(t *testing.T) {
	j := filled(t)
	lines := strings.Split(strings.TrimSuffix(j.file(t, all), "\n"), "\n")
	lines = lines[:len(lines)-1]
	points, last := 2, 2+len(j.points) // the first checkpoint, and what follows the last
	strange := "unsealed\t7\t-\t" + fmt.Sprint(day.Add(40*time.Minute).UnixMicro()) + "\tcall.admitted\t2\t-"
	older := strings.Replace(strange, fmt.Sprint(day.Add(40*time.Minute).UnixMicro()), fmt.Sprint(day.UnixMicro()), 1)
	cases := map[string]struct {
		lines []string
		want  string // "": it is not a file of evidence
	}{
		"the newest checkpoint behind its rows, and the last rows gone": {slices.Concat(lines[:last-1], lines[last:at(lines, 35)], lines[last-1:last]), ""},
		"unsealed rows before the checkpoints":                          {slices.Concat(lines[:points], []string{strange}, lines[points:]), ""},
		"an unsealed row of a sealed time":                              {append(slices.Clone(lines), strange), "inserted: fact 7 of 2026-11-30T06:40:00.000000Z is not sealed"},
		"one of a time before the first checkpoint":                     {append(slices.Clone(lines), older), "good"},
		"the same without that checkpoint":                              {slices.Concat(lines[:points], lines[points+1:], []string{older}), "inserted: fact 7 of 2026-11-30T06:00:00.000000Z is not sealed"},
		"a part more in a row":                                          {slices.Concat(lines[:last+1], []string{lines[last+1] + "\t"}, lines[last+2:]), ""},
		"a first line twice":                                            {slices.Concat(lines[:1], lines), ""},
		"a key behind the checkpoints":                                  {slices.Concat(lines[:1], lines[points:last], lines[1:2], lines[last:]), ""},
	}
	files, signed := map[string]string{}, signatures(t, j.file(t, all))
	for name, c := range cases {
		files[name] = j.signedAgain(t, c.lines)
		signed = append(signed, signatures(t, files[name])...)
	}
	python := pythonSays(t, files, signed)
	for name, c := range cases {
		got := goSays(t, files[name])
		if c.want == "" && got != nil || c.want == "good" && (got == nil || len(got) > 0) || c.want != "" && c.want != "good" && !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if (got == nil) != (python[name] == nil) || !slices.Equal(got, python[name]) {
			t.Errorf("%s: Python says %q, Go %q", name, python[name], got)
		}
	}
}

// TestTheSecondVerifierIsShort: anybody can read it in an hour. The check of Ed25519 is not counted, and neither are blank lines.
func TestTheSecondVerifierIsShort(t *testing.T) {
	program, err := os.ReadFile("../../flow/evidence/verify.py")
	if err != nil {
		t.Fatal(err)
	}
	lines, counted := 0, true
	for l := range strings.Lines(string(program)) {
		if strings.HasPrefix(l, "# Ed25519") {
			counted = false
		} else if strings.HasPrefix(l, "def main") {
			counted = true
		}
		if counted && strings.TrimSpace(l) != "" {
			lines++
		}
	}
	if lines >= 150 {
		t.Errorf("it has %d lines; want less than 150", lines)
	}
}
