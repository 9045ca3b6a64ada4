package voice

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"ringfence/core/money"
)

func TestG711(t *testing.T) {
	for i := range 256 {
		u := byte(i)
		if got := uLaw(fromULaw[u]); got != u && fromULaw[u] != 0 {
			t.Errorf("µ-law %#x is %d, which is %#x again", u, fromULaw[u], got)
		}
		if got := aLaw(fromALaw[u]); got != u {
			t.Errorf("A-law %#x is %d, which is %#x again", u, fromALaw[u], got)
		}
	}
	// ITU-T G.711 tables 1a and 2a: the loudest sample of each law.
	if fromULaw[0x80] != 32124 || fromULaw[0x00] != -32124 || fromALaw[0xaa] != 32256 || fromALaw[0x2a] != -32256 {
		t.Errorf("loudest: µ %d %d, A %d %d", fromULaw[0x80], fromULaw[0x00], fromALaw[0xaa], fromALaw[0x2a])
	}
}

// tone is a key as it is heard: ms long, at a level, with an error of its frequencies and noise.
func tone(key byte, ms int, dBm, off, noise float64) []int16 {
	i := strings.IndexByte(keypad, key)
	row, column := rows[i/4]*(1+off), columns[i%4]*(1+off)
	each := 32124 * math.Pow(10, (dBm-3.17-3)/20) // 3.17 dBm0 is full scale, and there are two
	r := rand.New(rand.NewPCG(1, uint64(i)))
	out := make([]int16, ms*8)
	for n := range out {
		at := float64(n) / 8000
		out[n] = int16(each*(math.Sin(2*math.Pi*row*at)+math.Sin(2*math.Pi*column*at)) + each*noise*r.NormFloat64())
	}
	return out
}

func hears(samples []int16) string {
	var l listener
	keys := ""
	l.hear(samples, func(k byte) { keys += string(k) })
	return keys
}

func TestInBandKeys(t *testing.T) {
	gap := make([]int16, 8*60)
	for _, c := range []struct {
		name             string
		ms               int
		level, off, loud float64
	}{
		{"loud", 100, 0, 0, 0}, {"quiet", 100, -25, 0, 0}, {"short", 50, -10, 0, 0}, {"high", 100, -10, 0.015, 0}, {"low", 100, -10, -0.015, 0}, {"noisy", 100, -10, 0, 0.15},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []int16
			for i := range len(keypad) {
				all = append(append(all, tone(keypad[i], c.ms, c.level, c.off, c.loud)...), gap...)
			}
			if got := hears(all); got != keypad {
				t.Errorf("heard %q, want %q", got, keypad)
			}
		})
	}
	same := slices.Concat(tone('5', 80, -10, 0, 0), gap, tone('5', 80, -10, 0, 0))
	if got := hears(same); got != "55" {
		t.Errorf("one key twice: %q", got)
	}
	if got := hears(tone('5', 3000, -10, 0, 0)); got != "5" {
		t.Errorf("one long key: %q", got)
	}
	for _, off := range []float64{0.04, -0.04} {
		if got := hears(tone('1', 200, -10, off, 0)); got != "" {
			t.Errorf("frequencies that are off by %g: %q", off, got)
		}
	}
}

// TestSpeechIsNoKey: our own voice comes back as an echo, and callers speak.
func TestSpeechIsNoKey(t *testing.T) {
	clips, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	heard := 0
	for name, clip := range clips {
		samples := make([]int16, len(clip))
		for i, u := range clip {
			samples[i] = fromULaw[u]
		}
		heard += len(samples)
		if got := hears(samples); got != "" {
			t.Errorf("the prompt %s is heard as %q", name, got)
		}
	}
	if heard < 8000*20 {
		t.Errorf("only %d samples of speech", heard)
	}
	if got := hears(make([]int16, 8000)); got != "" {
		t.Errorf("silence is heard as %q", got)
	}
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]int16, 8000*20)
	for i := range noise {
		noise[i] = int16(8000 * r.NormFloat64() / 3)
	}
	if got := hears(noise); got != "" {
		t.Errorf("noise is heard as %q", got)
	}
}

func TestWhatIsSaid(t *testing.T) {
	for _, c := range []struct {
		q    Question
		in   string
		want string
	}{
		{Question{Press: "472", Rate: 155 * money.PencePerMinute / 10, Left: -1}, "GBP", "costs fifteen point five pence a-minute"},
		{Question{Rate: 1 * money.PencePerMinute, Left: 12_400_000}, "GBP", "costs one penny a-minute you-have twelve pounds and forty pence left-today"},
		{Question{Rate: 120 * money.PencePerMinute, Connect: 550_000, Left: 999}, "GBP", "costs one pound and twenty pence a-minute and fifty five pence to-connect you-have zero pence left-today"},
		{Question{Rate: 100*money.PencePerMinute + 1, Left: -1}, "GBP", "costs one pound and one penny a-minute"},
		{Question{Rate: money.PencePerMinute / 100, Left: -1}, "EUR", "costs zero point one cents a-minute"},
		{Question{Rate: 250000 * money.PencePerMinute, Left: -1}, "EUR", "costs two thousand five hundred euros a-minute"},
		{Question{Left: 5}, "GBP", "free"},
		{Question{Rate: 10 * money.PencePerMinute, Left: 5}, "JPY", "charged"},
	} {
		if got := strings.Join(c.q.price(c.in), " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
	q := Question{Press: "472"}
	if got := strings.Join(q.press(), " "); got != "to-go-on-press four seven two" {
		t.Error(got)
	}
	all := Texts()
	for n := range int64(20_000) {
		for _, word := range number(n) {
			if all[word] == "" {
				t.Fatalf("%d: there is no prompt %q", n, word)
			}
		}
	}
}

func TestPrompts(t *testing.T) {
	pcm := WAV([]int16{1, 2, 3, 4})
	long := WAV(make([]int16, maxClip+1))
	for _, c := range []struct {
		name string
		file []byte
		ok   bool
	}{
		{"good", pcm, true},
		{"long", long, false},
		{"empty", WAV(nil), false},
		{"text", []byte("RIFF"), false},
		{"cut", pcm[:30], false},
		{"rate", bytes.Replace(pcm, binary.LittleEndian.AppendUint32(nil, 8000), binary.LittleEndian.AppendUint32(nil, 16000), 1), false},
	} {
		_, err := load(fstest.MapFS{"costs.wav": &fstest.MapFile{Data: c.file}})
		if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "costs.wav") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := New(Options{Prompts: fstest.MapFS{"other.wav": &fstest.MapFile{}}}); err != nil {
		t.Errorf("a file of another name: %v", err)
	}
	var _ fs.FS = builtin
}

func TestSDP(t *testing.T) {
	const head = "v=0\r\no=x 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
	for _, c := range []struct{ name, body, want string }{
		{"both", head + "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n", "m=audio 9 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"},
		{"dynamic", head + "m=audio 4000 RTP/AVP 9 97\r\na=rtpmap:97 pcmu/8000/1\r\n", "m=audio 9 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"},
		{"video first", head + "m=video 5000 RTP/AVP 96\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n", "m=video 0 RTP/AVP 96\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=recvonly\r\n"},
		{"encrypted", head + "m=audio 4000 RTP/SAVP 0\r\n", ""},
		{"refused", head + "m=audio 0 RTP/AVP 0\r\n", ""},
		{"other codecs", head + "m=audio 4000 RTP/AVP 18 9\r\n", ""},
		{"redefined", head + "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 opus/48000\r\n", ""},
		{"no address", "v=0\r\nm=audio 4000 RTP/AVP 0\r\n", ""},
		{"a name", "v=0\r\nc=IN IP4 phone.example\r\nm=audio 4000 RTP/AVP 0\r\n", ""},
		{"port", head + "m=audio 99999 RTP/AVP 0\r\n", ""},
		{"long", head + strings.Repeat("a=x\r\n", 9000) + "m=audio 4000 RTP/AVP 0\r\n", ""},
		{"many", head + strings.Repeat("m=audio 4000 RTP/AVP 0\r\n", 50), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := readSDP([]byte(c.body))
			if c.want == "" {
				if !errors.Is(err, ErrCodec) {
					t.Fatalf("%+v %v", h, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := string(ours(&h, netip.MustParseAddrPort("192.0.2.1:9"), 1, 1))
			if _, media, _ := strings.Cut(got, "t=0 0\r\n"); media != c.want {
				t.Errorf("%q\nwant %q", media, c.want)
			}
		})
	}
}

func FuzzSDP(f *testing.F) {
	f.Add([]byte("v=0\r\nc=IN IP4 192.0.2.7\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := readSDP(body)
		if err != nil {
			return
		}
		again, err := readSDP(ours(&h, netip.MustParseAddrPort("192.0.2.1:9"), 1, 1))
		if err != nil || len(again.media) != len(h.media) || again.codec != h.codec || again.alaw != h.alaw {
			t.Errorf("%q gives an answer of another shape: %v", body, err)
		}
	})
}

func FuzzRTP(f *testing.F) {
	f.Add(appendRTP(nil, 0, true, 1, 2, 3))
	f.Add([]byte{0xbf, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, ok := parseRTP(b); ok && len(p.body) > len(b)-headerLen {
			t.Errorf("%d octets of %d", len(p.body), len(b))
		}
	})
}

// wire is a socket in memory: what the voice sends comes to out.
type wire struct {
	in   chan []byte
	from netip.AddrPort
	done chan struct{}
	once sync.Once
	mu   sync.Mutex // owns the rest
	out  []byte     // µ-law of all packets
	to   net.Addr
	n    int
}

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-w.in:
		return copy(b, p), net.UDPAddrFromAddrPort(w.from), nil
	case <-w.done:
		return 0, nil, net.ErrClosed
	}
}

func (w *wire) WriteTo(b []byte, to net.Addr) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out, w.to = append(w.out, b[headerLen:]...), to
	w.n++
	return len(b), nil
}
func (w *wire) Close() error                     { w.once.Do(func() { close(w.done) }); return nil }
func (w *wire) LocalAddr() net.Addr              { return &net.UDPAddr{IP: net.IPv4zero, Port: 40000} }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

func (w *wire) heard() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.out)
}

// event is a key as a phone sends it: three packets while it is down, and the end three times.
func (w *wire) event(key byte, at uint32) {
	for i := range 6 {
		end := byte(10)
		if i >= 3 {
			end |= 0x80
		}
		b := appendRTP(nil, 101, i == 0, uint16(at)+uint16(i), at, 7)
		w.in <- append(b, byte(strings.IndexByte(eventKeys, key)), end, 0, byte(i*160%256))
	}
}

// audio is a key in band, as µ-law, in packets of 20 ms.
func (w *wire) audio(samples []int16) {
	for i, chunk := range slices.Collect(slices.Chunk(samples, frame)) {
		b := appendRTP(nil, 0, false, uint16(i), uint32(i*frame), 7)
		for _, s := range chunk {
			b = append(b, uLaw(s))
		}
		w.in <- b
		time.Sleep(frameTime)
	}
}

const offer = "v=0\r\no=x 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"

// asking puts a question in virtual time.
func asking(t *testing.T, q Question, test func(s *Session, w *wire, result func() *Result)) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{in: make(chan []byte, 100), from: netip.MustParseAddrPort("192.0.2.7:4000"), done: make(chan struct{})}
		v, err := New(Options{Open: func(netip.AddrPort) (net.PacketConn, error) { return w, nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		var mu sync.Mutex
		var got []Result
		s, sdp, err := v.Ask([]byte(offer), netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.1"), q, func(r Result) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, r)
		})
		if err != nil || !strings.Contains(string(sdp), "m=audio 40000 RTP/AVP 0 101") || !strings.Contains(string(sdp), "c=IN IP4 192.0.2.1") {
			t.Fatalf("%s %v", sdp, err)
		}
		test(s, w, func() *Result {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			switch len(got) {
			case 0:
				return nil
			case 1:
				return &got[0]
			}
			t.Fatalf("%d results", len(got))
			return nil
		})
	})
}

var dear = Question{Press: "472", Rate: 90 * money.PencePerMinute, Left: 8_500_000}

// listen waits until the digits have been spoken, and gives them.
func listen(t *testing.T, w *wire) string {
	t.Helper()
	for range 3000 {
		time.Sleep(frameTime)
		if digits := Listen(Linear(w.heard())); len(digits) == 3 {
			time.Sleep(3 * frameTime)
			return digits
		}
	}
	t.Fatal("no digits were spoken within a minute")
	return ""
}

func TestRightDigits(t *testing.T) {
	t.Run("events", func(t *testing.T) {
		asking(t, dear, func(s *Session, w *wire, result func() *Result) {
			time.Sleep(time.Second)
			if len(w.heard()) != 0 {
				t.Fatal("it spoke before it was to begin")
			}
			s.Begin()
			digits := listen(t, w)
			if digits != "472" || result() != nil {
				t.Fatalf("heard %q, and there is a result: %v", digits, result())
			}
			for i := range digits {
				w.event(digits[i], uint32(1000*(i+1)))
				time.Sleep(200 * time.Millisecond)
			}
			if r := result(); r == nil || *r != (Result{Outcome: Passed, Heard: true}) {
				t.Errorf("%+v", r)
			}
		})
	})
	t.Run("tones", func(t *testing.T) {
		asking(t, dear, func(s *Session, w *wire, result func() *Result) {
			s.Begin()
			listen(t, w)
			for _, key := range []byte("472") {
				w.audio(append(tone(key, 100, -12, 0, 0.05), make([]int16, 800)...))
			}
			if r := result(); r == nil || r.Outcome != Passed {
				t.Errorf("%+v", r)
			}
		})
	})
	t.Run("signalling", func(t *testing.T) {
		asking(t, dear, func(s *Session, w *wire, result func() *Result) {
			s.Begin()
			listen(t, w)
			for _, key := range []byte("9*472") { // the star takes back what was typed
				s.Press(key)
			}
			time.Sleep(2 * frameTime)
			if r := result(); r == nil || r.Outcome != Passed || r.Heard {
				t.Errorf("%+v", r)
			}
		})
	})
}

// TestAKeyCountsOnce: a phone may send a key as an event and as a tone.
func TestAKeyCountsOnce(t *testing.T) {
	asking(t, Question{Press: "44"}, func(s *Session, w *wire, result func() *Result) {
		s.Begin()
		time.Sleep(20 * time.Second)
		w.event('4', 1000)
		w.audio(append(tone('4', 100, -12, 0, 0), make([]int16, 800)...))
		w.event('4', 1000)
		time.Sleep(time.Second)
		if r := result(); r != nil {
			t.Fatalf("one key was two: %+v", r)
		}
		w.event('4', 3000)
		time.Sleep(time.Second)
		if r := result(); r == nil || r.Outcome != Passed {
			t.Errorf("%+v", r)
		}
	})
}

func TestWrongDigits(t *testing.T) {
	asking(t, dear, func(s *Session, w *wire, result func() *Result) {
		s.Begin()
		listen(t, w)
		for try := range 3 {
			for i := range 3 {
				w.event('0', uint32(10_000*try+1000*i+500))
				time.Sleep(200 * time.Millisecond)
			}
			if r := result(); r != nil {
				t.Fatalf("it ended before its last words were spoken: %+v", r)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second)
		if r := result(); r == nil || *r != (Result{Outcome: Wrong, Wrong: 3, Heard: true}) {
			t.Errorf("%+v", r)
		}
		if clip := s.v.clips["goodbye"]; !bytes.Contains(w.heard(), clip) {
			t.Error("it did not say goodbye")
		}
	})
}

// TestHastyKeys: who presses digits before they have been spoken cannot know them, and does not pass by them.
func TestHastyKeys(t *testing.T) {
	asking(t, dear, func(s *Session, w *wire, result func() *Result) {
		s.Begin()
		for i, key := range []byte("472") {
			w.event(key, uint32(1000*(i+1)))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(58 * time.Second)
		if r := result(); r != nil && r.Outcome == Passed {
			t.Fatalf("%+v", r)
		}
		time.Sleep(5 * time.Second)
		if r := result(); r == nil || r.Outcome != Silent || r.Hasty != 3 {
			t.Errorf("%+v", r)
		}
	})
	asking(t, Question{Press: "1"}, func(s *Session, w *wire, result func() *Result) { // the one key is always the same
		s.Begin()
		time.Sleep(100 * time.Millisecond)
		w.event('1', 1000)
		time.Sleep(100 * time.Millisecond)
		if r := result(); r == nil || r.Outcome != Passed {
			t.Errorf("%+v", r)
		}
	})
}

func TestSilenceEnds(t *testing.T) {
	asking(t, dear, func(s *Session, w *wire, result func() *Result) {
		s.Begin()
		time.Sleep(61 * time.Second)
		if r := result(); r == nil || r.Outcome != Silent || r.Heard {
			t.Errorf("%+v", r)
		}
		if n := bytes.Count(w.heard(), s.v.clips["to-go-on-press"]); n < 2 || n > most {
			t.Errorf("the question was put %d times", n)
		}
	})
}

// TestOnlyTheCallerIsHeard: keys of anybody else who sends to the port count for nothing.
func TestOnlyTheCallerIsHeard(t *testing.T) {
	for _, from := range []string{"198.51.100.9:4000", "203.0.113.1:9"} {
		asking(t, Question{Press: "1"}, func(s *Session, w *wire, result func() *Result) {
			w.from = netip.MustParseAddrPort(from)
			s.Begin()
			w.event('1', 1000)
			time.Sleep(time.Second)
			if r := result(); r != nil {
				t.Errorf("%s: %+v", from, r)
			}
		})
	}
	asking(t, Question{Press: "1"}, func(s *Session, w *wire, result func() *Result) { // another port of the caller's, once one was heard
		s.Begin()
		w.audio(make([]int16, 320))
		synctest.Wait()
		w.from = netip.MustParseAddrPort("192.0.2.7:4999")
		w.event('1', 1000)
		time.Sleep(time.Second)
		if r := result(); r != nil {
			t.Errorf("%+v", r)
		}
	})
}

func TestCloseInMidSentence(t *testing.T) {
	asking(t, dear, func(s *Session, w *wire, result func() *Result) {
		s.Begin()
		time.Sleep(time.Second)
		s.Close()
		s.Close()
		n := len(w.heard())
		time.Sleep(2 * time.Minute)
		if r := result(); r != nil || len(w.heard()) != n || len(s.v.open) != 0 {
			t.Errorf("%+v, %d bytes more, %d open", r, len(w.heard())-n, len(s.v.open))
		}
	})
}

func TestFull(t *testing.T) {
	v, err := New(Options{Most: 1, Listen: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	local := netip.MustParseAddr("127.0.0.1")
	s, _, err := v.Ask(nil, local, local, dear, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Ask(nil, local, local, dear, nil); !errors.Is(err, ErrFull) {
		t.Errorf("a second: %v", err)
	}
	s.Close()
	if _, _, err := v.Ask(nil, local, local, dear, nil); err != nil {
		t.Errorf("after the first: %v", err)
	}
	v.Close()
	if _, _, err := v.Ask(nil, local, local, dear, nil); err == nil {
		t.Error("after Close")
	}
}

// TestPorts: RTP is taken at even ports of the range, and one that another program has is passed over.
func TestPorts(t *testing.T) {
	local := netip.MustParseAddr("127.0.0.1")
	taken := map[uint16]bool{41004: true}
	v, err := New(Options{Listen: local, Low: 41001, High: 41007, Open: func(at netip.AddrPort) (net.PacketConn, error) {
		if at.Addr() != local || taken[at.Port()] {
			return nil, errors.New("taken")
		}
		taken[at.Port()] = true
		return &wire{done: make(chan struct{})}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for range 2 {
		if _, _, err := v.Ask(nil, local, local, dear, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(taken) != 3 || !taken[41002] || !taken[41006] {
		t.Error(taken)
	}
	if _, _, err := v.Ask(nil, local, local, dear, nil); !errors.Is(err, ErrFull) {
		t.Error("a third:", err)
	}
	if len(v.open) != 2 {
		t.Errorf("%d questions are open", len(v.open))
	}
}

func BenchmarkFrame(b *testing.B) {
	w := &wire{done: make(chan struct{})}
	v, err := New(Options{Open: func(netip.AddrPort) (net.PacketConn, error) { return w, nil }})
	if err != nil {
		b.Fatal(err)
	}
	s, _, err := v.Ask([]byte(offer), netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.1"), dear, func(Result) {})
	if err != nil {
		b.Fatal(err)
	}
	s.Ring()
	for b.Loop() {
		s.frame()
		w.out = w.out[:0]
	}
}
