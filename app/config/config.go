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

import (
	"net/netip"

	"ringfence/core/retain"
)

//go:generate sh -c "go run ringfence/cmd/ringfence config reference --markdown >../../docs/configuration.md"

// Config is the whole configuration. The zero Config, once through Complete, is Default.
type Config struct {
	// Data is the folder for everything that Ringfence keeps: the database, the key that seals secrets, and the admin
	// socket. It is made at the first start, readable by its owner only. A relative path, here and below, is relative to the folder of
	// the configuration file, or without a file to the working directory. Only one server can use the folder at a time.
	Data string `toml:"data" form:"path" default:"ringfence-data"`

	// Node is the name of this server among those that share a database; calls, journal rows and metrics carry it. It must be
	// unique: a second server with the same name on the same database does not start. It must also be the same at each start,
	// otherwise calls in progress are not taken over before their lease ends (money.lease). Left out, it is the host name: set it where
	// hosts share a name (clones, "localhost") or get a new one at each start (containers). Letters, digits, '.', '_' and '-', at most 64.
	Node string `toml:"node" form:"name"`

	SIP      SIP      `toml:"sip"`
	Store    Store    `toml:"store"`
	Provider Provider `toml:"provider"`
	Money    Money    `toml:"money"`
	Routing  Routing  `toml:"routing"`
	Billing  Billing  `toml:"billing"`
	Login    Login    `toml:"login"`
	Shield   Shield   `toml:"shield"`
	Geo      Geo      `toml:"geo"`
	Counters Counters `toml:"counters"`
	Watch    Watch    `toml:"watch"`
	Voice    Voice    `toml:"voice"`
	Desk     Desk     `toml:"desk"`
	Notify   Notify   `toml:"notify"`
	Mail     Mail     `toml:"mail"`
	Web      Web      `toml:"web"`
	Admin    Admin    `toml:"admin"`
	Evidence Evidence `toml:"evidence"`
	Retain   Retain   `toml:"retain"`
	Metrics  Metrics  `toml:"metrics"`
	Tracing  Tracing  `toml:"tracing"`
	Log      Log      `toml:"log"`
	Secret   Secrets  `toml:"secret"`
	Limits   Limits   `toml:"limits"`

	// Demo is set by `serve --demo` and never by a file: a sample provider and a test carrier, loopback only.
	Demo bool `toml:"-"`

	// DemoLife has the demonstration begin with a past week of calls, and make calls of its own.
	DemoLife bool `toml:"-"`

	// File is where this was read from, "" for none.
	File string `toml:"-"`
}

// SIP sets where phones and carriers reach Ringfence, its timers, and how many calls it carries.
type SIP struct {
	// UDP is the list of addresses to listen on for SIP over UDP, as "address:port".
	UDP []netip.AddrPort `toml:"udp" default:"0.0.0.0:5060"`

	// TCP is the list of addresses to listen on for SIP over TCP, as "address:port". [] turns it off.
	TCP []netip.AddrPort `toml:"tcp" default:"0.0.0.0:5060"`

	// TLS is the list of addresses to listen on for SIP over TLS, as "address:port": ["0.0.0.0:5061"]. It requires tls-cert and tls-key. Left
	// out, phones cannot register over TLS; trunks over TLS work nevertheless.
	TLS []netip.AddrPort `toml:"tls"`

	// WSS is the list of addresses to listen on for SIP over secure WebSockets, which phones in browsers use (RFC 7118), as "address:port":
	// ["0.0.0.0:8443"]. It requires tls-cert and tls-key.
	WSS []netip.AddrPort `toml:"wss"`

	// TLSCert is the list of certificate chains (PEM) for tls and wss. A phone is shown the one for the host name that it asks for, and the
	// first if there is none. The files are read again on reload, and bad ones change nothing. `ringfence check` warns before they expire.
	TLSCert []string `toml:"tls-cert" form:"path" reload:"live"`

	// TLSKey is the list of private keys (PEM) of tls-cert, in the same order. Not every user of the machine may be able to read them.
	TLSKey []string `toml:"tls-key" form:"path" reload:"live"`

	// TLSMin is the lowest version of TLS, in and out.
	TLSMin string `toml:"tls-min" default:"1.2" one:"1.2,1.3" reload:"live"`

	// TLSCA is a file of the authorities (PEM) that carriers' certificates must be signed by, for trunks with the transport tls. Left out, those that the
	// system trusts are trusted.
	TLSCA string `toml:"tls-ca" form:"path" reload:"live"`

	// TLSClientCA is a file of authorities (PEM) that the certificates of those who connect are verified by. Nobody must show one; but who
	// shows one of the name that an address of a trunk has (NAME:5061) is that trunk, wherever the connection comes from. Left out, nobody is
	// asked for one.
	TLSClientCA string `toml:"tls-client-ca" form:"path" reload:"live"`

	// WSSOrigins is the list of origins of pages that may connect over wss: ["https://phone.example.net"], or ["*"] for all. Left out, a page may
	// only connect to the host that it came from. Programs that are not browsers name no origin and may connect.
	WSSOrigins []string `toml:"wss-origins" reload:"live"`

	// Advertise is the public IP address that phones and carriers are given. Set it when Ringfence is behind address translation
	// ("203.0.113.5"). It applies to peers of the same address family; one address of each family may be given
	// ("203.0.113.5, 2001:db8::5"). Left out, each packet names the listener that it is sent from.
	Advertise string `toml:"advertise"`

	// Name is what phones are set up with, as the pages show it: "sip.example.net". Left out, the pages show the advertised address, or the
	// realm if it is a name of hosts.
	Name string `toml:"name"`

	// Realm is the digest realm of every challenge. After a change every phone must log in again.
	Realm string `toml:"realm" default:"ringfence"`

	// NonceLifetime is how long one login challenge can be used. A shorter time leaves less to an attacker who captures packets; a longer
	// one saves phones a round trip.
	NonceLifetime Duration `toml:"nonce-lifetime" default:"5m" min:"10s" max:"24h"`

	// Algorithms is the list of digest algorithms offered to phones, in order of preference: ["SHA-256", "MD5"] where all
	// phones support RFC 8760. The default is MD5 alone, because phones without it (baresip 1.0 among them) reject a challenge
	// that offers SHA-256.
	Algorithms []string `toml:"algorithms" default:"MD5" one:"SHA-256,MD5"`

	// MinExpiry is the shortest registration granted; a phone that asks for less gets a 423 response.
	MinExpiry Duration `toml:"min-expiry" default:"1m" min:"10s" max:"1h"`

	// MaxExpiry is the longest registration granted; phones that ask for longer get this.
	MaxExpiry Duration `toml:"max-expiry" default:"1h" min:"30s" max:"24h"`

	// SessionTimer is the session interval of calls (RFC 4028): how often both ends are asked whether they are still there, so that
	// a phone that has failed cannot run up a bill.
	SessionTimer Duration `toml:"session-timer" default:"30m" min:"90s" max:"2h"`

	// TrunkSilence is how long a carrier may leave a call without any response before the next one is tried.
	TrunkSilence Duration `toml:"trunk-silence" default:"5s" min:"500ms" max:"30s"`

	// DNS are the servers that the names of trunks are looked up at (RFC 3263: NAPTR, SRV and addresses), each as an address with a port:
	// "192.0.2.53:53". Left out, those in /etc/resolv.conf.
	DNS []netip.AddrPort `toml:"dns"`

	// TrunkOptions is how often each trunk is asked by OPTIONS (RFC 3261, 11) whether it is there, for the status pages: "30s". Left out, trunks
	// are not asked, and only calls show how the carriers are. Set it if your carriers answer OPTIONS.
	TrunkOptions Duration `toml:"trunk-options" min:"0s" max:"1h" reload:"live"`

	// RingTime is how long a call may ring without an answer. The money of its first slice is held during this time.
	RingTime Duration `toml:"ring-time" default:"2m" min:"10s" max:"10m"`

	// QueueTime is how long a call may wait without an answer while the far end reports that it is queued (182).
	QueueTime Duration `toml:"queue-time" default:"15m" min:"10s" max:"2h"`

	// MaxCalls is the maximum number of concurrent calls on this node, without emergency calls. Further calls are refused with 503.
	MaxCalls int `toml:"max-calls" default:"10000" min:"1" max:"1000000"`

	// MaxEmergencyCalls is the maximum number of concurrent emergency calls on this node, in addition to max-calls. From nine tenths
	// of it, callers that are not logged in and the lines with the most calls are refused, but never a line below its own max-calls or
	// an address with fewer than three. Left out, it is half of max-calls, and at least 1000.
	MaxEmergencyCalls int `toml:"max-emergency-calls" min:"1" max:"1000000"`

	// MaxInboundCalls is the maximum number of concurrent inbound calls on one trunk; on all trunks together it is three quarters
	// of max-calls. When it is reached, the calls that have rung longest without confirmation from their carrier are ended. Left out,
	// it is half of max-calls.
	MaxInboundCalls int `toml:"max-inbound-calls" min:"1" max:"1000000"`

	// MaxRingingCalls is the maximum number of inbound calls that ring one line at the same time. A lower max-calls of the line
	// applies instead, but two calls may always ring. Further callers hear that the line is busy.
	MaxRingingCalls int `toml:"max-ringing-calls" default:"20" min:"2" max:"10000"`

	// TrunkInboundCalls is max-inbound-calls for individual trunks, each "NAME=CALLS".
	TrunkInboundCalls []string `toml:"trunk-inbound-calls"`

	// ReadSockets is how many sockets share each UDP address, so that several processors read in parallel. Left out, it is
	// one for each processor, at most 8. More sockets than processors cost CPU and memory and bring no gain.
	ReadSockets int `toml:"read-sockets" min:"1" max:"64"`
}

// Store is the database for customers, money, calls and the journal.
type Store struct {
	// Engine is the kind of database: "sqlite" keeps everything in the data folder and needs no server, "postgres" uses the
	// server that dsn names.
	Engine string `toml:"engine" default:"sqlite" one:"sqlite,postgres"`

	// Money set to "memory" keeps purses and open calls in memory only. They are lost when the program ends, so that
	// caps start from zero: for test systems and measurements. Left out, they are durable.
	Money string `toml:"money" default:"durable" one:"durable,memory"`

	// DSN is the connection string of PostgreSQL: "postgres://user:password@host/database". It contains a password, so the environment
	// (RINGFENCE_STORE_DSN) or dsn-file is a better place. The environment takes precedence over both.
	DSN Secret `toml:"dsn"`

	// DSNFile is a file whose only line is the dsn; it must be readable by its owner only.
	DSNFile string `toml:"dsn-file" form:"path"`

	// Sync set to "full" writes to disk before a call is connected, so that a power failure loses nothing. "normal" (sqlite only)
	// is several times faster, and may lose the last moments in a power failure, but never in a crash of the program.
	Sync string `toml:"sync" default:"full" one:"full,normal"`
}

// Provider describes the company that sells the calls: its names, prices, and the settings that every customer starts with.
type Provider struct {
	// Name is the provider's name, as customers see it.
	Name string `toml:"name" default:"Ringfence"`

	// Zone is the time zone of days, months and price bands, for customers without a time zone of their own ("Europe/London").
	Zone string `toml:"zone" default:"Europe/London"`

	// Currency is the billing currency, an ISO 4217 code. Every amount in settings, mails, pages and exports is in this currency, and
	// price lists in another are refused or converted. Set it before the first price list is imported: amounts that are already
	// recorded are not converted, and price lists in the former currency stop pricing calls.
	Currency string `toml:"currency" default:"GBP"`

	// Tariff is the name of the retail deck that prices the calls of customers without a deck of their own.
	Tariff string `toml:"tariff" form:"name" default:"retail" reload:"live"`

	// PeakFrom is when the peak price band begins, Monday to Friday, in the customer's zone.
	PeakFrom Clock `toml:"peak-from" default:"08:00" reload:"live"`

	// PeakUntil is when the peak price band ends. The same time as peak-from means that all of Monday to Friday is peak.
	PeakUntil Clock `toml:"peak-until" default:"18:00" former:"peak-till" reload:"live"`

	// Plan is the numbering plan for dialled digits: "uk", or "custom" for the one in [provider.custom-plan].
	Plan string `toml:"plan" default:"uk" one:"uk,custom"`

	// Numbering is the file of Ofcom's tables of number blocks, in CSV: `make numbering` fetches them. A call to a 070, 076,
	// 084, 087 or 09 number in an unallocated block is refused. A call to any other number in an unallocated block is connected
	// and reported as a finding. A file that was last written more than 90 days ago refuses nothing. Left out, no number is refused
	// because of its block.
	Numbering string `toml:"numbering" form:"path" reload:"live"`

	// LateAnswers is what a call costs when its answer crosses the end of the attempt, for example when the caller hangs up at that
	// moment: "charged" as any answered call of that length, because the carrier charges for it, or "free". The carrier's
	// cost is recorded in both cases.
	LateAnswers string `toml:"late-answers" default:"charged" one:"charged,free"`

	// ExposurePromise states with each figure of what a thief could cost (exposure.changed in the journal) that you pay what is above it. So far only the
	// statement is recorded; nothing is credited by itself.
	ExposurePromise bool `toml:"exposure-promise" reload:"live"`

	// Promises are your own words for what you promise your customers, in place of the built-in ones: "ip-lock: Calls from elsewhere are refused.". What each promise means
	// stays the same (docs/liability.md has their ids). The words in force are written to the journal at the start and when they change: those of the day of a call count.
	Promises []string `toml:"promises"`

	// PanicCode locks a line when one of its phones dials it: its calls are cut, only emergency calls go out, and its contacts are notified. It begins with a
	// star, so that it is no number; the digits of the default are LOCK on the keys. An exchange of a customer's has to pass it on. "off" is none.
	PanicCode string `toml:"panic-code" default:"*5625*" form:"star-code" reload:"live"`

	// ForwardCodes are the codes by which a phone forwards the calls of its line: always, when busy, when nobody answers, and when no phone is reachable. With the default,
	// *21*NUMBER# forwards every call, *61*NUMBER*25# those that ring for 25 seconds, and #21# ends the first. A code forwards to ordinary national numbers only, from where the
	// line is usually used. "off" is none.
	ForwardCodes string `toml:"forward-codes" default:"21 67 61 62" form:"forward-codes" reload:"live"`

	// UnverifiedNumbers says what becomes of a call whose phone or exchange asks to present a number that is not verified as its customer's: "replace"
	// presents the line's own number, "refuse" refuses the call. Emergency calls carry the line's own number in any case.
	UnverifiedNumbers string `toml:"unverified-numbers" default:"replace" one:"replace,refuse" reload:"live"`

	// CodeHook is the address of your service for calls and texts, "https://…". It is sent the codes by which customers prove that a number is theirs, as signed
	// JSON (docs/identity.md). Left out, only staff can record that a number is a customer's.
	CodeHook string `toml:"code-hook"`

	CustomPlan Plan     `toml:"custom-plan"`
	Help       Help     `toml:"help"`
	Settings   Settings `toml:"settings"`
}

// Help is how customers reach the provider. Every notice includes it.
type Help struct {
	// Mail is the address for questions and reports of fraud.
	Mail string `toml:"mail"`

	// Phone is the telephone number for help, as people write it: "020 7946 0000".
	Phone string `toml:"phone"`

	// Text is the number for text messages.
	Text string `toml:"text"`

	// Hours is the opening hours: "Monday to Friday, 9 to 17; at other times leave a message".
	Hours string `toml:"hours"`

	// Page is the address of the provider's help page: "https://example.net/help".
	Page string `toml:"page"`

	// Departments is the list of those that customers reach, each with what it has, as the page /help shows them:
	// ["Support; phone 020 7946 0999; text 07700 900999; mail help@example.net; open mon-fri 08:00-18:00"].
	Departments []string `toml:"departments"`

	// Holidays is the list of days on which no department is open: ["2026-12-25"].
	Holidays []string `toml:"holidays"`
}

// Plan is a numbering plan other than the built-in one. It is used only when provider.plan is "custom". Which numbers
// are mobile, premium and so on comes from the built-in table of all countries.
type Plan struct {
	// Country is the ISO 3166-1 code of the home country: "IE".
	Country string `toml:"country" form:"country"`

	// Code is the country code, digits only: "353".
	Code string `toml:"code" form:"code"`

	// Trunk is the digit that is dialled before national numbers: "0". Left out, national numbers are dialled without a prefix.
	Trunk string `toml:"trunk" form:"digits"`

	// International is the prefix that is dialled before a country code, as an alternative to "+": "00".
	International string `toml:"international" form:"digits"`

	// Together is the list of other countries with the same code that count as national: ["GG", "IM", "JE"].
	Together []string `toml:"together" form:"country"`

	// Emergency is the list of emergency numbers: ["112", "999"]. They are connected even if a line is locked, over a cap or unpaid.
	Emergency []string `toml:"emergency" form:"digits"`

	// Services is the list of other short numbers that may be dialled, if a deck has a price for them.
	Services []string `toml:"services" form:"digits"`
}

// Settings are the limits that every customer and line starts with. Customers and lines may tighten them; staff may grant looser
// ones. A setting that is left out has its built-in default.
type Settings struct {
	// NationalCeiling is the highest price of a national call, per minute: "20p". "free" allows free calls only.
	NationalCeiling Setting `toml:"national-ceiling" reload:"live"`

	// InternationalCeiling is the highest price of an international call, per minute: "2p". "free" allows free calls only.
	InternationalCeiling Setting `toml:"international-ceiling" reload:"live"`

	// Premium is whether ordinary premium-rate numbers may be called: "on" or "off".
	Premium Setting `toml:"premium" reload:"live"`

	// Satellite is whether satellites and other networks without a country may be called: +870, +878, +881, +882, +883 and
	// +888. The default is "off": no real price for them is near an ordinary ceiling, so a price that is must be an error in the deck. When
	// on, the international ceiling still applies.
	Satellite Setting `toml:"satellite" reload:"live"`

	// Personal is whether personal numbers (070) may be called. The default is "on", because the national ceiling applies, and
	// hospital bedside phones and sole traders have these numbers.
	Personal Setting `toml:"personal" reload:"live"`

	// Pager is whether pagers (076) may be called. The default is "on", under the national ceiling.
	Pager Setting `toml:"pager" reload:"live"`

	// MaxCalls is the maximum number of concurrent calls of a line.
	MaxCalls Setting `toml:"max-calls" reload:"live"`

	// MaxInternational is the maximum number of concurrent international calls of a line.
	MaxInternational Setting `toml:"max-international" reload:"live"`

	// CallsPerMinute is the maximum number of calls that a line may start per minute.
	CallsPerMinute Setting `toml:"calls-per-minute" reload:"live"`

	// CallsPerSecond is the maximum number of calls that a line may start per second. 1000, the default, is no limit. A person's
	// phone starts one, an office of fifty seldom more than five; predictive diallers need more.
	CallsPerSecond Setting `toml:"calls-per-second" reload:"live"`

	// LongestCall is the maximum duration of a call: "4h".
	LongestCall Setting `toml:"longest-call" reload:"live"`

	// LineDayCap is the most a line may spend in a day: "£50".
	LineDayCap Setting `toml:"line-day-cap" reload:"live"`

	// LineMonthCap is the most a line may spend in a month: "£150".
	LineMonthCap Setting `toml:"line-month-cap" reload:"live"`

	// AccountDayCap is the most all lines of a customer may spend in a day.
	AccountDayCap Setting `toml:"account-day-cap" reload:"live"`

	// AccountMonthCap is the most all lines of a customer may spend in a month.
	AccountMonthCap Setting `toml:"account-month-cap" reload:"live"`

	// LineWarning is the un-billed usage of a line at which its contacts are notified, and again at each further multiple:
	// "£10". "0" turns it off. Customers and lines may have their own.
	LineWarning Setting `toml:"line-warning" reload:"live"`

	// AccountWarning is the same for all lines of a customer together.
	AccountWarning Setting `toml:"account-warning" reload:"live"`

	// Watch "off" leaves calls unwatched: what is unlike the usual calls of a line makes no finding and closes nothing. Staff may set it for a customer
	// or a line whose calls no rule can understand. What is usual is still learned. The default is "on".
	Watch Setting `toml:"watch" reload:"live"`

	// Questions is what becomes of a call that a person must confirm because a restriction says so. "answer" answers the call and lets a voice state the price and ask for
	// a key: every phone plays that. "early" lets the voice speak before the answer, for phones that play early media and send keys then. "refuse" and "pass"
	// are for machines, such as alarms, lifts, fax machines and payment terminals: the call is refused, or goes on without a question. Customers and lines may
	// have their own. The default is "answer". See voice.
	Questions Setting `toml:"questions" reload:"live"`

	// Nets is the list of addresses and networks that every line must log in from, in addition to its own IP lock:
	// "192.0.2.0/24, 2001:db8::/32". Left out, there is no such lock.
	Nets Setting `toml:"nets" reload:"live"`

	// Closed is the list of destinations that are closed to every line: classes of number, countries and ranges, such as
	// "intl-premium, LV, +44843". It may also contain "abroad" and "above 10p" (abroad, by the price of the first minute). Emergency
	// calls are always possible. Left out, no destination is closed.
	Closed Setting `toml:"closed" reload:"live"`
}

// Money sets how money is held for calls in progress: in slices, ahead of the talk time.
type Money struct {
	// Slice is the talk time that is paid for at a time. A shorter slice holds less money; a longer one causes fewer writes.
	Slice Duration `toml:"slice" default:"1m" min:"1s" max:"1h"`

	// ExtendAhead is how long before the end of the paid time the next slice is held. It must be shorter than slice.
	ExtendAhead Duration `toml:"extend-ahead" default:"10s" min:"100ms" max:"10m"`

	// Lease is how long after a node has failed another node waits before it takes over or ends the calls of that node.
	Lease Duration `toml:"lease" default:"30s" min:"5s" max:"10m"`
}

// Billing sets what bills say, and when they are to be paid. See billing.md.
type Billing struct {
	// VAT is the percentage of VAT that bills add: "20", or with the days from which rates are in force "17.5, 20 from 2011-01-04". The rate
	// of a bill is the one in force on the last day of its period. Left out, bills have no VAT.
	VAT string `toml:"vat-percent"`

	// From is the day, as 2026-12-01, from which calls are billed: those that began earlier, in the provider's zone, are on no bill. Left out, it
	// is the upgrade to the first version with bills, or everything if there were no calls before it. What a run has left out stays so.
	From string `toml:"from"`

	// Day is the day of the month, in the provider's zone, on which the calls of the last month are billed by themselves: 1 is the first. At 0 bills
	// are made only when somebody asks for them. A month whose day was missed is billed at the next opportunity.
	Day int `toml:"day" min:"0" max:"28"`

	// Reminders says on which days, counted from the one on which a bill is to be paid, it is reminded of while something of it is unpaid: "-3, 3, 14"
	// is three days before, three after, and two weeks after. Left out, nobody is reminded: payments must be booked first.
	Reminders string `toml:"reminders"`

	// DaysToPay is how many days after its issue a bill is to be paid.
	DaysToPay int `toml:"days-to-pay" default:"14" min:"1" max:"365"`

	// Address is the provider's address on bills; "\n" begins a new line.
	Address string `toml:"address"`

	// VATNumber is the provider's VAT number on bills.
	VATNumber string `toml:"vat-number"`

	// WebhookSecret lets a payment provider of yours book payments at /hooks/payments, signed with this secret of at least 16 characters. Left out,
	// nothing is booked there. webhook-secret-file is a better place.
	WebhookSecret Secret `toml:"webhook-secret"`

	// WebhookSecretFile is a file whose only line is the secret; it must be readable by its owner only.
	WebhookSecretFile string `toml:"webhook-secret-file" form:"path"`
}

// Login sets the limits on wrong passwords, and the lock-outs that follow. During a lock-out even the right password is
// refused, with the same response as a wrong one.
type Login struct {
	// Lockout set to "off" turns this whole section off: for test systems.
	Lockout string `toml:"lockout" default:"on" one:"on,off"`

	// Failures is how many wrong passwords an address may send for one line within window before it is locked out for that line.
	Failures int `toml:"failures" default:"5" min:"2" max:"1000"`

	// Window is the time within which wrong passwords are counted together.
	Window Duration `toml:"window" default:"10m" min:"1m" max:"24h"`

	// First is the duration of the first lock-out. Each further one lasts twice as long as the previous one.
	First Duration `toml:"first" default:"15m" min:"1s" max:"24h"`

	// Longest is the duration of the longest lock-out. A source without a wrong password for this time starts again from first.
	Longest Duration `toml:"longest" default:"24h" min:"1m" max:"720h"`

	// Address is how many wrong passwords an address may send for all lines together before it is banned. Addresses on an IP lock,
	// addresses of trunks, and addresses with a good recent history are exempt.
	Address int `toml:"address" default:"20" min:"2" max:"100000"`

	// Network is the same limit for a network: a /24 of IPv4, a /56 of IPv6.
	Network int `toml:"network" default:"60" min:"2" max:"1000000"`

	// AS is how many wrong passwords an autonomous system may send before each new address in it gets only one attempt. It needs
	// a file with AS numbers in geo.files.
	AS int `toml:"as" default:"300" min:"2" max:"1000000"`

	// Strangers is how many wrong passwords a day may come for a line from all new places together before each new place gets only
	// one attempt. At twice this number new places are refused for the day. Usual places are not affected.
	Strangers int `toml:"strangers" default:"30" min:"2" max:"100000"`

	// Weeks is the same limit over 28 days, against slow guessing.
	Weeks int `toml:"weeks" default:"200" min:"2" max:"1000000"`

	// Usual is how many wrong passwords may come within window from a place that the line is used from before that place is locked
	// out for the line. The limit is higher because a phone with a wrong password retries for ever. The place is not banned for them.
	Usual int `toml:"usual" default:"40" min:"2" max:"100000"`

	// Spray is how many different lines one address or network may try within window before it counts as a sprayer.
	Spray int `toml:"spray" default:"10" min:"2" max:"1000"`
}

// Shield sets which packets are dropped: bans, ban lists of others, and known attack tools.
type Shield struct {
	// Scanners is how requests from known attack tools are treated: "silence" drops them, "answer" treats them as any
	// other request.
	Scanners string `toml:"scanners" default:"silence" one:"silence,answer"`

	// Kernel says whether banned sources are also dropped in the kernel (nftables), where this costs least: "auto" where it is
	// possible, "off", or "required", with which the server does not start without it. It needs CAP_NET_ADMIN.
	Kernel string `toml:"kernel" default:"auto" one:"auto,off,required"`

	// Never is the list of addresses and networks that are never banned: your own, and those of your monitoring.
	Never []string `toml:"never"`

	// MaxBans is the maximum number of bans, including those from feeds. When it is reached, the ban that ends first is removed.
	MaxBans int `toml:"max-bans" default:"65536" min:"100" max:"1000000"`

	// Feeds is the list of ban lists to follow, each "NAME=FILE" or "NAME=https://…": plain text, CSV or JSON, as APIBAN,
	// CrowdSec and `ringfence ban export` write them.
	Feeds []string `toml:"feeds" form:"feed"`

	// NumberFeeds is the list of hot lists of numbers to follow, each "NAME=FILE" or "NAME=https://…": plain text, CSV or JSON, as
	// `ringfence hotlist export` writes them. They are read as often as feeds.
	NumberFeeds []string `toml:"number-feeds" form:"feed"`

	// NumberFeedDirection is which calls the entries of number-feeds refuse that say nothing of it: "out" refuses calls to the
	// numbers, "in" calls from them, "both" either, "presented" those that present them, of your lines too (Do Not Originate).
	NumberFeedDirection string `toml:"number-feed-direction" default:"out" one:"out,in,both,presented"`

	// FeedInterval is how often feeds are read.
	FeedInterval Duration `toml:"feed-interval" default:"1h" min:"1m" max:"168h"`

	// FeedLife is how long a feed entry without an end of its own stays in force after it was last seen in the feed.
	FeedLife Duration `toml:"feed-life" default:"24h" min:"1m" max:"8760h"`
}

// Geo sets where the country and network of an address are looked up, for devices, findings and notices.
type Geo struct {
	// Files is the list of tables of countries, AS numbers or both: MaxMind DB (.mmdb) or ip-location-db (.csv). The first
	// table with an entry is used. `make geo ASN=1` fetches free ones. Left out, places are networks without names.
	Files []string `toml:"files" form:"path" reload:"live"`
}

// Counters sets where nodes share lock-outs and bans.
type Counters struct {
	// URL is the address of a Valkey or Redis (7 or later) server: "redis://user:password@host:6379/0", "rediss://…" with TLS,
	// "unix:///path". Left out, this node counts on its own. If the URL contains a password, url-file is a better place.
	URL Secret `toml:"url"`

	// URLFile is a file whose only line is the url; it must be readable by its owner only.
	URLFile string `toml:"url-file" form:"path"`

	// Prefix is the start of every key, so that other programs can use the same server.
	Prefix string `toml:"prefix" form:"name" default:"ringfence"`
}

// Watch sets the rules that watch calls as they happen: what they measure, and what they close when calls are unlike those of their line. See rules.md.
// A server that is reloaded watches by the new rules from the next call on; what was learnt stays.
type Watch struct {
	// Calls is how far the rules are trusted, all together: "live" closes destinations, "canary" does so for a tenth of the customers, by
	// a hash, "shadow" only says in findings what it would have closed, and "off" watches and learns nothing. A rule whose own life is
	// less stays at that. Left out, a server watches in shadow, and replay plays the rules live. From "off" at the start to another needs
	// a restart.
	Calls string `toml:"calls" one:"live,canary,shadow,off" reload:"live"`

	// Learning is how many days a customer of long standing is only learnt from, and how long a new one counts as new.
	Learning Setting `toml:"learning" reload:"live"`

	// Headroom is what the highest weeks of a line are multiplied by: a rule fires above it. A higher figure stops fewer honest calls.
	Headroom Setting `toml:"headroom" reload:"live"`

	// Little is what is added to that: "2" is two pounds.
	Little Setting `toml:"little" reload:"live"`

	// Range is the rule for money that goes into one range of a thousand numbers, from one line.
	Range Meter `toml:"range"`

	// SharedRange is the rule for money that goes into one range of a thousand numbers, from all lines of a customer.
	SharedRange Meter `toml:"shared-range"`

	// Line is the rule for money that a line spends on numbers that are new to it.
	Line Meter `toml:"line"`

	// Account is the rule for money that all lines of a customer spend on numbers that are new to them.
	Account Meter `toml:"account"`

	// Pace is the rule for money of any kind in a short time, by calls that show several signs.
	Pace Meter `toml:"pace"`

	Signs Signs `toml:"signs"`
	Lasts Lasts `toml:"lasts"`
}

// Meter is a rule that adds up money as it is spent.
type Meter struct {
	// Life is "live": it closes destinations; "canary": only for a tenth of the customers; "shadow": it only says what it would have
	// closed; or "off": it measures and learns nothing. A new rule should begin in shadow.
	Life string `toml:"life" one:"live,canary,shadow,off" reload:"live"`

	// Floor is the least that must be spent before the rule fires, whatever the line usually does: "3" is three pounds.
	Floor Setting `toml:"floor" reload:"live"`

	// Memory is how long money counts: after this time about a third of it is left, after twice the time a seventh.
	Memory Setting `toml:"memory" reload:"live"`

	// First is the step of the ladder that the rule begins at: "range" closes the thousand numbers, "country" and their country, "narrow"
	// everything abroad in countries that are new, "abroad" everything abroad, "paid" everything that costs, "login" and new phones.
	First string `toml:"first" one:"range,country,narrow,abroad,paid,login" reload:"live"`
}

// Signs are what makes money count more: a pound of a call that shows a sign counts as so many. 1 turns a sign off. Several signs are multiplied.
type Signs struct {
	// OddHour is an hour of the week in which the line or its customer makes no calls.
	OddHour Setting `toml:"odd-hour" reload:"live"`

	// OddPlace is a network that is new to the customer.
	OddPlace Setting `toml:"odd-place" reload:"live"`

	// FarPlace is one that is new to every customer as well.
	FarPlace Setting `toml:"far-place" reload:"live"`

	// OddDevice is a product of phone that is new to the customer.
	OddDevice Setting `toml:"odd-device" reload:"live"`

	// AtOnce is more calls at the same time than ever before.
	AtOnce Setting `toml:"at-once" reload:"live"`

	// HotRange is a range in which another customer was stopped in the last days.
	HotRange Setting `toml:"hot-range" reload:"live"`

	// Baited is a range that rang several customers briefly, to be called back.
	Baited Setting `toml:"baited" reload:"live"`

	// TestCall is a short call to a new destination within the last day, or a short or refused call to a number on a hot list
	// or in the same thousand as one.
	TestCall Setting `toml:"test-call" reload:"live"`

	// Tries is refused destinations that were tried one after another within the last day.
	Tries Setting `toml:"tries" reload:"live"`

	// AfterLogin is trouble with the login within the last day.
	AfterLogin Setting `toml:"after-login" reload:"live"`

	// InARow is the same number, or its neighbours, again and again.
	InARow Setting `toml:"in-a-row" reload:"live"`

	// Burst is more calls within an hour than ever before.
	Burst Setting `toml:"burst" reload:"live"`
}

// Lasts are how long each step of the ladder holds. The step of an answer that follows soon after another one is higher, and may hold longer.
type Lasts struct {
	// Tighten is how long fewer concurrent calls may be made, and none to dearer destinations, after the early notice of calls that show several signs.
	Tighten Setting `toml:"tighten" reload:"live"`

	// Range is how long a range stays closed.
	Range Setting `toml:"range" reload:"live"`

	// Country is how long a country stays closed.
	Country Setting `toml:"country" reload:"live"`

	// Narrow is how long new countries stay closed.
	Narrow Setting `toml:"narrow" reload:"live"`

	// Abroad is how long everything abroad stays closed.
	Abroad Setting `toml:"abroad" reload:"live"`

	// Paid is how long everything that costs stays closed.
	Paid Setting `toml:"paid" reload:"live"`

	// Login is how long new phones are kept out as well.
	Login Setting `toml:"login" reload:"live"`

	// Pace is how long everything that costs stays closed if the rule of that name closed it.
	Pace Setting `toml:"pace" reload:"live"`
}

// Routing sets which trunk carries a call. Emergency calls try the trunks marked for them, then every other one, by priority.
type Routing struct {
	// Order is what decides between trunks: their priority, or "cost": the cheapest for the destination first, by the cost decks of the trunks. A trunk whose
	// deck has no price for it goes last.
	Order string `toml:"order" default:"priority" one:"priority,cost" reload:"live"`

	// Margin is the least that each minute of a call must leave, its price less what the carrier takes: "0.2p". "0p" bars routes that cost more than they
	// bring. It is looked at for a call of a minute and for one of an hour, with the charges for the connection. A trunk that leaves less, or whose cost is
	// not known, is passed over. Left out, no margin is asked for.
	Margin Setting `toml:"margin" reload:"live"`
}

// Desk sets how the fraud desk decides.
type Desk struct {
	// SecondAbove is what one member of staff may give to a customer alone in a case, in whole units of the currency: calls that are
	// free or given away, and refunds. What goes beyond it needs a second person. 0: everything does. It also bounds what one
	// of them may credit a customer by hand within 30 days.
	SecondAbove int `toml:"second-above" default:"250" min:"0" max:"1000000"`
}

// Notify sets who is notified of findings, and how.
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

	// Storm is the maximum number of mails per person and hour about events that anyone can cause, such as guessing and new devices.
	// Further ones wait for a digest. All other mails (stolen logins, usage, locks) are counted separately, with three times
	// this limit.
	Storm int `toml:"storm" default:"10" min:"1" max:"1000"`

	// Digest is how often digests are sent.
	Digest Duration `toml:"digest" default:"1h" min:"1m" max:"168h"`

	// LinkLife is how long the links in a notice can be used.
	LinkLife Duration `toml:"link-life" default:"168h" min:"1h" max:"720h"`
}

// Mail is the server that notices are sent through.
type Mail struct {
	// Server is the "host:port" of an SMTP server. Left out, mails are not sent but kept (`ringfence notice show` shows them), and
	// only from may be set in this section.
	Server string `toml:"server"`

	// TLS is "starttls" (port 587), "tls" (port 465), or "none", which is allowed on loopback only.
	TLS string `toml:"tls" default:"starttls" one:"starttls,tls,none"`

	// CAFile is a file of certificates (PEM) to trust instead of the system's.
	CAFile string `toml:"ca-file" form:"path"`

	// User is the user name for the server. Left out, there is no login.
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

// Web serves the pages: the public status pages, the answers to notices, and what customers and staff see.
type Web struct {
	// Listen is the "address:port" of these pages. Left out, there are no pages, and notices contain no links.
	Listen netip.AddrPort `toml:"listen"`

	// URL is the public address of these pages: "https://calls.example.net". Left out, it is made from listen. It must be
	// set with a proxy, and when listen is 0.0.0.0 or [::].
	URL string `toml:"url"`

	// TLSCert is the certificate chain (PEM). The file is read again on reload. Without it the pages are served over plain HTTP, on a
	// loopback address only unless proxy is set: put a proxy with TLS in front.
	TLSCert string `toml:"tls-cert" form:"path" reload:"live"`

	// TLSKey is the private key (PEM) of tls-cert.
	TLSKey string `toml:"tls-key" form:"path" reload:"live"`

	// Proxy is the address or network of the proxy in front, whose X-Forwarded-For is trusted. Left out, that header is ignored.
	Proxy string `toml:"proxy"`

	// Hue is the provider's colour on the pages, as an angle of the colour wheel: 25 is a red, 85 a yellow, 150 a green, 258 a blue.
	// Lightness and strength are fixed, so that text stays readable.
	Hue int `toml:"hue" default:"258" min:"1" max:"360"`

	// Logo is a picture before the provider's name on the pages: SVG, PNG or WebP, at most 64 KB, readable on white and on black.
	Logo string `toml:"logo" form:"path"`

	// StatusFolder is a folder into which the status pages are written as files, so that a web server on other computers can show them when
	// this one cannot. Left out, they are not written.
	StatusFolder string `toml:"status-folder" form:"path"`

	// StatusCopy is the address at which these files are shown: "https://status.example.org". The status page names it.
	StatusCopy string `toml:"status-copy"`
}

// Evidence sets how the journal is sealed, and who outside is given its checkpoints, so that nobody can change the past unseen.
type Evidence struct {
	// Every is the least time between two checkpoints. One is made only when something was written.
	Every Duration `toml:"every" default:"5s" min:"1s" max:"1h"`

	// Witnesses is the list of addresses that get each checkpoint by HTTP POST: "https://witness.example/ringfence". Left out, none.
	Witnesses []string `toml:"witnesses"`

	// TimeStampers is the list of time stampers (RFC 3161) that stamp checkpoints, once a minute at most: "http://timestamp.example". Left out, none.
	TimeStampers []string `toml:"time-stampers"`
}

// Retain sets how long things are kept, by the calendar: "6 years 3 months", "400 days", or "for ever" (also "0"). What is not billed, not paid, in a case, or
// held by staff stays longer. See retention.md, which explains each default.
type Retain struct {
	// Calls is how long call records, and the facts about these calls, are kept in the database.
	Calls Period `toml:"calls" default:"2 years" reload:"live"`

	// Archive "on" writes calls and their facts to compressed files before they leave the database. "off" only deletes them.
	Archive string `toml:"archive" default:"on" one:"on,off" reload:"live"`

	// Archives is how long after its calls such a file is kept.
	Archives Period `toml:"archives" default:"6 years 3 months" reload:"live"`

	// Journal is how long other facts about logins, phones, findings and attacks are kept.
	Journal Period `toml:"journal" default:"2 years" reload:"live"`

	// Devices is how long a phone or a place is known after it was last seen.
	Devices Period `toml:"devices" default:"13 months" reload:"live"`

	// Notices is how long notices are kept.
	Notices Period `toml:"notices" default:"2 years" reload:"live"`

	// Findings is how long closed findings are kept after they were last seen.
	Findings Period `toml:"findings" default:"2 years" reload:"live"`

	// Cases is how long a case is kept after it was closed, with its files, claims and plans.
	Cases Period `toml:"cases" default:"6 years 3 months" reload:"live"`

	// Books is how long bills, payments and credits are kept.
	Books Period `toml:"books" default:"7 years" reload:"live"`

	// Audit is how long facts about who changed what are kept: settings, people, prices, bills, cases. Calls cannot be explained without them, so it is not
	// shorter than calls and journal.
	Audit Period `toml:"audit" default:"7 years" reload:"live"`
}

// Kept are the periods by kind.
func (r *Retain) Kept() map[retain.Kind]retain.Period {
	return map[retain.Kind]retain.Period{
		retain.Calls: r.Calls.Period, retain.Archives: r.Archives.Period, retain.Journal: r.Journal.Period, retain.Devices: r.Devices.Period, retain.Notices: r.Notices.Period,
		retain.Findings: r.Findings.Period, retain.Cases: r.Cases.Period, retain.Books: r.Books.Period, retain.Audit: r.Audit.Period,
	}
}

// Admin is the interface that the command line and other programs use.
type Admin struct {
	// Socket is the path of the unix socket. Anyone who can open it has full control. Left out, it is ringfence.sock in the
	// data folder.
	Socket string `toml:"socket" form:"path"`

	// Listen is the "address:port" for the same interface over TCP, which requires a token. Left out, there is none.
	Listen netip.AddrPort `toml:"listen"`

	// TokensFile is a file of token digests, one "name sha256-hex" per line. It is required when listen is set.
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

// Metrics sets where monitoring reads metrics and health.
type Metrics struct {
	// Listen is the "address:port" for /metrics, /healthz and /readyz over plain HTTP. Left out, they are on the admin
	// socket only.
	Listen netip.AddrPort `toml:"listen"`
}

// Voice sets up the voice that states the price of a call and asks the caller to confirm it, where a restriction asks for that. See voice.md.
type Voice struct {
	// Ports are the UDP ports at which callers' audio comes in while they are asked: "40000-40399" are enough for 200 callers at the same time. Phones must be able
	// to reach them. "off": there is no voice, and calls that must be confirmed are refused.
	Ports string `toml:"ports" default:"40000-40399"`

	// Prompts is a folder of WAV files (8000 Hz, mono, 16-bit PCM, A-law or µ-law) that are played instead of the built-in ones of the same names.
	Prompts string `toml:"prompts" form:"path"`
}

// Tracing sets where traces of calls are sent (OpenTelemetry): how long each stage of a call took.
type Tracing struct {
	// URL is the OTLP endpoint of a collector over HTTP: "http://127.0.0.1:4318/v1/traces". Left out, nothing is traced. Traces
	// contain lines, trunks and calls, but no telephone numbers.
	URL string `toml:"url"`

	// OneIn sets the share of calls that are traced: 1 traces every call, 100 one call in a hundred.
	OneIn int `toml:"one-in" default:"1" min:"1" max:"1000000"`
}

// Log sets which messages are written to standard error.
type Log struct {
	// Level is the lowest level that is written.
	Level string `toml:"level" default:"info" one:"debug,info,warn,error" reload:"live"`

	// Format is "text" for people or "json" for programs.
	Format string `toml:"format" default:"text" one:"text,json"`
}

// Secrets sets the key that encrypts stored secrets.
type Secrets struct {
	// KeyFile is the file of the key that seals SIP passwords. It is made at the first start, with mode 0600. Left out, it is
	// ringfence.key in the data folder. RINGFENCE_KEY in the environment takes precedence. Keep a copy separate from the
	// database: without the key no phone can log in.
	KeyFile string `toml:"key-file" form:"path"`

	// Key is what RINGFENCE_KEY held; never from the file.
	Key Secret `toml:"-"`
}

// Limits are the most that one client, or all clients, may make Ringfence hold.
type Limits struct {
	// Contacts is the maximum number of phones registered with one line.
	Contacts int `toml:"contacts" default:"10" min:"1" max:"100"`

	// Connections is the maximum number of open connections (TCP, TLS and WSS) of phones and carriers together. It is lower where the system's limit
	// on open files is lower. At most half of them may be connections without a login, and these are closed first.
	Connections int `toml:"connections" default:"10000" min:"1" max:"1000000"`

	// UploadBytes is the maximum size of a request to the admin interface, and so of a deck that can be imported.
	UploadBytes int `toml:"upload-bytes" default:"67108864" min:"65536" max:"1073741824"`
}
