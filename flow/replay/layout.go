package replay

import (
	"fmt"
	"slices"
	"strings"
)

// The columns that a row is read from. Only those of required must be there.
var fields = []string{"id", "time", "line", "customer", "kind", "dialled", "seconds", "ring_seconds", "answered", "source", "user_agent", "duration", "cause"}

var required = []string{"time", "line", "dialled", "seconds"}

// Layout says in which columns a file of calls has what is read of it.
type Layout struct {
	Name    string
	Columns map[string]string // field → names of columns, apart by "|": the first that is not empty counts
	Header  []string          // of files that have none
	Nanos   bool              // durations are nanoseconds
}

// Layouts are those that are known, in the order in which they are tried.
func Layouts() []Layout {
	same := map[string]string{}
	for _, f := range fields[:11] {
		same[f] = f
	}
	return []Layout{
		{Name: "native", Columns: same},
		{Name: "ringfence", Nanos: true, Columns: map[string]string{
			"id": "id", "time": "begun", "line": "line", "customer": "account", "kind": "direction", "dialled": "dialled", "cause": "cause",
			"seconds": "talk_ns", "ring_seconds": "ring_ns", "answered": "answered", "source": "source", "user_agent": "user_agent",
		}},
		{Name: "asterisk", Columns: map[string]string{
			"id": "uniqueid", "time": "start|calldate", "line": "accountcode|src", "dialled": "dst", "seconds": "billsec",
			"duration": "duration", "answered": "disposition",
		}, Header: []string{
			"accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end",
			"duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield",
		}},
		{Name: "freeswitch", Columns: map[string]string{
			"id": "uuid", "time": "start_stamp", "line": "accountcode|caller_id_number", "dialled": "destination_number", "seconds": "billsec",
			"duration": "duration", "answered": "answer_stamp",
		}, Header: []string{
			"caller_id_name", "caller_id_number", "destination_number", "context", "start_stamp", "answer_stamp", "end_stamp",
			"duration", "billsec", "hangup_cause", "uuid", "bleg_uuid", "accountcode", "read_codec", "write_codec",
		}},
		{Name: "kamailio", Columns: map[string]string{
			"id": "callid|sip_callid|call_id", "time": "start_time", "line": "src_user|caller_id|from_user", "dialled": "dst_ouser|dst_user|callee_id|to_user",
			"seconds": "duration", "source": "src_ip",
		}},
		{Name: "opensips", Columns: map[string]string{
			"id": "callid", "time": "created|time", "line": "src_user|caller_id|from_user|from_uri", "dialled": "dst_user|callee_id|to_user|to_uri|ruri",
			"seconds": "duration", "ring_seconds": "setuptime", "source": "src_ip",
		}},
	}
}

// ParseMap reads columns named by hand: "line=accountcode", field first.
func ParseMap(pairs []string) (map[string]string, error) {
	named := map[string]string{}
	for _, p := range pairs {
		field, column, ok := strings.Cut(p, "=")
		if field = strings.TrimSpace(field); !ok || !slices.Contains(fields, field) {
			return nil, fmt.Errorf("map %q: want FIELD=COLUMN, and FIELD is one of %s", p, strings.Join(fields, ", "))
		}
		named[field] = strings.TrimSpace(column)
	}
	return named, nil
}

// layoutOf finds the layout of a file by its first record. name is the one that was asked for, "" is any; named are columns by hand. headless says that
// the record is no header but a row.
func layoutOf(first []string, name string, named map[string]string) (at map[string][]int, l Layout, headless bool, err error) {
	var why error
	for _, l := range Layouts() {
		if name != "" && name != l.Name {
			continue
		}
		l.Columns = merge(l.Columns, named)
		at, missing := l.find(first)
		if len(missing) == 0 {
			return at, l, false, unclear(first, at, named)
		}
		if l.Header != nil && len(first) >= len(l.Header)-3 && !slices.Contains(first, l.Header[2]) && headlessRow(first, l.Header) {
			at, _ = l.find(l.Header)
			return at, l, true, nil
		}
		if why == nil {
			why = fmt.Errorf("the header (%.200s) has no column for %s: name it with --map FIELD=COLUMN", strings.Join(first, ","), strings.Join(missing, ", "))
		}
	}
	if why == nil {
		why = fmt.Errorf("there is no format %q: there are native, ringfence, asterisk, freeswitch, kamailio and opensips", name)
	}
	return nil, l, false, why
}

// unclear says which column that is read stands in a header twice, and which that was named by hand does not.
func unclear(header []string, at map[string][]int, named map[string]string) error {
	for _, field := range fields {
		if column, ok := named[field]; ok && len(at[field]) == 0 {
			return fmt.Errorf("--map %s=%s: the header (%.200s) has no such column", field, column, strings.Join(header, ","))
		}
		for _, i := range at[field] {
			if slices.ContainsFunc(header[i+1:], func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), strings.TrimSpace(header[i])) }) {
				return fmt.Errorf("the header has the column %.60q twice", header[i])
			}
		}
	}
	return nil
}

// headlessRow says that a record can be a row under a header: its times are times.
func headlessRow(cells, header []string) bool {
	i := slices.IndexFunc(header, func(h string) bool { return h == "start" || h == "start_stamp" })
	if i >= len(cells) {
		return false
	}
	_, ok := parseTime(cells[i], nil)
	return ok
}

func merge(columns, named map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range []map[string]string{columns, named} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// find gives the cells of each field, and which of the required ones there are not.
func (l *Layout) find(header []string) (at map[string][]int, missing []string) {
	at = map[string][]int{}
	for field, names := range l.Columns {
		for name := range strings.SplitSeq(names, "|") {
			i := slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), name) })
			if i >= 0 {
				at[field] = append(at[field], i)
			}
		}
	}
	for _, f := range required {
		if len(at[f]) == 0 {
			missing = append(missing, f)
		}
	}
	return at, missing
}
