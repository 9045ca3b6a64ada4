package sip

import (
	"testing"

	"ringfence/core/phone"
	"ringfence/edge/sip/message"
)

func parsed(t *testing.T, uri string) *message.Message {
	t.Helper()
	var m message.Message
	raw := "INVITE " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n" +
		"Call-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
	if f := message.Parse(&m, []byte(raw)); f != nil {
		t.Fatalf("%s: %v", uri, f)
	}
	return &m
}

func TestDialled(t *testing.T) {
	for uri, want := range map[string][2]string{
		"sip:02079460000@x":                                {"02079460000", ""},
		"sip:%2B442079460000@x;user=phone":                 {"+442079460000", ""},
		"sip:999;phone-context=+44@x":                      {"999", "+44"},
		"tel:07700900127;phone-context=+1":                 {"07700900127", "+1"},
		"tel:+447700900127":                                {"+447700900127", ""},
		"tel:020-7946-0123;phone-context=+44":              {"020-7946-0123", "+44"},
		"tel:020;phone-context=%2B4-4":                     {"020", "+44"},
		"tel:020;Phone-Context=Example.COM":                {"020", "example.com"},
		"tel:020;phone-context=":                           {"020", ""},
		"sip:020;phone-context=@x":                         {"020", ""},
		"sip:020;phone-context@x":                          {"020", ""},
		"sip:020@x;phone-context=+44":                      {"020", "+44"},
		"tel:+44-20;phone-context=+1":                      {"+44-20", ""},
		"sip:020;isub=1;phone-context=+44;x=@x;user=phone": {"020", "+44"},
		"sip:sos@x":              {"112", ""},
		"urn:service:sos":        {"112", ""},
		"urn:service:sos.fire":   {"112", ""},
		"urn:service:SOS.police": {"112", ""},
	} {
		digits, context := dialled(parsed(t, uri))
		if digits != want[0] || context != want[1] {
			t.Errorf("%s: %q %q, want %q", uri, digits, context, want)
		}
	}
	for _, uri := range []string{"urn:service:sosx", "sip:sosx@x"} {
		if isSOS(parsed(t, uri)) {
			t.Errorf("%s is no call for help", uri)
		}
	}
}

// A call for help is one in every form that a URI gives its number.
func TestEmergencyInEveryURI(t *testing.T) {
	for uri, want := range map[string]phone.Class{
		"sip:999#@x":                            phone.Emergency, // no right URI, but phones send it
		"sip:999%23@x":                          phone.Emergency,
		"sip:112%2A@x":                          phone.Emergency,
		"sip:%39%39%39@x":                       phone.Emergency,
		"sip:%EF%BC%99%EF%BC%99%EF%BC%99@x":     phone.Emergency, // full-width digits
		"sip:9-9-9@x":                           phone.Emergency,
		"sip:+44(0)999@x;user=phone":            phone.Emergency,
		"sip:+44%20(0)%20999@x":                 phone.Emergency,
		"sip:999:secret@x":                      phone.Emergency,
		"sip:999;postd=pp22@x":                  phone.Emergency,
		"sip:999@x;phone-context=example.com":   phone.Emergency,
		"sip:141999@x":                          phone.Emergency,
		"sips:18001112@x":                       phone.Emergency,
		"tel:9-9-9":                             phone.Emergency,
		"tel:+44-(0)-999":                       phone.Emergency,
		"TEL:999#":                              phone.Emergency,
		"tel:18000;phone-context=+44":           phone.Emergency,
		"sip:999%3B0033142685300@x":             phone.Emergency, // and 999 is what is called
		"sip:9990033142685300@x":                phone.ClassUnknown,
		"sip:999p0033142685300@x":               phone.ClassUnknown,
		"sip:999,0033142685300@x":               phone.ClassUnknown,
		"sip:999?to=0033142685300@x":            phone.ClassUnknown,
		"sip:1409098790123@x":                   phone.ClassUnknown,
		"sip:14109098790123@x":                  phone.Premium,
		"sip:09098790123;phone-context=+44@x":   phone.Premium,
		"sip:0800%31111;09098790123@x":          phone.Freephone, // what is behind ';' is not dialled
		"sip:08001111;phone-context=+979@x":     phone.Freephone, // which the gate refuses for its context
		"sip:%2B44%20%280%29909%20879%200123@x": phone.Premium,
	} {
		digits, _ := dialled(parsed(t, uri))
		if d, _ := phone.UK().Parse(digits); d.Class != want {
			t.Errorf("%s: %q is %v, want %v", uri, digits, d.Class, want)
		}
	}
}

// TestADigestFitsItsRequest: a signed login must not be turned into a call to another number on the way.
func TestADigestFitsItsRequest(t *testing.T) {
	m := parsed(t, "sip:07700900124@edge.example:5060;transport=udp")
	for uri, want := range map[string]bool{
		"sip:07700900124@edge.example:5060;transport=udp": true,
		"sip:07700900124@edge.example":                    true,
		"sip:0770090012%34@edge.example":                  true,
		"sip:edge.example:5060":                           true, // SIPp and others leave the user out
		"sip:999@edge.example":                            false,
		"sip:07700900125@edge.example":                    false,
	} {
		if got := fits([]byte(uri), m); got != want {
			t.Errorf("%s: %v", uri, got)
		}
	}
}

// A number that is local to us is as it was dialled, by whatever name we are called.
func TestAContextThatIsOurs(t *testing.T) {
	e := &Edge{o: Options{Realm: "voice.example"}}
	for uri, want := range map[string]string{
		"tel:020;phone-context=Voice.Example":          "",
		"sip:020;phone-context=192.0.2.1@192.0.2.1":    "",
		"sip:020;phone-context=other.example@x":        "other.example",
		"tel:020;phone-context=+44":                    "+44",
		"sip:020@ring.example;phone-context=elsewhere": "elsewhere",
	} {
		m := parsed(t, uri)
		if _, context := dialled(m); e.localContext(context, m) != want {
			t.Errorf("%s: %q, want %q", uri, e.localContext(context, m), want)
		}
	}
}
