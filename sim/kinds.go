package sim

import "strings"

// kind is how customers of one trade use their lines.
type kind struct {
	name, about string
	usual       int    // how many of a thousand customers are of this kind, among those that are kept back or among the others
	kept        bool   // kept back from tuning: detectors are judged by it, and no figure of theirs is set by it
	lines       [2]int // of a customer
	seats       [2]int // calls that a line can have in progress
	perDay      float64
	spread      float64    // how far lines differ from perDay (sigma of a log-normal)
	moody       float64    // how far days differ from each other
	week        [7]float64 // Sunday first
	hours       hours
	late        float64 // share of calls at any other hour
	inbound     float64 // calls in, for each call out
	shared      float64 // share of a line's address book that is its customer's
	streams     []stream
	phases      []phase
	meeting     meeting
	every       int      // seconds between calls of a machine, which calls nobody else; 0: people call
	bank        float64  // factor on bank holidays
	school      float64  // factor while schools are closed; 0 is 1
	feast       float64  // factor on feasts; 0 is 1
	year        []int    // per cent, by month; nil is 100
	away        float64  // weeks a year in which there is nobody
	ceiling     int      // pence: the least international ceiling
	national    int      // pence: the national ceiling; 0 is the default
	devices     []string // of which a line has one
	renewals    float64  // devices that a line gets in a year
	dynamic     int      // days after which the address changes; 0: it is fixed
	moves       float64  // networks that a customer gets in a year
	homeDays    float64  // share of days on which a line works from another, fixed, network
	roams       float64  // share of calls from whatever network is there
}

// stream is one sort of people that a line calls.
type stream struct {
	places   []string // "A | B": a customer has some of the countries, each with its landlines and mobiles; otherwise places of the tariff
	choose   [2]int   // how many countries a customer has
	share    float64  // of the line's calls
	book     [2]int   // numbers in the address book
	fresh    float64  // share of calls that go to a number never called
	keep     float64  // share of those that enter the address book
	talk     lengths
	answered float64
}

// phase is a time in which a customer calls otherwise: a campaign, a project, a harvest, a relative who is ill.
type phase struct {
	perYear  float64
	days     [2]int
	boost    float64 // of the line's calls
	share    float64 // of the calls that go to the people of the phase
	places   []string
	choose   [2]int
	contacts [2]int
	fresh    float64 // share of these calls to a number never called
	talk     lengths
}

// meeting is a conference: several people are called within a minute or two, and stay.
type meeting struct {
	perWeek float64
	people  [2]int
}

const (
	europe  = "Ireland | France | Germany | Spain | Italy | Netherlands | Belgium | Portugal | Poland | Romania | Sweden | Denmark | Norway | Switzerland | Austria | Greece | Cyprus | Czechia | Hungary | Turkey | Bulgaria"
	kin     = "India | Pakistan | Poland | Romania | Nigeria | Ireland | Bangladesh | Jamaica | Ghana | Philippines | Sri Lanka | Turkey | Kenya | Somalia | Zimbabwe | Lithuania | Portugal | South Africa | Latvia | Gambia | Sierra Leone | Morocco | Nepal | Mali | Uganda | Brazil | Afghanistan | Iraq | Eritrea | Cyprus"
	trade   = "China | Hong Kong SAR China | Germany | Italy | Turkey | India | Vietnam | Bangladesh | Morocco | Tunisia | Egypt | South Africa | Kenya | Ghana | Brazil | United States | Mexico | Thailand | Taiwan | South Korea | Poland | Ukraine | United Arab Emirates | Pakistan | Sri Lanka | Peru | Chile | Serbia | Bulgaria | Indonesia | Ethiopia | Madagascar | Mauritius | Colombia"
	rich    = "United States | Switzerland | Monaco | Luxembourg | United Arab Emirates | Cyprus | Spain | France | Jersey | Gibraltar | Hong Kong SAR China | Singapore | Russia | Bahamas | Bermuda | Cayman Islands | Saudi Arabia | Qatar | Israel | Malta"
	guests  = "Germany | France | United States | Italy | Spain | Netherlands | China | Japan | Australia | Ireland | Poland | Saudi Arabia | United Arab Emirates | India | Brazil | Russia | Canada | South Korea | Nigeria | Switzerland | Israel | Turkey | Kuwait | Norway | Egypt | Lithuania | Ukraine | Malta | Argentina | Ghana"
	tech    = "United States | India | Poland | Germany | Ireland | Ukraine | Canada | Israel | Netherlands | Singapore | Romania | Sweden"
	ports   = "Netherlands | Belgium | Singapore | Ecuador | Greece | China | Malta | Cyprus | Liberia | Nigeria | Angola | Brazil | India | Egypt | Djibouti | Kenya | Senegal | Norway | Croatia | Turkey | Georgia | Mauritania | Papua New Guinea | Fiji"
	harvest = "Romania | Bulgaria | Lithuania | Ukraine | Nepal | Kazakhstan | Moldova"
	asia    = "Australia | New Zealand | Japan | Singapore | India | Philippines | Malaysia | China"
	all     = europe + " | " + kin + " | " + trade
)

func local(share float64, book int, fresh float64) stream {
	return stream{[]string{"UK geographic"}, [2]int{}, share, [2]int{book / 2, book * 3 / 2}, fresh, 0.25, lengths{95, 1.1}, 0.78}
}

func mobile(share float64, book int, fresh float64) stream {
	return stream{[]string{"UK mobile"}, [2]int{}, share, [2]int{book / 2, book * 3 / 2}, fresh, 0.25, lengths{70, 1.1}, 0.62}
}

func odds(share float64) stream {
	return stream{[]string{"UK-wide 03", "UK freephone", "UK-wide 03", "UK basic rate 0845", "UK 0870", "UK basic rate 0843 and 0844", "UK higher rate 0871"}, [2]int{}, share, [2]int{4, 14}, 0.25, 0.2, lengths{180, 1.2}, 0.93}
}

func foreign(places string, choose [2]int, share float64, book int, fresh float64, talk lengths) stream {
	return stream{strings.Split(places, " | "), choose, share, [2]int{book / 2, book * 3 / 2}, fresh, 0.3, talk, 0.7}
}

var (
	weekdays = [7]float64{0.03, 1.05, 1.05, 1, 1, 0.9, 0.08}
	sixDays  = [7]float64{0.1, 1, 1, 1, 1, 1, 0.55}
	allWeek  = [7]float64{1, 1, 1, 1, 1, 1.1, 1.1}
	family   = [7]float64{1.6, 0.9, 0.8, 0.85, 0.85, 0.9, 1.3}

	office    = hours{7: 0.1, 8: 0.6, 9: 1.1, 10: 1.3, 11: 1.2, 12: 0.8, 13: 0.7, 14: 1.2, 15: 1.2, 16: 1.1, 17: 0.5, 18: 0.08}
	workshop  = hours{6: 0.2, 7: 0.9, 8: 1.3, 9: 1, 10: 0.9, 11: 0.8, 12: 0.8, 13: 0.7, 14: 0.8, 15: 0.9, 16: 1, 17: 0.9, 18: 0.5, 19: 0.3, 20: 0.1}
	evenings  = hours{7: 0.1, 8: 0.2, 9: 0.4, 10: 0.6, 11: 0.6, 12: 0.5, 13: 0.5, 14: 0.5, 15: 0.6, 16: 0.7, 17: 0.9, 18: 1.3, 19: 1.6, 20: 1.5, 21: 1, 22: 0.4, 23: 0.1}
	alwaysOn  = hours{0: 0.6, 1: 0.5, 2: 0.4, 3: 0.3, 4: 0.3, 5: 0.4, 6: 0.7, 7: 1, 8: 1.1, 9: 0.9, 10: 0.8, 11: 0.8, 12: 0.9, 13: 0.9, 14: 0.9, 15: 1.1, 16: 1.2, 17: 1.3, 18: 1.2, 19: 1.1, 20: 1, 21: 1, 22: 1.1, 23: 1}
	nights    = hours{20: 0.3, 21: 0.9, 22: 1.2, 23: 1.2, 0: 1.2, 1: 1, 2: 1, 3: 1, 4: 0.9, 5: 0.8, 6: 0.3}
	frontDesk = hours{6: 0.2, 7: 0.7, 8: 1, 9: 1, 10: 0.8, 11: 0.7, 12: 0.7, 13: 0.6, 14: 0.7, 15: 0.8, 16: 0.9, 17: 1, 18: 1.1, 19: 1, 20: 0.9, 21: 0.8, 22: 0.6, 23: 0.3, 0: 0.1}
	floor     = hours{8: 0.5, 9: 1, 10: 1.2, 11: 1.2, 12: 1, 13: 1, 14: 1.2, 15: 1.2, 16: 1.2, 17: 1.2, 18: 1.1, 19: 0.8}

	desk      = []string{"Yealink SIP-T46U 108.86.0.90", "Yealink SIP-T54W 96.86.0.100", "Grandstream GXP2170 1.0.11.84", "Snom D735/10.1.169.16", "PolycomVVX-VVX_411-UA/6.4.4.5156", "Cisco/SPA504G-7.6.2f", "Fanvil X4U 2.12.19"}
	exchanges = []string{"FPBX-16.0.40.7(18.20.0)", "Asterisk PBX 18.20.0", "3CXPhoneSystem 18.0.9.23", "FreeSWITCH-mod_sofia/1.10.11", "Panasonic-MPR08-KX-NS700/V5", "Mitel-3300-ICP 9.4", "Avaya IP Office 11.1.2"}
	softs     = []string{"Zoiper rv2.10.19", "Bria 6.5.2", "Linphone/5.2.4", "MicroSIP/3.21.3", "Acrobits SoftPhone/6.2"}
	homes     = []string{"Gigaset C530A IP/42.25", "Grandstream HT801 1.0.43.11", "FRITZ!OS", "Zoiper rv2.10.19", "Yealink W60B 77.85.0.25"}
	boxes     = []string{"Grandstream HT802 1.0.43.11", "Cisco/SPA112-1.4.1", "AudioCodes-Sip-Gateway-MP112"}
)

// kinds are all of them, in the order in which lists name them.
var kinds = []kind{
	{
		name: "plumber", usual: 230, about: "a tradesman with one phone: short calls to many mobiles, six days a week", lines: [2]int{1, 1}, seats: [2]int{1, 1},
		perDay: 13, spread: 0.5, moody: 0.3, week: sixDays, hours: workshop, late: 0.01, inbound: 1, bank: 0.3, away: 4, ceiling: 2,
		streams: []stream{local(0.3, 50, 0.3), mobile(0.6, 90, 0.35), odds(0.08), foreign(europe, [2]int{1, 1}, 0.005, 1, 0.1, lengths{200, 0.9})},
		devices: softs, renewals: 0.5, dynamic: 20, moves: 0.3, roams: 0.5,
	},
	{
		name: "small-office", usual: 190, about: "an office of a few people on one trunk", lines: [2]int{1, 2}, seats: [2]int{4, 8},
		perDay: 45, spread: 0.5, moody: 0.2, week: weekdays, hours: office, late: 0.005, inbound: 0.8, bank: 0.03, away: 1.5, ceiling: 10,
		streams: []stream{local(0.48, 110, 0.15), mobile(0.34, 90, 0.2), odds(0.12), foreign(europe, [2]int{1, 4}, 0.06, 9, 0.1, lengths{190, 1})},
		phases:  []phase{{perYear: 1.5, days: [2]int{5, 25}, boost: 1.2, share: 0.08, places: strings.Split(all, " | "), choose: [2]int{1, 2}, contacts: [2]int{2, 6}, fresh: 0.1, talk: lengths{200, 1}}},
		devices: append(exchanges[:4:4], desk[:2]...), renewals: 0.4, moves: 0.3,
	},
	{
		name: "solicitor", usual: 60, about: "a law firm with clients abroad, some of them on dear islands: few calls, long ones", lines: [2]int{2, 5}, seats: [2]int{2, 3},
		perDay: 18, spread: 0.5, moody: 0.3, week: weekdays, hours: office, late: 0.02, inbound: 0.7, shared: 0.4, bank: 0.1, away: 2, ceiling: 20,
		streams: []stream{local(0.44, 60, 0.12), mobile(0.32, 60, 0.15), odds(0.08), foreign(rich, [2]int{3, 8}, 0.14, 22, 0.035, lengths{330, 1})},
		phases:  []phase{{perYear: 1.5, days: [2]int{10, 60}, boost: 1.25, share: 0.1, places: strings.Split(rich, " | "), choose: [2]int{1, 2}, contacts: [2]int{2, 5}, fresh: 0.05, talk: lengths{600, 0.9}}},
		devices: desk, renewals: 0.3, moves: 0.2, homeDays: 0.12,
	},
	{
		name: "family", usual: 210, about: "a family with relatives abroad: long calls in the evening and on Sundays", lines: [2]int{1, 1}, seats: [2]int{1, 2},
		perDay: 3.2, spread: 0.6, moody: 0.5, week: family, hours: evenings, late: 0.02, inbound: 0.7, bank: 1.4, feast: 3, away: 3, ceiling: 2,
		streams: []stream{local(0.25, 15, 0.12), mobile(0.33, 20, 0.12), odds(0.1), foreign(kin, [2]int{1, 2}, 0.32, 9, 0.015, lengths{560, 1})},
		phases: []phase{
			{perYear: 0.5, days: [2]int{4, 15}, boost: 1.8, share: 0.4, places: strings.Split(kin, " | "), choose: [2]int{1, 1}, contacts: [2]int{1, 3}, fresh: 0.05, talk: lengths{480, 0.9}},
		},
		devices: homes, renewals: 0.3, dynamic: 12, moves: 0.2,
	},
	{
		name: "call-centre", usual: 3, about: "thousands of calls a day to people who were never called before", lines: [2]int{1, 2}, seats: [2]int{40, 90},
		perDay: 3500, spread: 0.35, moody: 0.15, week: [7]float64{0, 1, 1, 1, 1, 1, 0.4}, hours: floor, inbound: 0.15, bank: 0, ceiling: 2,
		streams: []stream{
			{places: []string{"UK mobile"}, share: 0.55, book: [2]int{50, 100}, fresh: 0.93, keep: 0.02, talk: lengths{55, 1.2}, answered: 0.4},
			{places: []string{"UK geographic"}, share: 0.445, book: [2]int{50, 100}, fresh: 0.93, keep: 0.02, talk: lengths{60, 1.2}, answered: 0.5},
			foreign(europe, [2]int{1, 1}, 0.0005, 2, 0.2, lengths{100, 1}),
		},
		phases:  []phase{{perYear: 6, days: [2]int{4, 15}, boost: 1.5, share: 0.3, places: []string{"UK mobile"}, contacts: [2]int{30, 60}, fresh: 0.95, talk: lengths{50, 1.2}}},
		devices: exchanges[3:5], renewals: 0.2, moves: 0.1,
	},
	{
		name: "hotel", usual: 15, about: "guests who call home, each to another number, at all hours", lines: [2]int{1, 1}, seats: [2]int{10, 20},
		perDay: 60, spread: 0.6, moody: 0.25, week: allWeek, hours: frontDesk, late: 0.04, inbound: 1.1, bank: 1, ceiling: 40, national: 70, year: []int{60, 70, 80, 90, 105, 125, 140, 150, 120, 95, 75, 85},
		streams: []stream{local(0.5, 90, 0.2), mobile(0.33, 40, 0.5), odds(0.07), foreign(guests, [2]int{18, 30}, 0.1, 14, 0.75, lengths{210, 1.1})},
		phases:  []phase{{perYear: 12, days: [2]int{2, 6}, boost: 1.2, share: 0.15, places: strings.Split(guests, " | "), choose: [2]int{1, 1}, contacts: [2]int{3, 12}, fresh: 0.4, talk: lengths{240, 1}}},
		devices: exchanges[4:], renewals: 0.1, moves: 0.1,
	},
	{
		name: "import-export", usual: 35, about: "an importer with suppliers in many countries, new ones all the time, and big days without warning", lines: [2]int{1, 4}, seats: [2]int{4, 8},
		perDay: 40, spread: 0.6, moody: 0.55, week: weekdays, hours: hours{4: 0.1, 5: 0.2, 6: 0.4, 7: 0.8, 8: 1.2, 9: 1.2, 10: 1.1, 11: 1, 12: 0.8, 13: 0.8, 14: 1, 15: 1, 16: 0.9, 17: 0.6, 18: 0.3, 19: 0.2}, late: 0.02, inbound: 0.6, shared: 0.6, bank: 0.2, away: 1, ceiling: 40,
		streams: []stream{local(0.35, 60, 0.12), mobile(0.22, 50, 0.15), odds(0.07), foreign(trade, [2]int{8, 18}, 0.36, 90, 0.06, lengths{190, 1.1})},
		phases: []phase{
			{perYear: 4, days: [2]int{5, 40}, boost: 1.3, share: 0.2, places: strings.Split(trade, " | "), choose: [2]int{1, 3}, contacts: [2]int{3, 10}, fresh: 0.12, talk: lengths{260, 1.1}},
			{perYear: 8, days: [2]int{1, 2}, boost: 3, share: 0.3, places: strings.Split(trade, " | "), choose: [2]int{1, 2}, contacts: [2]int{3, 8}, fresh: 0.1, talk: lengths{200, 1}},
		},
		devices: append(exchanges[:3:3], desk[:3]...), renewals: 0.4, moves: 0.3, homeDays: 0.05,
	},
	{
		name: "conference", usual: 12, about: "an office that calls everybody of a meeting at the same minute", lines: [2]int{1, 2}, seats: [2]int{20, 30},
		perDay: 25, spread: 0.4, moody: 0.25, week: weekdays, hours: office, late: 0.01, inbound: 0.5, bank: 0.05, away: 1, ceiling: 20,
		streams: []stream{local(0.35, 70, 0.1), mobile(0.3, 70, 0.12), odds(0.1), foreign(tech+" | "+europe, [2]int{3, 8}, 0.25, 30, 0.06, lengths{240, 1})},
		meeting: meeting{4, [2]int{4, 14}}, devices: exchanges[:4], renewals: 0.3, moves: 0.2,
	},
	{
		name: "night-shift", usual: 18, about: "a firm that works at night with the far side of the world", lines: [2]int{1, 3}, seats: [2]int{3, 6},
		perDay: 26, spread: 0.4, moody: 0.3, week: [7]float64{0.8, 1, 1, 1, 1, 0.8, 0.1}, hours: nights, late: 0.03, inbound: 0.6, shared: 0.4, bank: 0.6, away: 1, ceiling: 20,
		streams: []stream{local(0.35, 40, 0.1), mobile(0.3, 40, 0.12), odds(0.05), foreign(asia, [2]int{2, 5}, 0.3, 25, 0.08, lengths{260, 1})},
		devices: desk, renewals: 0.3, moves: 0.2, homeDays: 0.1,
	},
	{
		name: "charity", usual: 25, about: "quiet, with campaigns in which volunteers call thousands", lines: [2]int{1, 3}, seats: [2]int{4, 12},
		perDay: 18, spread: 0.4, moody: 0.3, week: [7]float64{0.15, 1, 1, 1, 1, 0.9, 0.3}, hours: office, late: 0.01, inbound: 0.7, bank: 0.1, away: 1.5, ceiling: 20,
		streams: []stream{local(0.5, 70, 0.15), mobile(0.35, 70, 0.2), odds(0.1), foreign(kin, [2]int{1, 3}, 0.05, 7, 0.08, lengths{260, 1})},
		phases:  []phase{{perYear: 3, days: [2]int{5, 14}, boost: 9, share: 0.85, places: []string{"UK mobile", "UK geographic"}, contacts: [2]int{30, 60}, fresh: 0.9, talk: lengths{110, 1}}},
		devices: exchanges[:3], renewals: 0.3, moves: 0.2,
	},
	{
		name: "school", usual: 22, about: "terms and holidays, mornings full of calls to parents", lines: [2]int{1, 2}, seats: [2]int{4, 8},
		perDay: 42, spread: 0.4, moody: 0.25, week: [7]float64{0, 1.1, 1, 1, 1, 1, 0.02}, hours: hours{7: 0.4, 8: 1.6, 9: 1.8, 10: 1, 11: 0.8, 12: 0.7, 13: 0.6, 14: 0.8, 15: 1.1, 16: 0.7, 17: 0.2}, inbound: 0.9, bank: 0, school: 0.12, ceiling: 2,
		streams: []stream{local(0.4, 80, 0.1), mobile(0.52, 160, 0.12), odds(0.07), foreign(europe, [2]int{1, 2}, 0.004, 2, 0.2, lengths{200, 1})},
		phases:  []phase{{perYear: 2, days: [2]int{2, 6}, boost: 1.1, share: 0.08, places: []string{"France", "France - mobile", "Spain", "Spain - mobile", "Austria", "Germany"}, contacts: [2]int{2, 4}, fresh: 0.1, talk: lengths{150, 0.9}}},
		devices: exchanges[4:], renewals: 0.15, moves: 0.1,
	},
	{
		name: "software", usual: 14, about: "a software firm with one line per seat, many at home, new people every month", lines: [2]int{8, 30}, seats: [2]int{1, 2},
		perDay: 4.5, spread: 0.7, moody: 0.4, week: weekdays, hours: hours{8: 0.3, 9: 0.9, 10: 1.2, 11: 1.1, 12: 0.7, 13: 0.7, 14: 1.1, 15: 1.2, 16: 1.2, 17: 0.9, 18: 0.5, 19: 0.2, 20: 0.1}, late: 0.02, inbound: 0.5, shared: 0.7, bank: 0.05, away: 5, ceiling: 10,
		streams: []stream{local(0.33, 12, 0.15), mobile(0.37, 20, 0.15), odds(0.08), foreign(tech, [2]int{3, 6}, 0.22, 16, 0.05, lengths{380, 1.1})},
		devices: append(softs[:4:4], desk[:2]...), renewals: 0.6, moves: 0.3, homeDays: 0.4,
	},
	{
		name: "alarm", usual: 40, about: "alarms and lifts that call one number at fixed times, and faxes", lines: [2]int{1, 3}, seats: [2]int{1, 1},
		perDay: 1, week: allWeek, hours: nights, inbound: 0.02, bank: 1, every: 24 * 3600, ceiling: 2,
		streams: []stream{{places: []string{"UK-wide 03", "UK geographic", "UK basic rate 0845"}, share: 1, book: [2]int{1, 2}, talk: lengths{22, 0.3}, answered: 0.97}},
		devices: boxes, renewals: 0.05, moves: 0.1,
	},
	{
		name: "taxi", usual: 8, about: "a taxi office: short calls to mobiles day and night, each another", lines: [2]int{1, 2}, seats: [2]int{6, 12},
		perDay: 260, spread: 0.4, moody: 0.15, week: [7]float64{1.1, 0.8, 0.8, 0.9, 1, 1.4, 1.5}, hours: alwaysOn, inbound: 1.6, bank: 1.2, ceiling: 2,
		streams: []stream{
			{places: []string{"UK mobile"}, share: 0.85, book: [2]int{100, 160}, fresh: 0.55, keep: 0.1, talk: lengths{22, 0.8}, answered: 0.7},
			local(0.13, 60, 0.3), odds(0.015), foreign(guests, [2]int{3, 8}, 0.003, 3, 0.8, lengths{25, 0.6}),
		},
		devices: exchanges[:3], renewals: 0.2, moves: 0.1,
	},
	{
		name: "farm", usual: 25, about: "quiet in winter; at harvest its workers call home", lines: [2]int{1, 2}, seats: [2]int{2, 4},
		perDay: 6, spread: 0.4, moody: 0.35, week: sixDays, hours: workshop, late: 0.02, inbound: 0.8, bank: 0.6, ceiling: 20, year: []int{50, 50, 70, 90, 110, 160, 190, 200, 170, 120, 70, 50},
		streams: []stream{local(0.5, 40, 0.12), mobile(0.4, 40, 0.15), odds(0.1)},
		phases:  []phase{{perYear: 4, days: [2]int{14, 50}, boost: 2, share: 0.45, places: strings.Split(harvest, " | "), choose: [2]int{1, 2}, contacts: [2]int{5, 14}, fresh: 0.12, talk: lengths{380, 1}}},
		devices: homes, renewals: 0.2, dynamic: 30, moves: 0.2,
	},
	{
		name: "salesman", usual: 40, about: "a travelling salesman: his phone is on another network every few hours", lines: [2]int{1, 1}, seats: [2]int{1, 1},
		perDay: 20, spread: 0.4, moody: 0.35, week: weekdays, hours: workshop, late: 0.03, inbound: 0.8, bank: 0.15, away: 4, ceiling: 20,
		streams: []stream{local(0.28, 70, 0.15), mobile(0.5, 90, 0.15), odds(0.07), foreign(europe, [2]int{2, 5}, 0.15, 25, 0.1, lengths{180, 1})},
		devices: softs, renewals: 0.7, dynamic: 20, roams: 0.8,
	},
	{
		name: "restaurant", usual: 40, about: "a restaurant: bookings in, suppliers out, late at night too", lines: [2]int{1, 1}, seats: [2]int{2, 3},
		perDay: 12, spread: 0.4, moody: 0.25, week: [7]float64{1.1, 0.5, 0.8, 0.9, 1, 1.3, 1.4}, hours: hours{9: 0.5, 10: 0.9, 11: 1.1, 12: 0.9, 13: 0.6, 14: 0.6, 15: 0.8, 16: 1, 17: 1.2, 18: 1.2, 19: 1, 20: 0.8, 21: 0.7, 22: 0.6, 23: 0.4, 0: 0.2}, inbound: 2.5, bank: 1, away: 2, ceiling: 10,
		streams: []stream{local(0.35, 30, 0.12), mobile(0.5, 60, 0.3), odds(0.08), foreign(kin, [2]int{1, 1}, 0.06, 4, 0.05, lengths{480, 1})},
		devices: homes, renewals: 0.2, dynamic: 25, moves: 0.2,
	},
	{
		name: "surgery", usual: 13, about: "a doctors' surgery: results to patients, every weekday, mostly mobiles", lines: [2]int{1, 2}, seats: [2]int{6, 10},
		perDay: 95, spread: 0.3, moody: 0.15, week: [7]float64{0, 1.2, 1, 1, 1, 0.95, 0.05}, hours: office, inbound: 2, bank: 0, ceiling: 2,
		streams: []stream{local(0.35, 120, 0.15), mobile(0.57, 250, 0.25), odds(0.08)},
		devices: exchanges[4:], renewals: 0.15, moves: 0.1,
	},

	// These are kept back from tuning.
	{
		name: "recruiter", usual: 150, about: "an agency that calls candidates anywhere, for a country that changes with each contract", kept: true, lines: [2]int{3, 10}, seats: [2]int{1, 2},
		perDay: 30, spread: 0.4, moody: 0.35, week: weekdays, hours: hours{8: 0.5, 9: 1, 10: 1.2, 11: 1.2, 12: 0.9, 13: 0.7, 14: 1.1, 15: 1.2, 16: 1.1, 17: 1, 18: 0.7, 19: 0.3}, late: 0.01, inbound: 0.4, shared: 0.3, bank: 0.05, away: 4, ceiling: 20,
		streams: []stream{local(0.22, 40, 0.2), mobile(0.66, 80, 0.5), odds(0.04), foreign(europe, [2]int{1, 3}, 0.08, 20, 0.15, lengths{170, 1.1})},
		phases:  []phase{{perYear: 3, days: [2]int{5, 30}, boost: 1.15, share: 0.15, places: strings.Split(europe, " | "), choose: [2]int{1, 1}, contacts: [2]int{5, 15}, fresh: 0.35, talk: lengths{150, 1}}},
		devices: append(softs[:3:3], desk[:2]...), renewals: 0.4, moves: 0.3, homeDays: 0.25,
	},
	{
		name: "students", usual: 150, about: "a house of students from all over the world on one line", kept: true, lines: [2]int{1, 1}, seats: [2]int{2, 4},
		perDay: 9, spread: 0.4, moody: 0.4, week: allWeek, hours: evenings, late: 0.1, inbound: 0.6, bank: 1.2, school: 0.4, feast: 2, ceiling: 20,
		streams: []stream{local(0.19, 15, 0.2), mobile(0.4, 50, 0.2), odds(0.08), foreign(kin+" | "+guests, [2]int{4, 9}, 0.33, 24, 0.03, lengths{480, 1})},
		devices: homes, renewals: 0.5, dynamic: 10, moves: 0.4,
	},
	{
		name: "shipping", usual: 120, about: "a shipping agent: ports everywhere, ships by satellite, at any hour", kept: true, lines: [2]int{2, 5}, seats: [2]int{2, 4},
		perDay: 24, spread: 0.4, moody: 0.4, week: [7]float64{0.4, 1, 1, 1, 1, 1, 0.5}, hours: alwaysOn, inbound: 0.7, shared: 0.6, bank: 0.6, ceiling: 60,
		streams: []stream{
			local(0.34, 40, 0.1), mobile(0.24, 40, 0.12), odds(0.05), foreign(ports, [2]int{8, 16}, 0.36, 80, 0.06, lengths{120, 1}),
			{places: []string{"Satellite - Inmarsat", "Satellite - Iridium and Globalstar"}, share: 0.01, book: [2]int{4, 12}, fresh: 0.04, keep: 0.5, talk: lengths{100, 0.7}, answered: 0.6},
		},
		phases:  []phase{{perYear: 4, days: [2]int{2, 9}, boost: 1.3, share: 0.2, places: strings.Split(ports, " | "), choose: [2]int{1, 1}, contacts: [2]int{3, 7}, fresh: 0.1, talk: lengths{180, 1}}},
		devices: desk, renewals: 0.3, moves: 0.2, homeDays: 0.1,
	},
	{
		name: "embassy", usual: 80, about: "a consulate: one dear country all day, and its own feasts", kept: true, lines: [2]int{2, 6}, seats: [2]int{2, 4},
		perDay: 22, spread: 0.4, moody: 0.3, week: weekdays, hours: office, late: 0.02, inbound: 1.4, shared: 0.6, bank: 0.4, feast: 0.1, ceiling: 60,
		streams: []stream{local(0.3, 50, 0.15), mobile(0.36, 70, 0.3), odds(0.04), foreign("Gambia | Sierra Leone | Mali | Guinea | Mauritania | Tunisia | Cuba | Madagascar | Maldives", [2]int{1, 1}, 0.3, 50, 0.03, lengths{200, 1})},
		devices: desk, renewals: 0.2, moves: 0.1,
	},
	{
		name: "translators", usual: 120, about: "interpreters who call clients anywhere for somebody else, an hour at a time, several together", kept: true, lines: [2]int{1, 2}, seats: [2]int{6, 12},
		perDay: 40, spread: 0.4, moody: 0.35, week: [7]float64{0.2, 1, 1, 1, 1, 1, 0.4}, hours: hours{7: 0.4, 8: 0.8, 9: 1.1, 10: 1.2, 11: 1.2, 12: 1, 13: 1, 14: 1.1, 15: 1.1, 16: 1, 17: 0.8, 18: 0.6, 19: 0.5, 20: 0.4, 21: 0.3}, late: 0.04, inbound: 0.9, bank: 0.4, ceiling: 40,
		streams: []stream{local(0.3, 70, 0.15), mobile(0.49, 90, 0.4), odds(0.05), foreign(kin, [2]int{8, 16}, 0.16, 60, 0.06, lengths{420, 0.9})},
		meeting: meeting{5, [2]int{2, 4}}, devices: exchanges[:4], renewals: 0.3, moves: 0.2,
	},
	{
		name: "worship", usual: 200, about: "a place of worship: quiet, then feasts and collections for people far away", kept: true, lines: [2]int{1, 1}, seats: [2]int{2, 4},
		perDay: 6, spread: 0.5, moody: 0.5, week: [7]float64{0.8, 0.7, 0.7, 0.8, 0.9, 1.8, 1}, hours: evenings, late: 0.05, inbound: 1, bank: 1, feast: 4, ceiling: 20,
		streams: []stream{local(0.4, 50, 0.12), mobile(0.42, 70, 0.15), odds(0.05), foreign(kin, [2]int{2, 4}, 0.12, 14, 0.04, lengths{280, 1})},
		phases:  []phase{{perYear: 2, days: [2]int{3, 20}, boost: 2.5, share: 0.2, places: strings.Split(kin, " | "), choose: [2]int{1, 2}, contacts: [2]int{3, 10}, fresh: 0.15, talk: lengths{260, 1}}},
		devices: homes, renewals: 0.3, dynamic: 30, moves: 0.2,
	},
	{
		name: "press", usual: 180, about: "a news desk: whatever country is in the news tonight, with everybody at once", kept: true, lines: [2]int{3, 8}, seats: [2]int{1, 3},
		perDay: 16, spread: 0.4, moody: 0.5, week: [7]float64{0.7, 1, 1, 1, 1, 1, 0.6}, hours: alwaysOn, inbound: 0.5, shared: 0.5, bank: 0.7, away: 3, ceiling: 60,
		streams: []stream{local(0.3, 60, 0.2), mobile(0.5, 110, 0.3), odds(0.05), foreign(all, [2]int{5, 12}, 0.14, 40, 0.08, lengths{150, 1})},
		phases:  []phase{{perYear: 4, days: [2]int{1, 7}, boost: 1.6, share: 0.25, places: strings.Split(all, " | "), choose: [2]int{1, 1}, contacts: [2]int{4, 12}, fresh: 0.15, talk: lengths{150, 1}}},
		devices: append(softs[:3:3], desk[:2]...), renewals: 0.4, moves: 0.2, homeDays: 0.3,
	},
}

// kindNamed finds a kind.
func kindNamed(name string) *kind {
	for i := range kinds {
		if kinds[i].name == name {
			return &kinds[i]
		}
	}
	return nil
}
