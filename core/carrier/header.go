package carrier

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// field is what a column holds.
type field uint8

const (
	fieldNone field = iota
	fieldStart
	fieldDay // the day alone, beside fieldClock
	fieldClock
	fieldCaller
	fieldCalled
	fieldTalk
	fieldCost
	fieldID
	fieldIgnored
	numFields
)

// names of fields in --map; the unit of talk and cost may follow.
var names = map[string]meaning{
	"start": {field: fieldStart}, "date": {field: fieldDay}, "time": {field: fieldClock}, "caller": {field: fieldCaller}, "called": {field: fieldCalled},
	"seconds": {field: fieldTalk}, "minutes": {field: fieldTalk, minutes: true}, "cost": {field: fieldCost}, "cost (p)": {field: fieldCost, hundredths: true},
	"id": {field: fieldID}, "ignore": {field: fieldIgnored},
}

// meaning is a field and the unit of its column.
type meaning struct {
	field      field
	rank       int  // of two columns for one field the higher is taken
	minutes    bool // talk time in minutes
	hundredths bool // cost in pence, cents
	utc        bool // the header says that times are UTC
}

// words of headers, without units: each list from the clearest to the vaguest.
var headers = []struct {
	field field
	ranks [3]string
}{
	{fieldStart, [3]string{
		"answer time|answered|answered at|answer|answer date|connect time|connected|connect|connection time",
		"start time|start|started|started at|start date|start datetime|start date time|call start|call start time|begin|begin time|begun|date time|datetime|call date time|timestamp|calldate|call datetime|setup time",
		"call date|call time|created|time stamp",
	}},
	{fieldDay, [3]string{"", "", "date|day|start day|call day"}},
	{fieldClock, [3]string{"", "", "time|time of day|clock"}},
	{fieldCaller, [3]string{
		"caller|caller number|calling number|calling party|calling party number|from|from number|source number|a number|anumber|a party|originating number|origination number|cli|ani|src|presented number|caller id number",
		"source|caller id|callerid|clid|originator|origin|from uri|calling",
		"account number",
	}},
	{fieldCalled, [3]string{
		"called|called number|called party|called party number|to|to number|destination number|dialled number|dialed number|dialled|dialed|number dialled|number dialed|number called|b number|bnumber|b party|dst|dnis|callee|terminating number|termination number",
		"destination|dialled digits|dialed digits|to uri|number",
		"telephone number",
	}},
	{fieldTalk, [3]string{
		"billsec|talk time|talktime|conversation time|call seconds|answered duration",
		"seconds|duration|call duration|length|call length|elapsed|minutes",
		"billed seconds|billed duration|billable seconds|billable duration|bill seconds|bill duration|chargeable duration|chargeable seconds|charged duration|charged seconds|rated duration|billed minutes|billable minutes",
	}},
	{fieldCost, [3]string{"cost|price|charge|call cost|call charge|call price|total cost|net cost|buy cost", "amount|charged amount|net amount|total|net", "debit"}},
	{fieldID, [3]string{"call id|callid|sip call id|sip callid", "sid|call sid|uuid|call uuid|unique id|uniqueid|call reference|cdr id|record id", "id|reference|ref"}},
}

var dictionary = func() map[string]meaning {
	all := map[string]meaning{}
	for _, h := range headers {
		for i, list := range h.ranks {
			for name := range strings.SplitSeq(list, "|") {
				if name != "" {
					all[name] = meaning{field: h.field, rank: len(h.ranks) - i}
				}
			}
		}
	}
	return all
}()

// read says what a header names.
func read(header string) meaning {
	words := splitWords(header)
	m := meaning{}
	for len(words) > 0 {
		if known, ok := dictionary[strings.Join(words, " ")]; ok {
			m.field, m.rank = known.field, known.rank
			m.minutes = m.minutes || m.field == fieldTalk && words[len(words)-1] == "minutes"
			return m
		}
		switch words[len(words)-1] { // units come last
		case "utc", "gmt", "z":
			m.utc = true
		case "min", "mins", "minutes":
			m.minutes = true
		case "p", "pence", "cents", "ct":
			m.hundredths = true
		case "s", "sec", "secs", "seconds", "local", "e164", "hh", "mm", "ss", "gbp", "eur", "usd":
		default:
			return meaning{}
		}
		words = words[:len(words)-1]
	}
	return meaning{}
}

// splitWords are the words of a header in small letters: "startTime" and "start_time (UTC)" have the same two, and a third.
func splitWords(header string) []string {
	var b strings.Builder
	small := false
	for _, c := range header {
		switch {
		case unicode.IsUpper(c) && small:
			b.WriteByte(' ')
			b.WriteRune(unicode.ToLower(c))
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			b.WriteRune(unicode.ToLower(c))
		default:
			b.WriteByte(' ')
		}
		small = unicode.IsLower(c)
	}
	return strings.Fields(b.String())
}

// columns say which cell holds each field.
type columns struct {
	at   [numFields]int // cell from 1; 0: there is none
	of   [numFields]meaning
	head []string
}

// recognise finds the columns in a header. Columns that were named by hand take precedence.
func recognise(cells, mapped []string) (c columns, reason string) {
	c.head = slices.Clone(cells)
	byHand, reason := readMap(cells, mapped)
	if reason != "" {
		return c, reason
	}
	doubt := ""
	for i, cell := range cells {
		m, given := byHand[i]
		if given {
			m.rank = 9
		} else {
			m = read(cell)
		}
		switch f := m.field; {
		case f == fieldNone || f == fieldIgnored:
		case c.at[f] == 0 || m.rank > c.of[f].rank:
			c.at[f], c.of[f] = i+1, m
		case m.rank == c.of[f].rank && doubt == "":
			doubt = fmt.Sprintf("columns %q and %q may both be the %s: say which with --map %q, and --map %q",
				cells[c.at[f]-1], cell, f, cells[c.at[f]-1]+"="+f.String(), cell+"=ignore")
		}
	}
	return c, doubt
}

// readMap reads columns that were named by hand.
func readMap(cells, mapped []string) (map[int]meaning, string) {
	out := map[int]meaning{}
	for _, text := range mapped {
		i := strings.LastIndexByte(text, '=')
		if i <= 0 {
			return nil, fmt.Sprintf("--map %q: want COLUMN=MEANING, such as %q", text, "Anrufer=caller")
		}
		column, word := strings.TrimSpace(text[:i]), strings.ToLower(strings.TrimSpace(text[i+1:]))
		m, ok := names[word]
		if !ok {
			return nil, fmt.Sprintf("--map %q: %q is not a meaning: want start, date, time, caller, called, seconds, minutes, cost, cost (p), id or ignore", text, word)
		}
		at := slices.IndexFunc(cells, func(cell string) bool { return strings.EqualFold(strings.TrimSpace(cell), column) })
		if n, err := strconv.Atoi(column); at < 0 && err == nil && n >= 1 && n <= len(cells) {
			at = n - 1
		}
		if at < 0 {
			return nil, fmt.Sprintf("--map %q: the header has no column %q; it has %s", text, column, strings.Join(cells, ", "))
		}
		out[at] = m
	}
	return out, ""
}

// score is how much of a header was recognised.
func (c *columns) score() (n int) {
	for f := fieldStart; f < fieldIgnored; f++ {
		if c.at[f] > 0 {
			n++
		}
	}
	return n
}

// lacks is the required fields that a file does not have.
func (c *columns) lacks(noCaller bool) (all []string) {
	if c.at[fieldStart] == 0 && c.at[fieldDay] == 0 {
		all = append(all, "start")
	}
	for _, f := range []field{fieldCaller, fieldCalled, fieldTalk} {
		if c.at[f] == 0 && (f != fieldCaller || !noCaller) {
			all = append(all, f.String())
		}
	}
	return all
}

var fieldNames = [numFields]string{
	fieldStart: "start", fieldDay: "date", fieldClock: "time", fieldCaller: "caller", fieldCalled: "called", fieldTalk: "seconds", fieldCost: "cost",
	fieldID: "id", fieldIgnored: "ignore",
}

// String is the name that --map takes.
func (f field) String() string { return cmp.Or(fieldNames[f], "ignore") }
