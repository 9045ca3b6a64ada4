package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/sethvargo/go-diceware/diceware"
	"pgregory.net/rapid"
)

func TestGenerate(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+(-[a-z]+){5,11}$`) // a few words have a '-' of their own: "felt-tip"
	seen := map[string]bool{}
	for range 200 {
		p, err := Generate()
		if err != nil {
			t.Fatal(err)
		}
		text := p.Reveal()
		if !form.MatchString(text) || len(text) > 64 || seen[text] {
			t.Fatalf("%q", text)
		}
		seen[text] = true
		if err := Check(p, Context{LineID: "1001", Number: "442079460000", CustomerName: "Acme Ltd"}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestGeneratedEntropy proves the figure of 77 bits: the list has its 7,776 different words, no two choices of words join
// to the same text (no word begins another, so a text can be taken apart in one way only), and six are drawn.
func TestGeneratedEntropy(t *testing.T) {
	seen := map[string]bool{}
	for roll := 11111; roll <= 66666; roll++ {
		if w := diceware.WordListEffLarge().WordAt(roll); w != "" {
			seen[w] = true
		}
	}
	for w := range seen {
		for i := 1; i < len(w); i++ {
			if seen[w[:i]] {
				t.Errorf("%q begins %q", w[:i], w)
			}
		}
	}
	bits := 0.0
	for i := range words {
		bits += math.Log2(float64(len(seen) - i))
	}
	if len(seen) != 7776 || bits < 77 {
		t.Errorf("%d words, %.2f bits", len(seen), bits)
	}
}

func TestWeakPasswordsAreRefused(t *testing.T) {
	about := Context{LineID: "reception.2", Number: "442079460018", CustomerName: "Wobblethorpe Plumbing"}
	for _, c := range []struct{ text, reason string }{
		{"", "too short"},
		{"x9$Kq2!", "too short"},
		{strings.Repeat("x9$Kq2!vB7&m", 11), "too long"},
		{"gravel unzip lilac tidy oxford", "phones store in different ways"},
		{"gravel\"unzip\"lilac\"tidy\"oxford", "phones store in different ways"},
		{"gravel-ünzip-lilac-tidy-oxford", "phones store in different ways"},
		{"gravel-unzip-lilac-tidy-oxford\n", "phones store in different ways"},
		{"admin", "come with"},
		{"Yealink2024!!!", "come with"},
		{"eLaStIx.2oo7", "come with"},
		{"ClueCon12345", "come with"},
		{"Ch@ngeMe1!", "come with"},
		{"password123456", "breached"},
		{"P@ssw0rd123456!", "breached"},
		{"1234567890", "breached"},
		{"x9$Kq2!vB7&m-02079460018", "own number"},
		{"x9$Kq2!vB7&m+442079460018", "own number"},
		{"x9$Kq2!vB7&m(020)7946-0018", "own number"},
		{"x9$Kq2!vB7&m-8100649702", "own number"},
		{"x9$Kq2!vB7&m-460018", "own number"},
		{"x9$Kq2!vB7&mReception.2", "own user name"},
		{"x9$Kq2!vB7&m2.noitpecer", "own user name"},
		{"Wobblethorpe-Plumbing-2026", "guessed offline"},
		{"tr0ub4dor&3", "guessed offline"},
		{"Tr0ub4dor&3!x", "guessed offline"},
		{"correcthorsebatterystaple", "guessed offline"},
		{"CorrectHorseBatteryStaple1!", "guessed offline"},
		{"gravel-unzip-lilac-tidy", "guessed offline"},
		{"qwertyuiop[]asdf", "guessed offline"},
		{"1qaz2wsx3edc4rfv5tgb", "guessed offline"},
		{"!QAZ@WSX#EDC$RFV%TGB", "guessed offline"},
		{"zxcvbnm,./asdfghjkl", "guessed offline"},
		{"abcdefghijklmnopqrstuvwxyz", "guessed offline"},
		{"98765432109876543210", "guessed offline"},
		{"a1b2c3d4e5f6g7h8i9j0", "guessed offline"},
		{"aaaaaaaaaaaaaaaaaaaaaaaa", "guessed offline"},
		{strings.Repeat("abcdefg1990", 11), "guessed offline"},
		{strings.Repeat("x9$K", 20), "guessed offline"},
		{"20242025202620272028", "guessed offline"},
		{"Summer2024!London", "guessed offline"},
		{"ilovemywifeverymuch", "guessed offline"},
		{"thequickbrownfoxjumps", "guessed offline"},
		{"MyC0mpanyPh0ne2026", "guessed offline"},
		{"Liverpool-Football-Club-1892", "guessed offline"},
		{"drowssapdrowssap", "guessed offline"},
		{"hunter2hunter2hunter2", "guessed offline"},
	} {
		err := Check(NewPassword(c.text), about)
		var weak *Weak
		if !errors.As(err, &weak) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%.40q: %v (want %q)", c.text, err, c.reason)
			continue
		}
		if c.text != "" && strings.Contains(err.Error(), c.text) {
			t.Errorf("the error gives the password away: %v", err)
		}
	}
}

func TestStrongPasswordsPass(t *testing.T) {
	for _, text := range []string{
		"gravel-unzip-lilac-tidy-oxford", "Gravel.Unzip.Lilac.Tidy.Oxford", "x9$Kq2!vB7&mTz4", "k3VqZp8nWx2RbTf7Y", "f3a91c07be5d2846a1c9e07b",
	} {
		if err := Check(NewPassword(text), Context{LineID: "1001", Number: "442079460018"}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestLongTextsAreNotEstimated: nobody makes the check slow with a text made for it.
func TestLongTextsAreNotEstimated(t *testing.T) {
	var weak *Weak
	if err := Check(NewPassword(strings.Repeat("4@8({[<36!1|0$5+7%2", 10_000)), Context{}); !errors.As(err, &weak) || weak.Bits != 0 {
		t.Errorf("%v: an over-long text was looked at", err)
	}
}

// FuzzCheck: any text gets an answer, without a panic, and none that repeats it.
// Check is Judge where it does not matter how strong a password is that passes.
func Check(p Password, c Context) error {
	_, err := Judge(p, c)
	return err
}

func FuzzCheck(f *testing.F) {
	f.Add("gravel-unzip-lilac", "1001", "442079460018", "Acme")
	f.Add("4@8({[<36!1|0$5+7%2", "é", "", "\x00")
	f.Fuzz(func(t *testing.T, text, id, number, name string) {
		err := Check(NewPassword(text), Context{LineID: id, Number: number, CustomerName: name})
		var weak *Weak
		if err != nil && (!errors.As(err, &weak) || len(weak.Reasons) == 0 || math.IsNaN(weak.Bits)) {
			t.Fatal(err)
		}
		if err == nil && len(text) < MinLength {
			t.Fatalf("%q passed", text)
		}
	})
}

func testKeys(t testing.TB, n int) []Key {
	keys := make([]Key, n)
	for i := range keys {
		var err error
		if keys[i], err = NewKey(); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

func box(t testing.TB, keys ...Key) *Box {
	b, err := NewBox(keys)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealAndOpen(t *testing.T) {
	keys := testKeys(t, 2)
	b := box(t, keys[0])
	sealed, err := b.Seal(LineOwner("1001"), NewPassword("hunter2"))
	if err != nil || bytes.Contains(sealed, []byte("hunter2")) {
		t.Fatalf("%x %v", sealed, err)
	}
	if p, err := b.Open(LineOwner("1001"), sealed); err != nil || p.Reveal() != "hunter2" {
		t.Fatal(p.Reveal(), err)
	}
	if _, err := b.Open(LineOwner("1002"), sealed); !errors.Is(err, ErrSealed) {
		t.Error("another line opened it", err)
	}
	if _, err := b.Open(TrunkOwner("1001"), sealed); !errors.Is(err, ErrSealed) {
		t.Error("a trunk of the same name opened it", err)
	}
	if _, err := box(t, keys[1]).Open(LineOwner("1001"), sealed); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
	if again, _ := b.Seal(LineOwner("1001"), NewPassword("hunter2")); bytes.Equal(again, sealed) {
		t.Error("two sealings are alike")
	}
}

// TestAnyChangeIsSeen flips every bit of a sealed secret, the owner inside it among them, and cuts it at every length.
func TestAnyChangeIsSeen(t *testing.T) {
	b := box(t, testKeys(t, 1)...)
	sealed, _ := b.Seal(LineOwner("1001"), NewPassword("hunter2"))
	for i := range sealed {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			_, err1 := b.Open(LineOwner("1001"), bad)
			_, err2 := b.Reseal(bad)
			if err1 == nil || err2 == nil {
				t.Fatalf("byte %d bit %d: changed unseen", i, bit)
			}
		}
		if _, err := b.Open(LineOwner("1001"), sealed[:i]); err == nil {
			t.Fatalf("cut to %d bytes unseen", i)
		}
	}
}

func TestRotation(t *testing.T) {
	keys := testKeys(t, 2)
	old, both, fresh := box(t, keys[0]), box(t, keys...), box(t, keys[1])
	sealed, _ := old.Seal(TrunkOwner("north"), NewPassword("hunter2"))
	if _, err := both.Open(TrunkOwner("north"), sealed); err != nil {
		t.Error("the old key no longer opens:", err)
	}
	moved, err := both.Reseal(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := fresh.Open(TrunkOwner("north"), moved); err != nil || p.Reveal() != "hunter2" {
		t.Error("not sealed with the newest key:", err)
	}
	if again, err := both.Reseal(moved); err != nil || !bytes.Equal(again, moved) {
		t.Error("resealed twice:", err)
	}
}

func TestKeysInText(t *testing.T) {
	keys := testKeys(t, 3)
	back, err := ParseKeys(FormatKeys(keys))
	if err != nil || len(back) != 3 || back[2].ID() != keys[2].ID() {
		t.Fatal(len(back), err)
	}
	hexKey := "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	a, err1 := ParseKey(hexKey)
	b, err2 := ParseKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err1 != nil || err2 != nil || a.ID() != b.ID() {
		t.Error("hexadecimal and base64 differ", err1, err2)
	}
	for name, bad := range map[string]string{
		"nothing": "", "only a comment": "# key\n", "short": hexKey[:62], "words": "correct horse", "zero": strings.Repeat("0", 64),
		"twice": hexKey + "\n" + hexKey, "endless": strings.Repeat("#", 1<<15), "second bad": hexKey + "," + hexKey[:60],
	} {
		_, err := ParseKeys([]byte(bad))
		if !errors.Is(err, ErrKey) || strings.Contains(err.Error(), hexKey[:20]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, keys := range [][]Key{nil, make([]Key, 1), make([]Key, MaxKeys+1)} {
		if _, err := NewBox(keys); !errors.Is(err, ErrKey) {
			t.Error(err)
		}
	}
}

// TestNothingPrints puts every secret type through every way of printing.
func TestNothingPrints(t *testing.T) {
	k, _ := ParseKey("68696464656e2d6b65792d6869646465000102030405060708090a0b0c0d0e0f") // "hidden-key-hidde" first
	h := NewHA1("1001", "example", NewPassword("hunter2"))
	b := box(t, k)
	type inside struct {
		P Password
		K Key
		H HA1
		B *Box
	}
	holder := inside{NewPassword("hunter2"), k, h, b}
	var out strings.Builder
	for _, v := range []any{holder.P, &holder.P, k, &k, []Key{k}, h, &h, b, map[string]any{"x": holder.P}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprint(&out, v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		if body, err := json.Marshal(v); err == nil {
			out.Write(body)
		}
	}
	hidden := struct {
		p Password
		k Key
		m map[string]Password
	}{holder.P, k, map[string]Password{"x": holder.P}}
	fmt.Fprintf(&out, "%+v %#v %+v %#v", holder, holder, hidden, hidden)
	for _, leak := range []string{"hunter2", "hidden", "68696464", "104 105 100", "104, 105, 100", "0x68, 0x69", fmt.Sprintf("%x", h.MD5[:4]), fmt.Sprintf("%d", h.MD5[:3])} {
		if strings.Contains(out.String(), strings.Trim(leak, "[]")) {
			t.Errorf("printed %q", leak)
		}
	}
}

func TestHA1(t *testing.T) {
	// RFC 8760 and RFC 7616 3.9.1: Mufasa at http-auth@example.org with "Circle of Life"
	h := NewHA1("Mufasa", "http-auth@example.org", NewPassword("Circle of Life"))
	if got := fmt.Sprintf("%x", h.MD5[:]); got != "3d78807defe7de2157e2b0b6573a855f" {
		t.Error("MD5", got)
	}
	if got := fmt.Sprintf("%x", h.SHA256[:]); got != "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232" {
		t.Error("SHA-256", got)
	}
}

func TestSealRoundTrip(t *testing.T) {
	b := box(t, testKeys(t, 1)...)
	rapid.Check(t, func(t *rapid.T) {
		owner, text := LineOwner(rapid.StringN(1, 20, 64).Draw(t, "owner")), rapid.StringN(0, 100, 200).Draw(t, "text")
		sealed, err := b.Seal(owner, NewPassword(text))
		if err != nil {
			t.Fatal(err)
		}
		if p, err := b.Open(owner, sealed); err != nil || p.Reveal() != text {
			t.Fatal(err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	p, c := NewPassword("Gravel.Unzip.Lilac.Tidy.Oxford"), Context{LineID: "1001", Number: "442079460018", CustomerName: "Acme Ltd"}
	theModel()
	for b.Loop() {
		_ = Check(p, c)
	}
}

func BenchmarkOpen(b *testing.B) {
	bx := box(b, testKeys(b, 1)...)
	sealed, _ := bx.Seal(LineOwner("1001"), NewPassword("gravel-unzip-lilac-tidy-oxford-sand"))
	for b.Loop() {
		if _, err := bx.Open(LineOwner("1001"), sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDerivedKeys(t *testing.T) {
	keys := testKeys(t, 2)
	before, after := box(t, keys[0]), box(t, keys...)
	if len(before.Derive("links")) != 32 || !bytes.Equal(before.Derive("links"), after.Derive("links")) {
		t.Error("a rotation changes what was derived")
	}
	for _, k := range [][]byte{before.Derive("webhooks"), box(t, keys[1]).Derive("links")} {
		if bytes.Equal(k, before.Derive("links")) {
			t.Error("another purpose or key gives the same key")
		}
	}
}

// What is of the generator's form is told from what merely looks like it, and what people choose is beyond guessing only
// where it is as strong.
func TestBeyondGuessing(t *testing.T) {
	for range 100 {
		p, err := Generate()
		if err != nil || !LikeGenerated(p) {
			t.Fatalf("%q %v", p.Reveal(), err)
		}
	}
	for text, want := range map[string]bool{
		"gravel-unzip-lilac-tidy-oxford-sand": false, "gravel-gravel-gravel-gravel-gravel-gravel": false, "gravel-unzip": false, "": false,
		"drop-down-yo-yo-felt-tip-t-shirt-lilac-gravel": true, strings.Repeat("gravel-", 1000): false,
	} {
		if got := LikeGenerated(NewPassword(text)); got != want {
			t.Errorf("of the generator's form, %.60q: %v", text, got)
		}
	}
	known := Context{LineID: "2001", Number: "442079460000", CustomerName: "Acme Ltd"}
	for text, want := range map[string]bool{
		"vT7#qLm9!zRw4%Kx2pBn8": true, "Purple.Elephant.Sings.42": false, "correcthorsebatterystaple": false, "Acme-Ltd-442079460000-telephone-2001-Acme": false,
		strings.Repeat("x", 5000): false, "": false,
	} {
		if got := BeyondGuessing(NewPassword(text), known); got != want {
			t.Errorf("beyond guessing, %.60q: %v", text, got)
		}
	}
}

// Walks, sequences and dates cost an attacker little, wherever they stand; what only looks like one does not.
func TestPatterns(t *testing.T) {
	for text, atMost := range map[string]float64{
		"qwertyuiop": 12, "zaq12wsx": 24, "14789632": 20, "258": math.Inf(1), "abcdefgh": 6, "97531": 9, "zyxwv": 6,
		"24/12/1998": 18, "24121998": 16, "1998-12-24": 18, "1.2.03": 18,
	} {
		if got := patternBits(text); got > atMost {
			t.Errorf("%q: %.1f bits, at most %v wanted", text, got, atMost)
		}
	}
	for _, text := range []string{"", "a", "abd", "qpwo", "29481750", "31/31/1998", "1/2/3/4", "\xff\xfe\xfd\xfc", "£££££"} {
		if got := patternBits(text); !math.IsInf(got, 1) {
			t.Errorf("%q: %.1f bits, but it is no pattern", text, got)
		}
	}
}
