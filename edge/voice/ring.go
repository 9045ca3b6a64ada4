package voice

import "math"

// ringingTone is three seconds of the British ringing tone, as µ-law: 400 and 450 Hz, on for 0.4 s, off for 0.2 s, on for 0.4 s, off for 2 s (BT SIN 350).
var ringingTone = func() []byte {
	tone := make([]byte, 3*8000)
	for i := range tone {
		at := float64(i) / 8000
		tone[i] = 0xff
		if at < 0.4 || at >= 0.6 && at < 1.0 {
			tone[i] = uLaw(int16(2500 * (math.Sin(2*math.Pi*400*at) + math.Sin(2*math.Pi*450*at))))
		}
	}
	return tone
}()
