package message

import "testing"

// The examples of RFC 3261 19.1.4, and what phones write.
func TestSameURI(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;security=on", true},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com", "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
		{"sip:a@b", "sips:a@b", false},
		{"sip:a@[2001:db8::1]:5060", "sip:a@[2001:DB8:0:0:0:0:0:1]:5060", true},
		{"sip:a@192.168.1.10:5060;line=abc", "sip:a@192.168.1.10:5060;line=abd", false},
		{"sip:a@192.168.1.10;ob", "sip:a@192.168.1.10", true},
		{"tel:+44", "tel:+44", true},
		{"tel:+44", "tel:+4-4", false},
		{"x", "y", false},
	} {
		if got := SameURI(c.a, c.b); got != c.want || SameURI(c.b, c.a) != c.want {
			t.Errorf("%s and %s: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
