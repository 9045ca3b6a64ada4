// Package config holds what an operator may set: the fields, their defaults and limits, and how a file of them is read,
// judged and compared with the one in force. It must not know what the settings do to the program.
//
// This file is the one source of truth. Each field's comment is what `ringfence config reference` prints and what
// docs/configuration.md says; its tags are what Load enforces:
//
//	toml    the key
//	default the default; without it a field is empty, or as default.go says
//	form    what a text may look like, a name in forms of validate.go, or "path"
//	one     the values allowed
//	min,max the range allowed, in the notation of the field
//	reload  "live": a SIGHUP applies a change; without it a change needs a restart
//
// A field left out has its default, and so has one set to "" or 0. An empty list is an empty list.
package config

import "net/netip"

//go:generate sh -c "go run ringfence/cmd/ringfence config reference --markdown >../../docs/configuration.md"

// Config is the whole configuration. The zero Config, once through Complete, is Default.
type Config struct {
	// Data is the folder for everything Ringfence keeps: the database, the key that seals secrets, and the admin
	// socket. It is made at the first start, readable by its owner only. A relative path, here and below, counts from
	// the folder of the configuration file; without a file, from where the program is started. One server uses it at a time.
	Data string `toml:"data" form:"path" default:"ringfence-data"`

	// Node names this program among others on one database; calls, journal rows and metrics carry it. It must be its own:
	// a second server with the same name on the same database does not start. It must also be the same at each start, or the
	// calls in progress wait for the end of their lease (money.lease). Left out, it is the host's name: set it where hosts share a
	// name (clones, "localhost") or get a new one at each start (containers). Letters, digits, '.', '_' and '-', at most 64.
	Node string `toml:"node" form:"name"`

	SIP      SIP      `toml:"sip"`
	Store    Store    `toml:"store"`
	Provider Provider `toml:"provider"`
	Money    Money    `toml:"money"`
	Login    Login    `toml:"login"`
	Shield   Shield   `toml:"shield"`
	Geo      Geo      `toml:"geo"`
	Counters Counters `toml:"counters"`
	Notify   Notify   `toml:"notify"`
	Mail     Mail     `toml:"mail"`
	Web      Web      `toml:"web"`
	Admin    Admin    `toml:"admin"`
	Metrics  Metrics  `toml:"metrics"`
	Tracing  Tracing  `toml:"tracing"`
	Log      Log      `toml:"log"`
	Secret   Secrets  `toml:"secret"`
	Limits   Limits   `toml:"limits"`

	// Demo is set by `serve --demo` and never by a file: a sample provider and a test carrier, loopback only.
	Demo bool `toml:"-"`

	// File is where this was read from, "" for none.
	File string `toml:"-"`
}

// SIP is where phones and carriers reach Ringfence, and how patient it is with them.
type SIP struct {
	// UDP is the list of addresses to listen on for SIP over UDP, as "address:port".
	UDP []netip.AddrPort `toml:"udp" default:"0.0.0.0:5060"`

	// TCP is the list of addresses to listen on for SIP over TCP, as "address:port". [] turns it off.
	TCP []netip.AddrPort `toml:"tcp" default:"0.0.0.0:5060"`

	// Advertise is the IP address that phones and carriers are told to use: set it when Ringfence stands behind address
	// translation ("203.0.113.5"). Peers that are reached over the other family do not get it; one address of each may be
	// given ("203.0.113.5, 2001:db8::5"). Left out, each packet names the listener that it leaves from.
	Advertise string `toml:"advertise"`

	// Realm is the name that phones are asked to log in to. Changing it makes every phone log in afresh.
	Realm string `toml:"realm" default:"ringfence"`

	// NonceLifetime is how long one login challenge can be used. Shorter leaves a thief of packets less time; longer
	// saves phones a round trip.
	NonceLifetime Duration `toml:"nonce-lifetime" default:"5m" min:"10s" max:"24h"`

	// Algorithms is the list of digest algorithms offered to phones, in order of preference: ["SHA-256", "MD5"] where all
	// phones know RFC 8760. The default is MD5 alone, because phones that do not (baresip 1.0 among them) give up on a
	// challenge that has SHA-256 in it.
	Algorithms []string `toml:"algorithms" default:"MD5" one:"SHA-256,MD5"`

	// MinExpiry is the shortest registration granted; phones that ask for less get 423.
	MinExpiry Duration `toml:"min-expiry" default:"1m" min:"10s" max:"1h"`

	// MaxExpiry is the longest registration granted; phones that ask for more get this.
	MaxExpiry Duration `toml:"max-expiry" default:"1h" min:"30s" max:"24h"`

	// SessionTimer is how often both ends of a call are asked whether they are still there (RFC 4028), so that a dead
	// phone cannot run up a bill.
	SessionTimer Duration `toml:"session-timer" default:"30m" min:"90s" max:"2h"`

	// TrunkSilence is how long a carrier may say nothing to a call before the next one is tried.
	TrunkSilence Duration `toml:"trunk-silence" default:"5s" min:"500ms" max:"30s"`

	// RingTime is how long a call may ring without being answered. It holds the money of its first slice meanwhile.
	RingTime Duration `toml:"ring-time" default:"2m" min:"10s" max:"10m"`

	// QueueTime is how long it may wait unanswered while the far end keeps saying that it is queued (182).
	QueueTime Duration `toml:"queue-time" default:"15m" min:"10s" max:"2h"`

	// MaxCalls is how many calls this node carries at once, but for emergency calls; more are refused with 503.
	MaxCalls int `toml:"max-calls" default:"10000" min:"1" max:"1000000"`

	// MaxEmergencyCalls is how many emergency calls this node carries at once, beside max-calls. From nine tenths on callers
	// that are not logged in and the lines with the most are refused; never a line below its own max-calls, nor an address
	// with fewer than three. Left out, it is half of max-calls, at least 1000.
	MaxEmergencyCalls int `toml:"max-emergency-calls" min:"1" max:"1000000"`

	// MaxInboundCalls is how many calls may come in over one trunk at once; over all trunks it is three quarters of max-calls.
	// When that is reached, the calls that have rung longest without their carrier's confirmation are ended. Left out, it is half of max-calls.
	MaxInboundCalls int `toml:"max-inbound-calls" min:"1" max:"1000000"`

	// MaxRingingCalls is how many inbound calls ring one line at once, unless the line's max-calls is lower (but two always
	// may); further ones get busy.
	MaxRingingCalls int `toml:"max-ringing-calls" default:"20" min:"2" max:"10000"`

	// TrunkInboundCalls is the same for single trunks, each "NAME=CALLS".
	TrunkInboundCalls []string `toml:"trunk-inbound-calls"`

	// ReadSockets is how many sockets share each UDP address, so that several processors read at once. Left out, it is
	// one for every processor, at most 8. More than there are processors cost CPU and memory and gain nothing.
	ReadSockets int `toml:"read-sockets" min:"1" max:"64"`
}

// Store is where the book, the money, the calls and the journal are kept.
type Store struct {
	// Engine is the database: "sqlite" keeps everything in the data folder and needs nothing else, "postgres" uses the
	// server that dsn names.
	Engine string `toml:"engine" default:"sqlite" one:"sqlite,postgres"`

	// Money set to "memory" keeps purses and open calls in memory only. They are lost when the program ends, so caps
	// start afresh: for laboratories and measurements. Left out, they are durable.
	Money string `toml:"money" default:"durable" one:"durable,memory"`

	// DSN says how to reach PostgreSQL: "postgres://user:password@host/database". It holds a password: the environment
	// (RINGFENCE_STORE_DSN) or dsn-file are better places, and the environment goes before both.
	DSN Secret `toml:"dsn"`

	// DSNFile is a file whose only line is the dsn; it must be readable by its owner only.
	DSNFile string `toml:"dsn-file" form:"path"`

	// Sync set to "full" makes each write survive a power failure before a call is connected. "normal" (sqlite only)
	// is several times faster and may forget the last moments after a power failure, never after a crash of the program.
	Sync string `toml:"sync" default:"full" one:"full,normal"`
}

// Provider is who sells the calls: names, prices and the settings every customer starts with.
type Provider struct {
	// Name is the provider's name, as people are shown it.
	Name string `toml:"name" default:"Ringfence"`

	// Zone is the time zone of days, months and price bands for customers who have none of their own ("Europe/London").
	Zone string `toml:"zone" default:"Europe/London"`

	// Currency is what the provider bills in, a code of ISO 4217: every amount in a setting, a mail, a page and an export is
	// in it, and price lists in another are refused or converted. Set it before the first price list is imported: what is
	// in the books already is not converted, and price lists in another currency stop pricing calls.
	Currency string `toml:"currency" default:"GBP"`

	// Tariff is the name of the retail deck that prices calls of customers who have none of their own.
	Tariff string `toml:"tariff" form:"name" default:"retail" reload:"live"`

	// PeakFrom is when the peak price band begins, Monday to Friday, in the customer's zone.
	PeakFrom Clock `toml:"peak-from" default:"08:00" reload:"live"`

	// PeakUntil is when the peak price band ends. The same time as peak-from means that all of Monday to Friday is peak.
	PeakUntil Clock `toml:"peak-until" default:"18:00" former:"peak-till" reload:"live"`

	// Plan is the numbering plan that dialled digits are read under: "uk", or "custom" for the one in
	// [provider.custom-plan].
	Plan string `toml:"plan" default:"uk" one:"uk,custom"`

	// Numbering is Ofcom's tables of number blocks, as one file in CSV: `make numbering` fetches them. A call to a 070, 076,
	// 084, 087 or 09 number in a block that the table calls free is refused. One to any other number in a free block
	// connects, and is a finding. A file that was last written more than 90 days ago refuses nothing. Left out, no number
	// is refused for its block.
	Numbering string `toml:"numbering" form:"path" reload:"live"`

	// LateAnswers says what a call costs that was answered only while it was being given up, when the answer crossed the
	// caller's hanging up: "charged" as any answered call of that length, because the carrier charges for it, or "free". Its
	// carrier cost is recorded either way.
	LateAnswers string `toml:"late-answers" default:"charged" one:"charged,free"`

	CustomPlan Plan     `toml:"custom-plan"`
	Help       Help     `toml:"help"`
	Settings   Settings `toml:"settings"`
}

// Help is how customers reach the provider; every notice says it.
type Help struct {
	// Mail is the address for questions and reports of fraud.
	Mail string `toml:"mail"`

	// Phone is the number to ring, as people write it: "020 7946 0000".
	Phone string `toml:"phone"`

	// Text is the number for text messages.
	Text string `toml:"text"`

	// Hours is when somebody answers: "Monday to Friday, 9 to 17; at other times leave a message".
	Hours string `toml:"hours"`

	// Page is the address of the provider's help page: "https://example.net/help".
	Page string `toml:"page"`
}

// Plan is a numbering plan other than the built-in one; it is read only when provider.plan is "custom". Which numbers
// are mobile, premium and so on comes from the built-in table of the world.
type Plan struct {
	// Country is the ISO 3166-1 code of the home country: "IE".
	Country string `toml:"country" form:"country"`

	// Code is the country code, digits only: "353".
	Code string `toml:"code" form:"code"`

	// Trunk is the digit dialled before national numbers: "0". Left out, national numbers are dialled as they are, with
	// no prefix.
	Trunk string `toml:"trunk" form:"digits"`

	// International is what is dialled before a country code, beside "+": "00".
	International string `toml:"international" form:"digits"`

	// Together is the list of other countries behind the same code that count as national: ["GG", "IM", "JE"].
	Together []string `toml:"together" form:"country"`

	// Emergency is the list of numbers that connect whatever is locked, capped or unpaid: ["112", "999"].
	Emergency []string `toml:"emergency" form:"digits"`

	// Services is the list of other short numbers that may be dialled, when a deck prices them.
	Services []string `toml:"services" form:"digits"`
}

// Settings is what every customer and line starts with. They may tighten these; staff may grant looser ones. A setting
// left out has its built-in default.
type Settings struct {
	// NationalCeiling is the highest price of a national call, per minute: "20p". "free" allows free calls only.
	NationalCeiling Setting `toml:"national-ceiling" reload:"live"`

	// InternationalCeiling is the highest price of an international call, per minute: "2p". "free" allows free calls only.
	InternationalCeiling Setting `toml:"international-ceiling" reload:"live"`

	// Premium is whether ordinary premium-rate numbers may be called: "on" or "off".
	Premium Setting `toml:"premium" reload:"live"`

	// Satellite is whether satellites and other networks without a country may be called: +870, +878, +881, +882, +883 and
	// +888. "off" unless said: no real price of these is near an ordinary ceiling, so one that is is a fault in the deck. When
	// on, the international ceiling still applies.
	Satellite Setting `toml:"satellite" reload:"live"`

	// Personal is whether personal numbers (070) may be called. "on" unless said: the national ceiling applies, and hospital
	// bedside phones and sole traders have them.
	Personal Setting `toml:"personal" reload:"live"`

	// Pager is whether pagers (076) may be called. "on" unless said, under the national ceiling.
	Pager Setting `toml:"pager" reload:"live"`

	// MaxCalls is how many calls a line may have at once.
	MaxCalls Setting `toml:"max-calls" reload:"live"`

	// MaxInternational is how many of them may be international.
	MaxInternational Setting `toml:"max-international" reload:"live"`

	// CallsPerMinute is how many calls a line may start in one minute.
	CallsPerMinute Setting `toml:"calls-per-minute" reload:"live"`

	// LongestCall is the longest that one call may last: "4h".
	LongestCall Setting `toml:"longest-call" reload:"live"`

	// LineDayCap is the most a line may spend in a day: "£50".
	LineDayCap Setting `toml:"line-day-cap" reload:"live"`

	// LineMonthCap is the most a line may spend in a month: "£150".
	LineMonthCap Setting `toml:"line-month-cap" reload:"live"`

	// AccountDayCap is the most all lines of a customer may spend in a day.
	AccountDayCap Setting `toml:"account-day-cap" reload:"live"`

	// AccountMonthCap is the most all lines of a customer may spend in a month.
	AccountMonthCap Setting `toml:"account-month-cap" reload:"live"`

	// LineWarning is the un-billed usage of a line at which its contacts get mail, and again at each further multiple:
	// "£10". "0" turns it off. Customers and lines may have their own.
	LineWarning Setting `toml:"line-warning" reload:"live"`

	// AccountWarning is the same for all lines of a customer together.
	AccountWarning Setting `toml:"account-warning" reload:"live"`

	// Nets is the list of addresses and networks that every line must log in from, whatever its own lock says:
	// "192.0.2.0/24, 2001:db8::/32". Left out, no lock.
	Nets Setting `toml:"nets" reload:"live"`

	// Closed is the list of destinations that are closed to every line: classes of number, countries and ranges, such as
	// "intl-premium, LV, +44843". "abroad" and "above 10p" (abroad, by the price of a first minute) are others. Emergency calls
	// are never closed. Left out, none is.
	Closed Setting `toml:"closed" reload:"live"`
}

// Money is how calls in progress are paid for: in slices, ahead of the talking.
type Money struct {
	// Slice is how much talk time is paid for at a time. Shorter ties up less money; longer writes less often.
	Slice Duration `toml:"slice" default:"1m" min:"1s" max:"1h"`

	// ExtendAhead is how long before the paid time ends the next slice is asked for. It must be shorter than slice.
	ExtendAhead Duration `toml:"extend-ahead" default:"10s" min:"100ms" max:"10m"`

	// Lease is how long the calls of a node that died are left alone before another node ends or takes them over.
	Lease Duration `toml:"lease" default:"30s" min:"5s" max:"10m"`
}

// Login is what wrong logins lead to. While a lock-out lasts even the right password is refused, with
// the answer that a wrong one gets.
type Login struct {
	// Lockout set to "off" turns all of this section off: for laboratories.
	Lockout string `toml:"lockout" default:"on" one:"on,off"`

	// Failures is how many wrong passwords an address has for one line within window before it is locked out for that line.
	Failures int `toml:"failures" default:"5" min:"2" max:"1000"`

	// Window is the time within which wrong passwords are counted together.
	Window Duration `toml:"window" default:"10m" min:"1m" max:"24h"`

	// First is how long the first lock-out lasts; each further one lasts twice as long as the one before.
	First Duration `toml:"first" default:"15m" min:"1s" max:"24h"`

	// Longest is the longest lock-out. A source without a wrong password for so long starts again from the first.
	Longest Duration `toml:"longest" default:"24h" min:"1m" max:"720h"`

	// Address is how many wrong passwords an address may send over all lines before it is banned. Addresses on a line's
	// IP lock, of trunks, and with a good recent history are not.
	Address int `toml:"address" default:"20" min:"2" max:"100000"`

	// Network is the same for a network: a /24 of IPv4, a /56 of IPv6.
	Network int `toml:"network" default:"60" min:"2" max:"1000000"`

	// AS is how many wrong passwords an autonomous system may send before each new address in it gets one attempt only. It needs a file
	// with AS numbers in geo.files.
	AS int `toml:"as" default:"300" min:"2" max:"1000000"`

	// Strangers is how many wrong passwords a day a line accepts from all new places together before each such
	// place gets one attempt only; at twice that, new places are refused for the day. Usual places are not affected.
	Strangers int `toml:"strangers" default:"30" min:"2" max:"100000"`

	// Weeks is the same over 28 days, against those who guess slowly.
	Weeks int `toml:"weeks" default:"200" min:"2" max:"1000000"`

	// Usual is how many wrong passwords may come within window from a place that the line is used from, before it is locked out for
	// that line: phones with a wrong password retry for ever. It is not banned for them.
	Usual int `toml:"usual" default:"40" min:"2" max:"100000"`

	// Spray is how many different lines one address or network may try within window before it is taken for a sprayer.
	Spray int `toml:"spray" default:"10" min:"2" max:"1000"`
}

// Shield is what keeps attackers' packets out.
type Shield struct {
	// Scanners says what requests get that give themselves away as an attacker's tool: "silence", or the "answer" that
	// everybody gets.
	Scanners string `toml:"scanners" default:"silence" one:"silence,answer"`

	// Kernel says whether banned sources are also dropped in the kernel (nftables), before they cost anything: "auto" where it
	// may be done, "off", or "required", which does not start without. It needs CAP_NET_ADMIN.
	Kernel string `toml:"kernel" default:"auto" one:"auto,off,required"`

	// Never is the list of addresses and networks that are never banned by anything: your own, your monitoring's.
	Never []string `toml:"never"`

	// MaxBans is how many bans are kept at once, those of feeds included; when it is full, the ban that ends first is removed.
	MaxBans int `toml:"max-bans" default:"65536" min:"100" max:"1000000"`

	// Feeds is the list of ban lists to follow, each "NAME=FILE" or "NAME=https://…": plain text, CSV or JSON, as APIBAN,
	// CrowdSec and `ringfence ban export` write them.
	Feeds []string `toml:"feeds" form:"feed"`

	// FeedInterval is how often feeds are read.
	FeedInterval Duration `toml:"feed-interval" default:"1h" min:"1m" max:"168h"`

	// FeedLife is how long an entry of a feed holds that names no end, after it was last seen there.
	FeedLife Duration `toml:"feed-life" default:"24h" min:"1m" max:"8760h"`
}

// Geo is where addresses are looked up: country and network, for devices, leak signs and notices.
type Geo struct {
	// Files is the list of tables of countries, AS numbers or both: MaxMind DB (.mmdb) or ip-location-db (.csv). The first
	// that knows something is believed. `make geo ASN=1` fetches free ones. Left out, places are networks without names.
	Files []string `toml:"files" form:"path" reload:"live"`
}

// Counters is where lock-outs and bans are shared between nodes.
type Counters struct {
	// URL is a Valkey or Redis (7 or later) server: "redis://user:password@host:6379/0", "rediss://…" with TLS,
	// "unix:///path". Left out, this node counts alone. It may hold a password: url-file is a better place.
	URL Secret `toml:"url"`

	// URLFile is a file whose only line is the url; it must be readable by its owner only.
	URLFile string `toml:"url-file" form:"path"`

	// Prefix begins every key, so that others may use the same server.
	Prefix string `toml:"prefix" form:"name" default:"ringfence"`
}

// Notify is who is notified of what, and how.
type Notify struct {
	// Desk is the list of mail addresses of the fraud desk.
	Desk []string `toml:"desk"`

	// Webhooks is the list of the provider's own webhooks, which get every notice: "https://…".
	Webhooks []string `toml:"webhooks"`

	// WebhookKeyFile is a file with the Ed25519 key (PEM, PKCS #8) that signs webhooks (RFC 9421). Left out, one is derived
	// from the key that seals passwords. `ringfence notice webhook-key` prints the public half, which receivers need.
	WebhookKeyFile string `toml:"webhook-key-file" form:"path"`

	// PrivateHooks is the list of private networks that customers' webhooks may be in: "192.168.7.0/24". Left out, none.
	PrivateHooks []string `toml:"private-hooks"`

	// Templates is a folder with your own templates of notices, by the names of the built-in ones
	// (`ringfence notice preview --list`). Left out, the built-in ones are used.
	Templates string `toml:"templates" form:"path"`

	// Storm is how many mails one person gets within an hour about what anybody can cause: guessing, new devices and the
	// like. Further ones wait for a digest. Of all others (stolen logins, usage, locks) it is three times as many, counted
	// apart.
	Storm int `toml:"storm" default:"10" min:"1" max:"1000"`

	// Digest is how often digests go out.
	Digest Duration `toml:"digest" default:"1h" min:"1m" max:"168h"`

	// LinkLife is how long the links in a notice can be used.
	LinkLife Duration `toml:"link-life" default:"168h" min:"1h" max:"720h"`
}

// Mail is the server that notices are sent through.
type Mail struct {
	// Server is "host:port" of an SMTP server. Left out, mails are kept and shown (`ringfence notice show`), not sent, and
	// of this section only from may be set.
	Server string `toml:"server"`

	// TLS is "starttls" (port 587), "tls" (port 465), or "none", which is allowed on loopback only.
	TLS string `toml:"tls" default:"starttls" one:"starttls,tls,none"`

	// CAFile is a file of certificates (PEM) to trust instead of the system's.
	CAFile string `toml:"ca-file" form:"path"`

	// User is the login at the server; left out, none is used.
	User string `toml:"user"`

	// PasswordFile is a file whose only line is the password; it must be readable by its owner only.
	PasswordFile string `toml:"password-file" form:"path"`

	// Password is what password-file held; never from the file.
	Password Secret `toml:"-"`

	// From is the sender: "Example Telephony <calls@example.net>".
	From string `toml:"from"`

	// DKIMDomain, with dkim-selector and dkim-key, signs every mail (RFC 6376) for that domain.
	DKIMDomain string `toml:"dkim-domain"`

	// DKIMSelector is the selector that the public key is published under: "ringfence2026".
	DKIMSelector string `toml:"dkim-selector"`

	// DKIMKey is the file of the private key (PEM, RSA of at least 2048 bits or Ed25519).
	DKIMKey string `toml:"dkim-key" form:"path"`
}

// Web is the pages that people reach from the links in notices.
type Web struct {
	// Listen is the "address:port" of these pages. Left out, there are none, and notices carry no links.
	Listen netip.AddrPort `toml:"listen"`

	// URL is how people reach them from outside: "https://calls.example.net". Left out, it is made from listen; it must be
	// set where listen does not say it: with a proxy, and on 0.0.0.0 or [::].
	URL string `toml:"url"`

	// TLSCert is the certificate chain (PEM). The file is read again on reload. Without it the pages are plain HTTP, on a
	// loopback address only, unless proxy is set: put a proxy with TLS in front.
	TLSCert string `toml:"tls-cert" form:"path" reload:"live"`

	// TLSKey is the private key (PEM) of tls-cert.
	TLSKey string `toml:"tls-key" form:"path" reload:"live"`

	// Proxy is the address or network of the proxy in front, whose X-Forwarded-For is believed. Left out, none is.
	Proxy string `toml:"proxy"`
}

// Admin is the interface that the command line and other programs use.
type Admin struct {
	// Socket is the path of the unix socket; anybody who can open it can do anything. Left out, it is ringfence.sock in the
	// data folder.
	Socket string `toml:"socket" form:"path"`

	// Listen is the "address:port" for the same interface over TCP, where a token is asked for. Left out, there is none.
	Listen netip.AddrPort `toml:"listen"`

	// TokensFile is a file of token digests, one "name sha256-hex" a line. Needed when listen is set.
	TokensFile string `toml:"tokens-file" form:"path"`

	// Tracers are the names of tokens whose holders may see the SIP messages of lines and calls (ringfence trace). Anyone who may open
	// the socket may do so.
	Tracers []string `toml:"tracers"`

	// TLSCert is the certificate chain (PEM) for listen. The file is read again on reload. It may be left out only when
	// listen is a loopback address.
	TLSCert string `toml:"tls-cert" form:"path" reload:"live"`

	// TLSKey is the private key (PEM) of tls-cert.
	TLSKey string `toml:"tls-key" form:"path" reload:"live"`
}

// Metrics is what monitoring reads.
type Metrics struct {
	// Listen is the "address:port" for /metrics, /healthz and /readyz over plain HTTP. Left out, they are on the admin
	// socket only.
	Listen netip.AddrPort `toml:"listen"`
}

// Tracing is where traces of calls go, for OpenTelemetry: which stage of a call took how long.
type Tracing struct {
	// URL is a collector's OTLP endpoint over HTTP: "http://127.0.0.1:4318/v1/traces". Left out, nothing is traced. Traces
	// name lines, trunks and calls, and no telephone numbers.
	URL string `toml:"url"`

	// OneIn traces one call in this many: 1 traces every call.
	OneIn int `toml:"one-in" default:"1" min:"1" max:"1000000"`
}

// Log is what is written to standard error.
type Log struct {
	// Level is the least serious kind of message written.
	Level string `toml:"level" default:"info" one:"debug,info,warn,error" reload:"live"`

	// Format is "text" for people or "json" for programs.
	Format string `toml:"format" default:"text" one:"text,json"`
}

// Secrets is how secrets are sealed at rest.
type Secrets struct {
	// KeyFile is the file of the key that seals SIP passwords, made at the first start with mode 0600. Left out, it is
	// ringfence.key in the data folder. RINGFENCE_KEY in the environment goes before it. Keep a copy apart from the
	// database: without it no phone can log in.
	KeyFile string `toml:"key-file" form:"path"`

	// Key is what RINGFENCE_KEY held; never from the file.
	Key Secret `toml:"-"`
}

// Limits bounds what one client may make Ringfence hold.
type Limits struct {
	// Contacts is how many phones one line may have registered at once.
	Contacts int `toml:"contacts" default:"10" min:"1" max:"100"`

	// Connections is how many TCP connections phones and carriers may hold open in all; fewer where the system's limit of
	// open files is lower. Those on which nobody has logged in may be half of them, and are the first to close.
	Connections int `toml:"connections" default:"10000" min:"1" max:"1000000"`

	// UploadBytes is the longest request taken on the admin interface, which is the largest deck that can be imported.
	UploadBytes int `toml:"upload-bytes" default:"67108864" min:"65536" max:"1073741824"`
}
