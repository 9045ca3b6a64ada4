package detect

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// honest are User-Agents of phones, exchanges and tools of the trade, as they are sent.
var honest = []string{
	"Yealink SIP-T46S 66.86.0.15", "Yealink W60B 77.85.0.25", "snom370/8.7.5.35", "snomD735/10.1.84.12", "Grandstream GXP2170 1.0.11.35", "Grandstream HT801 1.0.35.4",
	"Cisco/SPA504G-7.6.2", "Cisco-CP-8851-3PCC/11.3.1", "Cisco-SIPGateway/IOS-15.4.3.M3", "Cisco-CUCM12.5", "PolycomVVX-VVX_411-UA/5.9.5.0614", "Polycom/6.3.0.14929",
	"AVM FRITZ!Box 7590 154.07.29 (Jul  7 2021)", "FRITZ!OS", "baresip v1.0.0 (x86_64/linux)", "Linphone/3.12.0 (belle-sip/1.6.3)", "LinphoneAndroid/4.4.0", "Linphone-Desktop/4.2.5",
	"Asterisk PBX 16.2.1~dfsg-1+deb10u2", "Asterisk PBX 11.11.0", "Asterisk PBX 11.25.3", "Asterisk PBX certified/13.13", "FPBX-15.0.16.56(16.11.1)", "FreeSWITCH-mod_sofia/1.10.7-release",
	"3CXPhoneSystem 16.0.5.619", "3CXPhone 6.0.26523.0", "Zoiper rv2.10.13.2-mod", "Z 5.5.9 v2.10.18.6", "Z 3.15.40006 rv2.8.113", "MicroSIP/3.20.7", "SIPp", "sipp v3.6.1", "sipsak 0.9.8.1", "Bria 5 release 5.8.3", "Bria iOS 5.1",
	"X-Lite release 5.8.3 stamp 102634", "eyeBeam release 1105b stamp 54242", "CSipSimple_hero2lte-26/r2457", "PortSIP UC Client", "VaxSIPUserAgent/3.1", "Ozeki VoIP SIP SDK v10.3", "MizuPhone", "Jitsi2.10.5550Linux",
	"Gigaset N510 IP PRO/42.250", "Mitel-5330-SIP-Phone", "Aastra 6757i/3.3.1.8166", "Audiocodes-Sip-Gateway-MP-124/v.6.60A", "Patton SN4120 5BIS", "Sipura/SPA2102-5.2.12", "Linksys/PAP2T-5.1.6", "Fanvil X4U 2.4.0",
	"Htek UC926 V2.0.4.4", "Panasonic_KX-UT123/01.221", "Avaya one-X Deskphone", "Vodafone Smart", "Obihai/OBi200", "Telekom Speedport", "Kamailio (5.6.3)", "OpenSIPS (3.2.0 (x86_64/linux))", "sip-client", "SIP Softphone", "sipgate", "SipXphone", "Siphon", "SmartPBX", "Smapp phone", "Gulptel", "iWarp",
	"PBX", "VOIP", "pjsua v2.10", "friendly-phone", "IM-client/OMA1.0", "MERCURY", "n/a", "", " ", "\"\"", "\x00\xff",
}

const honestSDP = "v=0\r\no=yealink 20010 20010 IN IP4 192.0.2.7\r\ns=SIP Call\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 11780 RTP/AVP 9 8 0\r\na=label:pplsip\r\n"

func TestHonestPhonesAreNoScanners(t *testing.T) {
	for _, ua := range honest {
		if name, ok := Scanner([]byte(ua), []byte(`"Anna" <sip:2001@provider.example>`), []byte("<sip:07700900123@provider.example>"), []byte(honestSDP)); ok {
			t.Errorf("%q is taken for %s", ua, name)
		}
	}
}

func TestScanners(t *testing.T) {
	for _, c := range []struct{ ua, from, to, sdp, want string }{
		{ua: "friendly-scanner", want: "sipvicious"},
		{ua: "Friendly-Scanner/0.3", want: "sipvicious"},
		{ua: "Asterisk PBX", from: `"sipvicious"<sip:100@1.1.1.1>;tag=6`, want: "sipvicious"},
		{ua: "Asterisk PBX", to: `sipvicious`, want: "sipvicious"},
		{ua: "sipcli/v1.8", want: "sipcli"},
		{ua: "sundayddr", want: "sundayddr"},
		{ua: "Nmap NSE", want: "Nmap"},
		{ua: "SIVuS Scanner", want: "SIVuS"},
		{ua: "smap 0.6.0", want: "smap"},
		{ua: "iWar/0.08", want: "iWar"},
		{ua: "Asterisk PBX 11.11.11", want: "a false Asterisk"},
		{ua: "Yealink", sdp: "v=0\r\no=pplsip 1 1 IN IP4 0.0.0.0\r\ns=-\r\n", want: "sippts"},
		{ua: "Yealink", sdp: "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=pplsip", want: "sippts"},
		{sdp: "v=0\r\no=sipcli-Session 1 1 IN IP4 0.0.0.0\r\ns=sipcli\r\n", want: "sipcli"},
	} {
		if name, ok := Scanner([]byte(c.ua), []byte(c.from), []byte(c.to), []byte(c.sdp)); !ok || name != c.want {
			t.Errorf("%+v: %q %v", c, name, ok)
		}
	}
}

// left are marks that others list and we do not take for scanners, each with the reason.
var left = []struct{ mark, why string }{
	{`^(China|PBX|Test Agent|voip|VoIP SIP|x|Custom SIP.*|Trixbox|SipClient|SipReg|opensip)$`, "words that an honest box may send"},
	{`^(Cisco-CUCM|Cisco-SIPGateway|IM-client/OMA1\.0)$`, "sold as what they say; attackers only borrow the names"},
	{`^(Conaito|MizuPhone|Ozeki VoIP SIP SDK|PortSIP VoIP SDK|Vax(IP|SIP)?UserAgent|sipsorcery)$`, "toolkits, in honest programs too"},
	{`^(CSipSimple|eyeBeam|xlite|Z 3)$`, "softphones that people use; Z 3 is Zoiper"},
	{`^sipsak$`, "operators watch their servers with it"},
	{`^\[2-9\]\[0-9\]\{7\}$`, "a number is no proof"},
	{`^friendly$`, "too short: only friendly-scanner and friendly-request are"},
}

// Every entry of the lists that others keep is either taken for a scanner or left for a reason.
func TestListsOfOthers(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "attack", "scanner_user_agents.csv"))
	if err != nil {
		t.Skip("the lists of scanners are not here:", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 50 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows[1:] {
		ua := strings.NewReplacer("^", "", "$", "", `\s`, " ").Replace(row[0])
		if strings.HasPrefix(ua, "[sS]") {
			ua = "SIVuS"
		}
		_, ok := Scanner([]byte(ua), nil, nil, nil)
		why := ""
		for _, l := range left {
			if regexp.MustCompile(l.mark).MatchString(ua) {
				why = l.why
			}
		}
		if ok == (why != "") {
			t.Errorf("%q: a scanner %v, left because %q", row[0], ok, why)
		}
	}
}

func TestFramesOfAttackers(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "attack", "frames")
	for file, want := range map[string]string{"sipvicious_options.sip": "sipvicious", "pplsip_invite.sip": "sippts", "voip_register.sip": ""} {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Skip("the frames are not here:", err)
		}
		head, body, _ := bytes.Cut(bytes.ReplaceAll(raw, []byte("\r"), nil), []byte("\n\n"))
		field := func(name string) []byte {
			_, rest, _ := bytes.Cut(head, []byte("\n"+name+": "))
			value, _, _ := bytes.Cut(rest, []byte("\n"))
			return value
		}
		if name, _ := Scanner(field("User-Agent"), field("From"), field("To"), body); name != want {
			t.Errorf("%s: %q, want %q", file, name, want)
		}
		if want != "" { // by each mark alone
			a, _ := Scanner(nil, field("From"), nil, nil)
			b, _ := Scanner(nil, nil, nil, body)
			if a != want && b != want {
				t.Errorf("%s under another User-Agent is not told", file)
			}
		}
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("sipcli/v1.8"), []byte("sipvicious"), []byte(honestSDP))
	f.Fuzz(func(t *testing.T, ua, from, sdp []byte) {
		if name, ok := Scanner(ua, from, from, sdp); ok != (name != "") {
			t.Fatal(name, ok)
		}
	})
}

func TestScannerAllocatesNothing(t *testing.T) {
	ua, from, sdp := []byte("Yealink SIP-T46S 66.86.0.15"), []byte(`"Anna" <sip:2001@provider.example>;tag=8273`), []byte(honestSDP)
	if n := testing.AllocsPerRun(100, func() { Scanner(ua, from, from, sdp) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkScanner(b *testing.B) {
	ua, from := []byte("Yealink SIP-T46S 66.86.0.15"), []byte(`"Anna" <sip:2001@provider.example>;tag=8273`)
	for name, sdp := range map[string]string{"REGISTER": "", "INVITE": honestSDP} {
		b.Run(name, func(b *testing.B) {
			body := []byte(sdp)
			for b.Loop() {
				Scanner(ua, from, from, body)
			}
		})
	}
}
