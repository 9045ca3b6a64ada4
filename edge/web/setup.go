package web

import (
	"fmt"
	"html"
	"html/template"
	"strconv"
	"strings"

	"rsc.io/qr"

	"ringfence/flow/book"
)

// SIP is where phones register.
type SIP struct {
	Server   string // a name or an address
	UDP, TCP uint16 // ports; 0 is none
}

var _ = serves(func(s *Server) {
	if s.d.Book == nil || s.d.SIP.Server == "" {
		return
	}
	s.page("GET /lines/{line}/setup", customer, s.setup)
	s.page("POST /lines/{line}/setup", customer, s.setupWith)
	s.stream("GET /lines/{line}/live", customer, s.lineVersion)
})

// setupView is what a phone has to be told. The password is in it only when it was made just now.
type setupView struct {
	Path     string
	SIP      SIP
	User     string
	Number   template.HTML
	Password string
	Code     template.HTML
	Ready    []readyView
	Locked   bool
	May      bool
	Snippets []snippet
}

type readyView struct{ Agent, Address, Seen template.HTML }

// snippet is the settings of a make of phone.
type snippet struct{ Maker, Where, Text string }

func (s *Server) setup(q *query) (page, error) {
	l, err := s.ours(q)
	if err != nil {
		return page{}, err
	}
	return s.setupPage(q, l, ""), nil
}

// setupWith makes a new password and shows it with its code, this once.
func (s *Server) setupWith(q *query) (page, error) {
	l, err := s.ours(q)
	if err != nil {
		return page{}, err
	}
	if err := q.may("set-password"); err != nil {
		return page{}, err
	}
	if see := q.fresh(linePath(l) + "/setup"); see != "" {
		return page{see: see}, nil
	}
	made, err := s.d.Book.SetPassword(q.Context(), q.ID, l.ID(), "")
	if err != nil {
		return page{}, err
	}
	p := s.setupPage(q, l, made)
	p.secret, p.live = true, "" // read again, the page would not have it
	return p, nil
}

func (s *Server) setupPage(q *query, l *book.Line, password string) page {
	v := setupView{Path: linePath(l), SIP: s.d.SIP, User: l.Handle(), Number: s.numberOf(l), Password: password, Locked: l.Locked(), May: q.may("set-password") == nil, Snippets: s.snippets(q, l, password)}
	if password != "" {
		v.Code = qrCode(q.t("setup.code"), "sip:"+l.Handle()+"@"+s.d.SIP.Server+"\n"+q.t("setup.user")+": "+l.Handle()+"\n"+q.t("setup.password")+": "+password+"\n"+q.t("setup.server")+": "+s.d.SIP.Server)
	}
	if s.d.Phones != nil {
		for _, b := range s.d.Phones(l.ID(), q.now) {
			v.Ready = append(v.Ready, readyView{s.reader.claim(b.UserAgent), bdi(b.Received.Addr().Unmap().String()), s.reader.age(q.at(b.Heard))})
		}
	}
	return page{
		name: "setup", title: q.t("setup.title", "line", l.Handle()), nav: "/lines", shape: "middle", live: linePath(l) + "/live", data: v,
		crumbs: []crumb{{q.t("frame.lines"), "/lines"}, {l.Handle(), linePath(l)}},
	}
}

// lineVersion differs when phones of a line come and go.
func (s *Server) lineVersion(q *query) (string, error) {
	l, err := s.ours(q)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprint(&b, l.Locked())
	if s.d.Phones != nil {
		for _, p := range s.d.Phones(l.ID(), q.now) {
			fmt.Fprint(&b, " ", p.Received, p.UserAgent, p.Since)
		}
	}
	return b.String(), nil
}

// snippets are the settings of common phones. Where there is no new password, its place says so.
func (s *Server) snippets(q *query, l *book.Line, password string) []snippet {
	if password == "" {
		password = q.t("setup.here")
	}
	port, transport, yealink := s.d.SIP.UDP, "udp", "0"
	if port == 0 {
		port, transport, yealink = s.d.SIP.TCP, "tcp", "1"
	}
	fill := strings.NewReplacer("{server}", s.d.SIP.Server, "{port}", strconv.Itoa(int(port)), "{user}", l.Handle(), "{password}", password, "{transport}", transport, "{yealink}", yealink)
	marked := strings.NewReplacer("{server}", html.EscapeString(s.d.SIP.Server), "{port}", strconv.Itoa(int(port)), "{user}", html.EscapeString(l.Handle()), "{password}", html.EscapeString(password), "{transport}", transport, "{yealink}", yealink)
	all := make([]snippet, len(makers))
	for i, m := range makers {
		with := fill
		if strings.HasPrefix(m.text, "<") {
			with = marked
		}
		all[i] = snippet{m.name, q.t("setup.where-" + word(m.key)), with.Replace(m.text)}
	}
	return all
}

// makers are phones and telephone systems with the form of their settings, as their manuals have it. {yealink} is a transport as Yealink and Grandstream count.
var makers = []struct{ key, name, text string }{
	{"yealink", "Yealink", `account.1.enable = 1
account.1.label = {user}
account.1.user_name = {user}
account.1.auth_name = {user}
account.1.password = {password}
account.1.sip_server.1.address = {server}
account.1.sip_server.1.port = {port}
account.1.sip_server.1.transport_type = {yealink}`},
	{"snom", "Snom", `<?xml version="1.0" encoding="utf-8"?>
<settings>
 <phone-settings e="2">
  <user_active idx="1" perm="">on</user_active>
  <user_name idx="1" perm="">{user}</user_name>
  <user_pname idx="1" perm="">{user}</user_pname>
  <user_pass idx="1" perm="">{password}</user_pass>
  <user_host idx="1" perm="">{server}</user_host>
  <user_outbound idx="1" perm="">{server}:{port};transport={transport}</user_outbound>
 </phone-settings>
</settings>`},
	{"grandstream", "Grandstream", `<?xml version="1.0" encoding="UTF-8"?>
<gs_provision version="1">
 <config version="1">
  <P271>1</P271>
  <P47>{server}:{port}</P47>
  <P35>{user}</P35>
  <P36>{user}</P36>
  <P34>{password}</P34>
  <P130>{yealink}</P130>
 </config>
</gs_provision>`},
	{"linphone", "Linphone", `[proxy_0]
reg_proxy=<sip:{server}:{port};transport={transport}>
reg_identity=<sip:{user}@{server}>
reg_sendregister=1

[auth_info_0]
username={user}
passwd={password}
domain={server}`},
	{"freepbx", "FreePBX", `Trunk Name: {user}
Username: {user}
Auth username: {user}
Secret: {password}
Authentication: Outbound
Registration: Send
SIP Server: {server}
SIP Server Port: {port}
Transport: {transport}
From Domain: {server}`},
	{"3cx", "3CX", `Registrar/Server hostname: {server}
Port: {port}
Type of authentication: Register/Account based
Authentication ID: {user}
Authentication password: {password}`},
}

// qrCode draws a text as squares that a camera reads; "" where it is too long for that.
func qrCode(says, text string) template.HTML {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return ""
	}
	const margin = 4 // what readers need around it
	var b strings.Builder
	side := code.Size + 2*margin
	fmt.Fprintf(&b, `<svg class="qr" role="img" aria-label="%s" viewBox="0 0 %d %d"><path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="`, html.EscapeString(says), side, side, side, side)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+margin, y+margin, x-from, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and a text of the catalogue that is escaped
}
