package phone

import (
	"bytes"
	"net"
	"strings"
	"testing"
)

// Guards: where nothing runs, `ringfence phone guess` must not praise a lock-out.
func TestGuessWhereNobodyServes(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0") // deaf
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out bytes.Buffer
	g := &GuessCmd{Server: c.LocalAddr().String(), Line: "2001", Source: "127.0.66.66", Tries: 2}
	if err := g.Run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "no server is running at") || strings.Contains(out.String(), "any more") {
		t.Error(out.String())
	}
}
