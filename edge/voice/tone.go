package voice

import "math"

// In-band keys (ITU-T Q.23, Q.24): two tones, one of each group. Goertzel's algorithm measures the eight frequencies over 20 ms, every 10 ms. A key is taken
// when three measurements in a row agree, so that a tone of 40 ms counts and speech does not.

var (
	rows    = [4]float64{697, 770, 852, 941}
	columns = [4]float64{1209, 1336, 1477, 1633}
)

const keypad = "123A456B789C*0#D"

const (
	span    = frame     // samples of a measurement
	hop     = frame / 2 // between two
	atLeast = 3         // measurements that agree
	weakest = 1.5e4     // mean square of what may be a key: about -30 dBm0
	share   = 0.55      // of the whole energy that the two tones must have
	clear   = 6.3       // a tone is stronger than the others of its group by this (8 dB)
	forward = 6.3       // twist: the column may be stronger by 8 dB,
	reverse = 2.6       // the row by 4 dB
)

// listener finds keys in a stream of samples. The zero value is ready.
type listener struct {
	room [span]float64
	n    int
	seen byte // the key of the latest measurements; 0: none
	runs int
	lost int  // measurements without it, after it was taken
	held byte // the key that was taken and has not ended
}

// hear takes samples, and calls pressed for each key that begins.
func (l *listener) hear(samples []int16, pressed func(key byte)) {
	for _, s := range samples {
		l.room[l.n] = float64(s)
		if l.n++; l.n < span {
			continue
		}
		l.measured(measure(&l.room), pressed)
		copy(l.room[:], l.room[hop:])
		l.n = span - hop
	}
}

func (l *listener) measured(key byte, pressed func(key byte)) {
	if l.held != 0 {
		if key == l.held {
			l.lost = 0
			return
		}
		if l.lost++; l.lost < 2 {
			return
		}
		l.held, l.lost, l.seen, l.runs = 0, 0, 0, 0
	}
	if key == 0 || key != l.seen {
		l.seen, l.runs = key, 0
	}
	if key == 0 {
		return
	}
	if l.runs++; l.runs == atLeast {
		l.held, l.lost = key, 0
		pressed(key)
	}
}

// measure is the key whose tones are in the samples, or 0.
func measure(x *[span]float64) byte {
	total := 0.0
	for _, v := range x {
		total += v * v
	}
	if total < weakest*span {
		return 0
	}
	row, r, ok := strongest(x, &rows)
	if !ok {
		return 0
	}
	column, c, ok := strongest(x, &columns)
	if !ok || r+c < share*total*span/2 || c > forward*r || r > reverse*c {
		return 0
	}
	return keypad[4*row+column]
}

// strongest is the frequency of a group that stands out, and its energy.
func strongest(x *[span]float64, group *[4]float64) (best int, energy float64, ok bool) {
	var all [4]float64
	for i, f := range group {
		if all[i] = goertzel(x, f); all[i] > all[best] {
			best = i
		}
	}
	for i, e := range all {
		if i != best && e*clear > all[best] {
			return best, all[best], false
		}
	}
	return best, all[best], true
}

// goertzel is the energy at a frequency: |X(f)|² of the discrete Fourier transform, which for a pure tone is the sum of its squares times span/2.
func goertzel(x *[span]float64, f float64) float64 {
	k := 2 * math.Cos(2*math.Pi*f/8000)
	a, b := 0.0, 0.0
	for _, v := range x {
		a, b = v+k*a-b, a
	}
	return a*a + b*b - k*a*b
}
