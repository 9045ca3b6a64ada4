package auth

import (
	"testing"
	"time"
)

// TestReplayMemoryIsBounded: however many logins there are, the table stays under twice its limit; what had to be
// forgotten early is refused and not accepted again; and new logins go on.
func TestReplayMemoryIsBounded(t *testing.T) {
	var r replays
	r.init(1, 5*time.Minute)
	at := int64(1_800_000_000)
	var first []nonce
	refused := 0
	for i := range uint64(200_000) {
		if i%1000 == 0 { // all within the life of a nonce
			at++
		}
		n := nonce{id: i, made: uint32(at)}
		if i < 1000 {
			first = append(first, n)
		}
		if !r.take(n, 1, at) {
			refused++
		}
	}
	if n := r.len(); n > 2*replayShards*r.max {
		t.Errorf("%d nonces kept", n)
	}
	if refused > 0 {
		t.Errorf("%d fresh nonces refused", refused)
	}
	for _, n := range first {
		if r.take(n, 1, at) {
			t.Fatal("a forgotten answer passed again")
		}
	}
}

// TestReplaysAreForgottenWithTheirNonces: after two lives of a nonce nothing of it is left.
func TestReplaysAreForgottenWithTheirNonces(t *testing.T) {
	var r replays
	r.init(1<<18, time.Minute)
	for at := int64(1000); at < 1600; at++ {
		for i := range uint64(64) {
			r.take(nonce{id: uint64(at)<<6 | i, made: uint32(at)}, 1, at)
		}
	}
	if n := r.len(); n > 64*130 {
		t.Errorf("%d nonces kept of the last two minutes' %d", n, 64*120)
	}
}
