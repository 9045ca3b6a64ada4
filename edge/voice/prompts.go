package voice

import (
	"bytes"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	"ringfence/core/money"
)

//go:generate go run ./gen

//go:embed prompts/en/*.wav
var builtin embed.FS

// The words of the voice, by the names of their files.
var phrases = map[string]string{
	"costs": "This call costs", "a-minute": "a minute", "to-connect": "to connect", "free": "This call is free.",
	"charged": "This call is charged.", "confirm": "This call must be confirmed.", "you-have": "You have", "left-today": "left today.", "to-go-on-press": "To go on, press",
	"wrong": "That was not right.", "goodbye": "The call cannot go on. Goodbye.",
	"pound": "pound", "pounds": "pounds", "penny": "penny", "pence": "pence", "euro": "euro", "euros": "euros", "cent": "cent", "cents": "cents",
	"and": "and", "point": "point", "hundred": "hundred", "thousand": "thousand",
}

var ones = [...]string{
	"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen",
	"seventeen", "eighteen", "nineteen",
}

var tens = [...]string{"", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}

// Texts are the prompts: what each file says, by its name without ".wav".
func Texts() map[string]string {
	all := maps.Clone(phrases)
	for _, word := range ones {
		all[word] = word
	}
	for _, word := range tens[2:] {
		all[word] = word
	}
	return all
}

// maxClip bounds a prompt: 30 s.
const maxClip = 30 * 8000

// load reads every prompt, as µ-law samples: from replaced where that has it, and else the built-in one. The error names every file that is no good.
func load(replaced fs.FS) (map[string][]byte, error) {
	own, err := fs.Sub(builtin, "prompts/en")
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	var faults []error
	for name := range Texts() {
		file := name + ".wav"
		from := own
		if replaced != nil {
			if _, err := fs.Stat(replaced, file); err == nil {
				from = replaced
			} else if !errors.Is(err, fs.ErrNotExist) {
				faults = append(faults, err)
			}
		}
		clip, err := readClip(from, file)
		if err != nil {
			faults = append(faults, fmt.Errorf("prompt %s: %w", file, err))
		}
		all[name] = clip
	}
	return all, errors.Join(faults...)
}

func readClip(from fs.FS, file string) ([]byte, error) {
	info, err := fs.Stat(from, file)
	if err != nil {
		return nil, err
	}
	if info.Size() > 2*maxClip+1024 {
		return nil, fmt.Errorf("longer than %d s", maxClip/8000)
	}
	b, err := fs.ReadFile(from, file)
	if err != nil {
		return nil, err
	}
	return parseWAV(b)
}

// What a WAV file says of its samples.
const (
	wavPCM  = 1
	wavALaw = 6
	wavULaw = 7
)

// errWAV says what a prompt must be.
var errWAV = errors.New("want a WAV file of 8000 Hz, mono, 16-bit PCM, A-law or µ-law, such as sox makes: sox in.wav -r 8000 -c 1 -e u-law out.wav")

// parseWAV reads the samples of a prompt, as µ-law.
func parseWAV(b []byte) (clip []byte, err error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, errWAV
	}
	format, bits := uint16(0), uint16(0)
	for at := 12; at+8 <= len(b); {
		id, size := string(b[at:at+4]), int(binary.LittleEndian.Uint32(b[at+4:]))
		body := b[at+8:]
		if size < 0 || size > len(body) {
			size = len(body)
		}
		body = body[:size]
		switch id {
		case "fmt ":
			if size < 16 || binary.LittleEndian.Uint16(body[2:]) != 1 || binary.LittleEndian.Uint32(body[4:]) != 8000 {
				return nil, errWAV
			}
			format, bits = binary.LittleEndian.Uint16(body), binary.LittleEndian.Uint16(body[14:])
		case "data":
			return coded(body, format, bits)
		}
		at += 8 + size + size&1
	}
	return nil, errWAV
}

// coded is samples of a format as µ-law.
func coded(body []byte, format, bits uint16) ([]byte, error) {
	var out []byte
	switch {
	case format == wavULaw && bits == 8:
		out = bytes.Clone(body)
	case format == wavALaw && bits == 8:
		for _, a := range body {
			out = append(out, uLaw(fromALaw[a]))
		}
	case format == wavPCM && bits == 16:
		for at := 0; at+1 < len(body); at += 2 {
			out = append(out, uLaw(int16(binary.LittleEndian.Uint16(body[at:]))))
		}
	default:
		return nil, errWAV
	}
	if len(out) == 0 || len(out) > maxClip {
		return nil, fmt.Errorf("%d samples: a prompt has from 1 to %d", len(out), maxClip)
	}
	return out, nil
}

// WAV is a file of linear samples as prompts are kept: µ-law, 8 kHz, mono.
func WAV(samples []int16) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt ")
	b = binary.LittleEndian.AppendUint32(b, 18)
	for _, n := range [...]uint16{wavULaw, 1} {
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	b = binary.LittleEndian.AppendUint32(b, 8000)
	b = binary.LittleEndian.AppendUint32(b, 8000)
	for _, n := range [...]uint16{1, 8, 0} {
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	b = binary.LittleEndian.AppendUint32(append(b, "fact"...), 4)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(samples)))
	b = binary.LittleEndian.AppendUint32(append(b, "data"...), uint32(len(samples)))
	for _, s := range samples {
		b = append(b, uLaw(s))
	}
	if len(samples)&1 != 0 {
		b = append(b, 0)
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

// number is a whole number in words: "two", "hundred", "and", "five".
func number(n int64) (words []string) {
	switch {
	case n < 0:
		return nil
	case n < 20:
		return []string{ones[n]}
	case n < 100:
		words = []string{tens[n/10]}
		if n%10 != 0 {
			words = append(words, ones[n%10])
		}
	case n < 1000:
		words = []string{ones[n/100], "hundred"}
		if n%100 != 0 {
			words = append(append(words, "and"), number(n%100)...)
		}
	default:
		words = append(number(n/1000), "thousand")
		if rest := n % 1000; rest != 0 && rest < 100 {
			words = append(append(words, "and"), number(rest)...)
		} else if rest != 0 {
			words = append(words, number(rest)...)
		}
	}
	return words
}

// unit is a word for one, and for another number.
func unit(n int64, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// said are the words for the currencies that the voice has words for.
var said = map[string][4]string{
	"GBP": {"pound", "pounds", "penny", "pence"}, "EUR": {"euro", "euros", "cent", "cents"},
}

// amount is a sum in tenths of a hundredth: 155 is fifteen and a half pence. Above one pound the tenths are left out.
func amount(currency string, tenths int64) (words []string) {
	u := said[currency]
	whole, part := tenths/1000, tenths%1000/10
	switch rest := tenths % 10; {
	case whole == 0 && rest != 0:
		return append(append(number(part), "point", ones[rest]), u[3])
	case whole == 0:
		return append(number(part), unit(part, u[2], u[3]))
	}
	words = append(number(whole), unit(whole, u[0], u[1]))
	if part != 0 {
		words = append(append(words, "and"), number(part)...)
		words = append(words, unit(part, u[2], u[3]))
	}
	return words
}

// tenthsUp is a price in tenths of a hundredth, rounded up: what is said is never less than what is charged.
func tenthsUp(n, each int64) int64 {
	t := (n + each - 1) / each
	if t >= 1000 {
		t = (t + 9) / 10 * 10
	}
	return t
}

// Units of money in tenths of a hundredth.
const (
	rateTenth  = 1_000_000 // of money.Rate
	microTenth = 1_000     // of money.Micro
)

// price is the first part of the question: what the call costs, and what is left. In a currency that the voice has no words for it says only that the call is
// charged.
func (q *Question) price(currency string) (words []string) {
	_, known := said[currency]
	switch {
	case q.Rate == 0 && q.Connect == 0:
		return []string{"free"}
	case !known || q.Rate < 0 || q.Connect < 0 || q.Rate > money.Rate(1e15):
		return []string{"charged"}
	}
	words = append([]string{"costs"}, amount(currency, tenthsUp(int64(q.Rate), rateTenth))...)
	words = append(words, "a-minute")
	if q.Connect > 0 {
		words = append(append(words, "and"), amount(currency, tenthsUp(int64(q.Connect), microTenth))...)
		words = append(words, "to-connect")
	}
	if q.Left >= 0 {
		words = append(append(words, "you-have"), amount(currency, int64(q.Left)/(10*microTenth)*10)...)
		words = append(words, "left-today")
	}
	return words
}

// press is the second part: what to press.
func (q *Question) press() (words []string) {
	words = []string{"to-go-on-press"}
	for _, d := range q.Press {
		if n, err := strconv.Atoi(string(d)); err == nil {
			words = append(words, ones[n])
		}
	}
	return words
}

// Listen finds the digits that a caller is asked to press in what a phone has heard of the voice, with built-in prompts, at 8,000 samples a second: for phones of
// tests, which understand no speech. "" means that the question has not been heard yet.
func Listen(heard []int16) (digits string) {
	clips, err := load(nil)
	if err != nil {
		return ""
	}
	audio := make([]byte, len(heard)) // as A-law, which both laws can be compared in
	for i, s := range heard {
		audio[i] = aLaw(s)
	}
	for _, clip := range clips {
		for i, u := range clip {
			clip[i] = toALaw[u]
		}
	}
	at := bytes.LastIndex(audio, clips["to-go-on-press"])
	if at < 0 {
		return ""
	}
	rest := audio[at+len(clips["to-go-on-press"]):]
	for {
		next := slices.IndexFunc(ones[:10], func(word string) bool { return bytes.HasPrefix(rest, clips[word]) })
		if next < 0 {
			return digits
		}
		digits += strconv.Itoa(next)
		rest = rest[len(clips[ones[next]]):]
	}
}

// Linear is µ-law audio as samples.
func Linear(ulaw []byte) []int16 {
	out := make([]int16, len(ulaw))
	for i, u := range ulaw {
		out[i] = fromULaw[u]
	}
	return out
}
