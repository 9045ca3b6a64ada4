//go:build e2e

package e2e

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// storyDeck is what customers pay in the story, and storyCost what the carrier charges us.
const (
	storyDeck = `prefix,destination,rate,connection charge,first interval,sub interval
4420,London,0.01,0,1,1
220,Gambia,0.45,0.60,1,1
`
	storyCost = `prefix,destination,rate,connection charge,first interval,sub interval
4420,London,0.002,0,1,1
220,Gambia,0.20,0.25,1,1
`
)

// story is a server on which a login was stolen, with the people who settle it.
type story struct {
	*server
	p        *post
	password string
	site     string   // of the pages
	number   string   // of the case
	second   []string // flags with which a second member of staff asks
}

// tell starts a server, of a program or ("") of the one under test, that has a cost deck, an owner who may sign in, and two of staff.
func tell(t *testing.T, serves string) *story {
	own := t.TempDir()
	token, digests, api := filepath.Join(own, "sam"), filepath.Join(own, "tokens"), freePort(t)
	must(t, os.WriteFile(token, []byte("a-token-of-sams"), 0o600))
	sum := sha256.Sum256([]byte("a-token-of-sams"))
	must(t, os.WriteFile(digests, []byte("sam "+hex.EncodeToString(sum[:])+"\n"), 0o600))
	p, s := watchingWith(t, serves, storyDeck, fmt.Sprintf("[money]\nslice = \"2s\"\nextend-ahead = \"1s\"\n[desk]\nsecond-above = 1\n[admin]\nlisten = %q\ntokens-file = %q\n", api, digests))
	cost := filepath.Join(t.TempDir(), "cost.csv")
	must(t, os.WriteFile(cost, []byte(storyCost), 0o600))
	s.cli("deck", "import", "carrier", cost, "--kind", "cost", "--yes")
	s.cli("trunk", "set", "carrier-1", "deck=carrier")
	return &story{server: s, p: p, password: s.line("2001"), second: []string{"--server", "http://" + api.String(), "--token-file", token}}
}

// steal plays a thief who has the password and calls Gambia until the ladder stops him, and a few times more.
func (s *story) steal() (connected int) {
	s.t.Helper()
	thief := sipp{scenario: "call.xml", with: map[string]string{"TALK": "200"}, server: s.sip, from: "127.11.0.1", line: "2001", password: s.password, to: "002203123456"}
	for ; connected < 45 && !s.closed("2001"); connected++ {
		thief.run(s.t)
		elapse(100 * time.Millisecond) // people pause for longer
	}
	thief.scenario, thief.with = "refused.xml", map[string]string{"STATUS": "403"}
	for range 3 {
		thief.run(s.t)
	}
	return connected
}

var caseNumber = regexp.MustCompile(`opened case (\d+)`)

// disown is the owner's answer to the mail: the line is locked, and there is a case.
func (s *story) disown() {
	s.t.Helper()
	mail := s.p.one(anna, "Calls unlike", 20*time.Second)
	link := mail.links(s.t)["not-mine"]
	status, page := press(s.t, link, "not-mine")
	m := caseNumber.FindStringSubmatch(page)
	if status != 200 || m == nil || !s.locked("2001") {
		s.t.Fatalf("not me: %d, locked %v: %s", status, s.locked("2001"), page)
	}
	s.number, s.site = m[1], link[:strings.Index(link, "/answer/")]
}

var signInURL = regexp.MustCompile(`http://\S+/in/link/\S+`)

// report signs the owner in, and has the calls that are theirs to dispute ticked.
func (s *story) report(anna *visitor) {
	t := s.t
	t.Helper()
	anna.signIn(signInURL.FindString(s.cli("customer", "person", "add", "acme", "ana", "--role", "owner", "--name", "Ana Baker")))
	anna.sees("Line 2001 is locked")
	anna.open("/report")
	anna.fill(`textarea[name="calls"]`, "Calls to Gambia in the night; we were closed.")
	anna.press("Send it to the fraud desk")
	anna.at("code=")
	anna.open("/calls")
	_, ok := ask[bool](anna, `document.querySelectorAll("input.tick").forEach((x) => x.click()), true`)
	if !ok {
		t.Fatal("nothing can be ticked")
	}
	anna.press("Dispute the ticked calls") // in the case that the answer opened
	anna.at("/cases/" + s.number)
}

// TestAStolenLoginIsSettled: a thief plays, the ladder stops him, the owner answers the mail, reports it and disputes the calls, the desk judges, brings them down to
// cost, claims from the carrier, passes its credit on, and lets the rest be paid in instalments; the file of the case is accepted by a verifier that is not ours.
func TestAStolenLoginIsSettled(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	s := tell(t, "")
	stolen := s.steal()
	if stolen < 2 || stolen > 30 {
		t.Fatalf("%d calls passed", stolen)
	}
	s.disown()
	s.report(newVisitor(browser, t, 390, s.site))
	var calls []struct {
		Call  string
		State string
	}
	decode(t, s.cli("case", "calls", s.number, "--json"), &calls)
	if len(calls) != stolen {
		t.Fatalf("%d calls are in dispute, and the thief made %d: %+v", len(calls), stolen, calls)
	}
	s.judged("owed", stolen)
	charged := s.owes()
	s.broughtToCost(charged)
	s.claimed()
	s.paysInThree()
	s.proven()
}

// TestWhatWeLetThroughIsFree: the same with a program that forgot the IP lock. The thief calls from elsewhere, the journal says so, and the customer pays nothing of it.
func TestWhatWeLetThroughIsFree(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	s := tell(t, faulty(t, "core/account/nets.go", "return Allowed(e.Nets, addr)", "return true"))
	s.cli("line", "set", "2001", "nets=127.0.0.1/32")
	stolen := s.steal()
	s.disown()
	s.report(newVisitor(browser, t, 390, s.site))
	charged := s.owes()
	s.judged("free", stolen) // which is all that the credit needs
	x, step := s.settlement()
	if step["ours"] != step["charged"] || step["to-pay"] != 0 || x.ToPay != 0 || charged <= 0 || s.balance() != 0 {
		t.Errorf("%v is left, and a balance of %d after %d", step, s.balance(), charged)
	}
	s.proven()
}

// faulty builds the program with a text of one source file replaced.
func faulty(t *testing.T, file, sound, fault string) string {
	t.Helper()
	dir := t.TempDir()
	path, err := filepath.Abs(filepath.Join("..", file))
	must(t, err)
	text, err := os.ReadFile(path)
	must(t, err)
	if strings.Count(string(text), sound) != 1 {
		t.Fatalf("%s has %q %d times", file, sound, strings.Count(string(text), sound))
	}
	changed, overlay, built := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "ringfence")
	must(t, os.WriteFile(changed, []byte(strings.Replace(string(text), sound, fault, 1)), 0o600))
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	must(t, err)
	must(t, os.WriteFile(overlay, list, 0o600))
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", built, "ringfence/cmd/ringfence").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return built
}

// owes puts what was used on a bill, and gives the balance.
func (s *story) owes() int64 {
	s.t.Helper()
	s.cli("bill", "run", "--customer", "acme", "--now")
	if mail := s.p.one(anna, "Bill 1", 20*time.Second); !slices.Contains(mail.attached, "application/pdf") {
		s.t.Errorf("the bill's mail has %v attached", mail.attached)
	}
	return s.balance()
}

func (s *story) balance() int64 {
	s.t.Helper()
	var b struct {
		Balance int64 `json:"balance_micro"`
	}
	decode(s.t, s.cli("balance", "acme", "--json"), &b)
	return b.Balance
}

// settlement is what is owed for the case.
type settlement struct {
	Steps []struct {
		Step   string
		Amount int64 `json:"amount_micro"`
		Left   int64 `json:"left_micro"`
	}
	ToPay    int64 `json:"to_pay_with_vat_micro"`
	Disputed int64 `json:"disputed_micro"`
}

func (s *story) settlement() (x settlement, step map[string]int64) {
	s.t.Helper()
	decode(s.t, s.cli("case", "settlement", s.number, "--json"), &x)
	step = map[string]int64{}
	left := int64(0)
	for i, one := range x.Steps {
		step[one.Step] = one.Amount
		switch {
		case i == 0:
			left = one.Amount
		case one.Step != "to-pay":
			left -= one.Amount
		}
		if one.Left != left && one.Step != "to-pay" || one.Step == "to-pay" && one.Amount != left {
			s.t.Errorf("the steps do not add up: %+v", x.Steps)
		}
	}
	return x, step
}

// judged has every call of the case judged, and wants one verdict for all.
func (s *story) judged(verdict string, calls int) {
	s.t.Helper()
	s.cli("case", "judge", s.number)
	if got := strings.Count(s.cli("case", "calls", s.number, "--json"), fmt.Sprintf("%q: %q", "verdict", verdict)); got != calls {
		s.t.Fatalf("%d of %d calls are %s:\n%s", got, calls, verdict, s.cli("case", "calls", s.number, "--json"))
	}
	ruling := map[string]string{"owed": "owed", "free": "upheld"}[verdict]
	if out := s.cli("case", "decide", s.number, ruling, "The facts of the journal say so.", "--all"); strings.Contains(out, "waits for a second person") {
		s.agreed()
	}
}

// broughtToCost: what that gives away is more than one person may, so that a second one agrees; the purses stay as they are.
func (s *story) broughtToCost(charged int64) {
	t := s.t
	t.Helper()
	day := s.day("2001")
	if out := s.cli("case", "settle", s.number, "Proven fraud: you pay what the calls cost us.", "--cost"); !strings.Contains(out, "waits for a second person") {
		t.Fatal(out)
	}
	if _, step := s.settlement(); step["to-cost"] != 0 || s.balance() != charged {
		t.Errorf("one person alone brought it to cost: %v", step)
	}
	s.agreed()
	if _, step := s.settlement(); step["to-cost"] == 0 || step["to-pay"] >= step["charged"] || s.balance() >= charged {
		t.Errorf("%v, and a balance of %d after %d", step, s.balance(), charged)
	}
	if now := s.day("2001"); now != day {
		t.Errorf("the settlement changed the purse of the line: %+v, before %+v", now, day)
	}
}

// agreed has a second member of staff agree to the decision that waits.
func (s *story) agreed() {
	s.t.Helper()
	var x struct {
		Items []struct {
			N     int64
			Kind  string
			Waits bool
		}
	}
	decode(s.t, s.cli("case", "show", s.number, "--json"), &x)
	item := ""
	for _, one := range x.Items {
		if one.Waits && one.Kind == "decision" {
			item = fmt.Sprint(one.N)
		}
	}
	if _, _, err := s.tryCLI("case", "agree", s.number, item); err == nil {
		s.t.Error("somebody agreed to a decision of their own")
	}
	out, err := exec.CommandContext(s.t.Context(), program, append([]string{"case", "agree", s.number, item}, s.second...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("a second person agrees: %v: %s", err, out)
	}
}

// claimed: the carrier is asked, its invoice is compared, and what it grants is passed on, but never beyond what the customer owes.
func (s *story) claimed() {
	t := s.t
	t.Helper()
	s.cli("case", "claim", s.number)
	var c struct {
		Claimed int64 `json:"claimed_micro"`
		List    []struct{ Called string }
	}
	decode(t, s.cli("claim", "show", "1", "--json"), &c)
	if len(c.List) == 0 || c.Claimed == 0 {
		t.Fatalf("nothing is claimed: %+v", c)
	}
	letter, sheet := s.cli("claim", "letter", "1"), s.cli("claim", "sheet", "1")
	if strings.Contains(letter+sheet, "Acme") || !strings.Contains(letter, fmt.Sprintf("%d calls", len(c.List))) || !strings.Contains(sheet, c.List[0].Called) {
		t.Errorf("the letter and its sheet name a customer, or not the calls:\n%s\n%s", letter, sheet)
	}
	s.cli("claim", "send", "1")
	before := s.balance()
	_, was := s.settlement()
	s.cli("claim", "answer", "1", "0.50", "goodwill")
	_, step := s.settlement()
	if step["credit"] != 500_000 || s.balance() >= before || step["to-pay"] != was["to-pay"]-500_000 {
		t.Errorf("the credit is not passed on: %v after %v, and a balance of %d after %d", step, was, s.balance(), before)
	}
}

// paysInThree: three instalments add up to what is left; each reference is paid in once, and the last payment closes the plan.
func (s *story) paysInThree() {
	t := s.t
	t.Helper()
	var plan struct {
		ID          int64
		State       string
		Amount      int64 `json:"amount_micro"`
		Instalments []struct {
			Amount int64 `json:"amount_micro"`
		}
	}
	decode(t, s.cli("case", "plan", s.number, "3", "--first", "+30d", "--json"), &plan)
	sum := int64(0)
	for _, one := range plan.Instalments {
		sum += one.Amount
	}
	x, _ := s.settlement()
	if len(plan.Instalments) != 3 || sum != plan.Amount || sum != x.ToPay {
		t.Fatalf("%+v for %d", plan, x.ToPay)
	}
	id := fmt.Sprint(plan.ID)
	pounds := fmt.Sprintf("%d.%02d", sum/1_000_000, sum/10_000%100)
	s.cli("payment", "add", "acme", pounds, "BACS 1")
	s.cli("plan", "pay", id, "BACS 1")
	if _, _, err := s.tryCLI("payment", "add", "acme", pounds, "bacs 1"); err == nil {
		t.Error("a reference was booked twice")
	}
	decode(t, s.cli("plan", "show", id, "--json"), &plan)
	if plan.State != "paid" || s.balance() > 0 {
		t.Errorf("the plan is %s, and %d is owed", plan.State, s.balance())
	}
}

// proven: a verifier without packages accepts the file of the case, and no copy of it that somebody changed.
func (s *story) proven() {
	t := s.t
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		without(t, "no python3 here: apt-get install python3")
	}
	dir, archive := t.TempDir(), filepath.Join(t.TempDir(), "case.zip")
	s.cli("case", "export", s.number, "--output", archive)
	unzip(t, archive, dir)
	verify := func(seen ...string) (string, error) {
		args := append([]string{filepath.Join(dir, "verify.py"), filepath.Join(dir, "journal.evidence"), "--files", filepath.Join(dir, "files.signed")}, seen...)
		out, err := exec.CommandContext(t.Context(), "python3", args...).CombinedOutput()
		return string(out), err
	}
	// The customer has a mail from before, which names a checkpoint that the file must have.
	bill := s.p.one(anna, "Bill 1", time.Second)
	mark := bill.header.Get("Ringfence-Checkpoint")
	if mark == "" || !strings.Contains(bill.text, mark) || !strings.Contains(bill.html, mark) {
		t.Errorf("the mail of the bill has the mark %q: %s", mark, bill.text)
	}
	if out, err := verify("--seen", mark); err != nil || !strings.Contains(out, "good") {
		t.Fatalf("%v: %s", err, out)
	}
	last := "0"
	if strings.HasSuffix(mark, last) {
		last = "1"
	}
	other := mark[:len(mark)-1] + last
	if out, err := verify("--seen", other); err == nil {
		t.Errorf("a checkpoint that the journal never had, %s, is in the file: %s", other, out)
	}
	file := filepath.Join(dir, "journal.evidence")
	good, err := os.ReadFile(file)
	must(t, err)
	for name, tamper := range map[string]func(lines []string, rows []int) []string{
		"changed": func(lines []string, _ []int) []string {
			return strings.Split(strings.Replace(strings.Join(lines, "\n"), "2203123456", "2203123457", 1), "\n")
		},
		"removed":  func(lines []string, rows []int) []string { return slices.Delete(lines, rows[0], rows[0]+1) },
		"inserted": func(lines []string, rows []int) []string { return slices.Insert(lines, rows[0], lines[rows[0]]) },
		"reordered": func(lines []string, rows []int) []string {
			lines[rows[0]], lines[rows[1]] = lines[rows[1]], lines[rows[0]]
			return lines
		},
		"back-dated": backDated,
	} {
		lines := strings.Split(string(good), "\n")
		var rows []int
		for i, l := range lines {
			if strings.HasPrefix(l, "row\t") {
				rows = append(rows, i)
			}
		}
		must(t, os.WriteFile(file, []byte(strings.Join(tamper(lines, rows), "\n")), 0o600))
		if out, err := verify(); err == nil || strings.Contains(out, "good\n") {
			t.Errorf("a file with a row %s is accepted: %s", name, out)
		}
	}
	must(t, os.WriteFile(file, good, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "records.csv"), []byte("call\n"), 0o600))
	if out, err := verify(); err == nil {
		t.Errorf("other records are accepted: %s", out)
	}
}

// backDated makes the first row a day older.
func backDated(lines []string, rows []int) []string {
	parts := strings.Split(lines[rows[0]], "\t")
	if at, err := strconv.ParseInt(parts[3], 10, 64); err == nil {
		parts[3] = strconv.FormatInt(at-86_400_000_000, 10)
	}
	lines[rows[0]] = strings.Join(parts, "\t")
	return lines
}

func unzip(t *testing.T, archive, dir string) {
	t.Helper()
	z, err := zip.OpenReader(archive)
	must(t, err)
	defer z.Close()
	for _, f := range z.File {
		to := filepath.Join(dir, filepath.FromSlash(f.Name))
		must(t, os.MkdirAll(filepath.Dir(to), 0o700))
		r, err := f.Open()
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		must(t, os.WriteFile(to, text, 0o600))
	}
}
