// Command gen makes the prompts of edge/voice with espeak-ng (Debian: espeak-ng): 8 kHz, mono, G.711 µ-law in WAV files. It is run by
// "go generate ./edge/voice", and no part of the product.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"

	"ringfence/edge/voice"
)

func main() {
	log.SetFlags(0)
	dir := filepath.Join("prompts", "en")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		log.Fatal(err)
	}
	for name, text := range voice.Texts() {
		wav, err := exec.Command("espeak-ng", "-v", "en-gb", "-s", "155", "-g", "2", "--stdout", text).Output()
		if err != nil {
			log.Fatalf("espeak-ng (Debian package espeak-ng): %v", err)
		}
		samples, rate, err := read(wav)
		if err != nil {
			log.Fatalf("%s: %v", name, err)
		}
		clip := voice.WAV(loud(trim(resample(samples, rate))))
		if err := os.WriteFile(filepath.Join(dir, name+".wav"), clip, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// read is the samples of a 16-bit mono WAV file, and their rate. A file from a pipe has no lengths.
func read(b []byte) (samples []float64, rate int, err error) {
	if len(b) < 44 || string(b[:4]) != "RIFF" || binary.LittleEndian.Uint16(b[20:]) != 1 || binary.LittleEndian.Uint16(b[22:]) != 1 || binary.LittleEndian.Uint16(b[34:]) != 16 {
		return nil, 0, errors.New("not 16-bit mono PCM")
	}
	for at := 44; at+1 < len(b); at += 2 {
		samples = append(samples, float64(int16(binary.LittleEndian.Uint16(b[at:]))))
	}
	if len(samples) == 0 {
		return nil, 0, fmt.Errorf("it holds no samples")
	}
	return samples, int(binary.LittleEndian.Uint32(b[24:])), nil
}

// resample brings samples to 8 kHz, through a low-pass of 3.6 kHz: a sinc in a Hann window.
func resample(in []float64, rate int) []float64 {
	const cut, half = 3600.0, 48
	step := float64(rate) / 8000
	out := make([]float64, int(float64(len(in))/step))
	for i := range out {
		at := float64(i) * step
		for k := int(at) - half; k <= int(at)+half; k++ {
			if k < 0 || k >= len(in) {
				continue
			}
			x := (at - float64(k)) * 2 * cut / float64(rate)
			sinc := 1.0
			if x != 0 {
				sinc = math.Sin(math.Pi*x) / (math.Pi * x)
			}
			window := 0.5 + 0.5*math.Cos(math.Pi*(at-float64(k))/(half+1))
			out[i] += in[k] * sinc * window * 2 * cut / float64(rate)
		}
	}
	return out
}

// trim leaves 40 ms of silence at either end.
func trim(s []float64) []float64 {
	const quiet, keep = 200, 320
	first, last := 0, len(s)-1
	for first < last && math.Abs(s[first]) < quiet {
		first++
	}
	for last > first && math.Abs(s[last]) < quiet {
		last--
	}
	return s[max(first-keep, 0):min(last+keep, len(s))]
}

// loud brings the loudest sample to 9 dB below the most that there is.
func loud(s []float64) []int16 {
	most := 1.0
	for _, v := range s {
		most = max(most, math.Abs(v))
	}
	out := make([]int16, len(s))
	for i, v := range s {
		out[i] = int16(v / most * 11600)
	}
	return out
}
