package carrier

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/money"
	"ringfence/core/rating"
)

func london(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// Every form has one call of 73 seconds, at five past two in the afternoon of 28 June 2026 in London, that cost 1.23p.
func TestForms(t *testing.T) {
	at := time.Date(2026, 6, 28, 13, 5, 30, 0, time.UTC)
	for name, file := range map[string]string{
		"plain":              "start,from,to,seconds,cost\n2026-06-28 14:05:30,+442079460101,+353871234567,73,0.0123\n",
		"with zone":          "Start Time;From;To;Duration;Cost\n2026-06-28T13:05:30Z;+442079460101;+353871234567;73;0,0123\n",
		"with offset":        "startTime,from,to,duration,price\n2026-06-28T14:05:30+01:00,+442079460101,+353871234567,73,-0.0123\n",
		"Twilio":             "Call Sid,Start Time,From,To,Duration,Price\nCA1,\"Sun, 28 Jun 2026 13:05:30 +0000\",+442079460101,+353871234567,73,-0.01230\n",
		"Asterisk":           "clid,src,dst,calldate,duration,billsec,disposition,cost\n\"\"\"Pat\"\" <101>\",+442079460101,+353871234567,2026-06-28 14:05:30,81,73,ANSWERED,0.0123\n",
		"day and time":       "Date,Time,Calling Number,Called Number,Length,Charge (p)\n28/06/2026,14:05:30,+442079460101,+353871234567,0:01:13,1.23\n",
		"a title above":      "Acme Telecom - call records\n\nCall Date,CLI,Destination,Dialled Number,Call Duration (s),Cost (GBP)\n28/06/2026 14:05:30,+442079460101,Ireland mobile,+353871234567,73,£0.0123\n",
		"seconds since 1970": "timestamp\tcaller\tcalled\tduration\tcost\n1782651930\t+442079460101\t+353871234567\t73.0\t0.0123\n",
		"header says UTC":    "Start (UTC)|A number|B number|Duration (min)|Cost (pence)\n2026-06-28 13:05:30|+442079460101|+353871234567|1:13|1.23\n",
		"American":           "Start,From,To,Minutes,Cost\n06/28/2026 2:05:30 PM,+442079460101,+353871234567,1.21667,0.0123\n",
		"byte order mark":    "\xef\xbb\xbfAnswer Time,Setup Time,From,To,Billable Seconds,Call ID,Cost\r\n2026-06-28 14:05:30,2026-06-28 14:05:21,+442079460101,+353871234567,73,rf-1,0.0123\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Read([]byte(file), Options{Zone: london(t)})
			if err != nil || f.FaultCount != 0 || len(f.Rows) != 1 {
				t.Fatalf("%v, %+v", err, f)
			}
			r := f.Rows[0]
			if !r.Start.Equal(at) || r.Talk.Round(time.Second) != 73*time.Second || r.Caller != "+442079460101" || r.Called != "+353871234567" || !r.Priced || r.Cost != 12_300 {
				t.Errorf("%+v\n%q", r, f.Columns)
			}
		})
	}
}

func TestColumnsNamedByHand(t *testing.T) {
	file := "Anrufer;Ziel;Beginn;Dauer;Dauer2\n+442079460101;+353871234567;28.06.2026 14:05:30;73;60\n"
	f, err := Read([]byte(file), Options{Zone: london(t), Map: []string{"Anrufer=caller", "2=called", "beginn = start", "Dauer=seconds"}})
	if err != nil || len(f.Rows) != 1 || f.Rows[0].Talk != 73*time.Second {
		t.Fatalf("%v, %+v", err, f)
	}
	if want := []string{"Anrufer → caller", "Ziel → called", "Beginn → start", "Dauer → seconds"}; !slices.Equal(f.Columns, want) {
		t.Errorf("%q", f.Columns)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		opt  Options
		want string
	}{
		"nothing":           {"  \n", Options{}, "empty"},
		"a workbook":        {"PK\x03\x04", Options{}, "CSV"},
		"packed":            {"\x1f\x8b\x08", Options{}, "unpack"},
		"no header":         {"1,2,3\n4,5,6\n", Options{}, "no row names columns"},
		"no caller":         {"start,to,seconds\n2026-06-28 14:05,1,2\n", Options{}, "no column for caller"},
		"two durations":     {"start,from,to,duration,seconds\n2026-06-28 14:05,1,2,3,4\n", Options{}, `columns "duration" and "seconds" may both be the seconds: say which with --map "duration=seconds"`},
		"a meaning unknown": {"start,from,to,seconds\n", Options{Map: []string{"start=begin"}}, "is not a meaning"},
		"a column unknown":  {"start,from,to,seconds\n", Options{Map: []string{"begin=start"}}, `no column "begin"`},
		"not a mapping":     {"start,from,to,seconds\n", Options{Map: []string{"start"}}, "want COLUMN=MEANING"},
		"dates":             {"start,from,to,seconds\n01/02/2026 10:00,1,2,3\n", Options{}, "is the day first or the month"},
	} {
		t.Run(name, func(t *testing.T) {
			c.opt.Zone = time.UTC
			_, err := Read([]byte(c.file), c.opt)
			var unread *Unread
			if !errors.As(err, &unread) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if (name == "dates") != (unread != nil && unread.Question != nil) {
				t.Errorf("%+v", unread)
			}
		})
	}
	f, err := Read([]byte("start,from,to,seconds\n01/02/2026 10:00,1,2,3\n"), Options{Zone: time.UTC, Dates: rating.MonthFirst})
	if err != nil || len(f.Rows) != 1 || f.Rows[0].Start.Month() != time.January {
		t.Errorf("%v %+v", err, f)
	}
	many := "start,from,to,seconds\n" + strings.Repeat("2026-06-28 14:05,1,2,3\n", MaxRows+1)
	if _, err := Read([]byte(many), Options{Zone: time.UTC}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("too many rows: %v", err)
	}
}

// A row that is at fault is named by line and column; the others are read.
func TestRowsAtFault(t *testing.T) {
	f, err := Read([]byte(`start,from,to,seconds,cost
2026-06-28 14:05,1,2,x,
yesterday,1,2,3,
2026-06-28,1,2,3,
2026-06-28 14:05,1,,3,
2026-06-28 14:05,1,2,3,dear
2026-06-28 14:05,1,2,-3,
2026-06-28 14:05 PDT,1,2,3,
2026-06-28 14:05,1,2,0,
2026-06-28 14:05,1,2,,
2026-06-28 14:05,1,2,3,
`), Options{Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, x := range f.Faults {
		lines = append(lines, fmt.Sprint(x.Line, " ", x.Name))
	}
	want := []string{"2 seconds", "3 start", "4 start", "5 to", "6 cost", "7 seconds", "8 start"}
	if !slices.Equal(lines, want) || f.FaultCount != len(want) || f.Unanswered != 2 || len(f.Rows) != 1 || f.Rows[0].Line != 11 || f.Rows[0].Priced {
		t.Errorf("%q, %+v", lines, f)
	}
	f, err = Read([]byte("start,from,to,seconds,cost\n2026-06-28 14:05,1,2,3,0.10\n2026-06-28 14:06,1,2,3,-0.10\n2026-06-28 14:07,1,2,3,0\n"), Options{Zone: time.UTC})
	if err != nil || f.FaultCount != 1 || f.Faults[0].Line != 3 || len(f.Rows) != 2 {
		t.Errorf("a credit among charges: %v %+v", err, f)
	}
	bad := "start,from,to,seconds\n" + strings.Repeat("x,1,2,3\n", MaxFaults+5)
	if f, err := Read([]byte(bad), Options{Zone: time.UTC}); err != nil || len(f.Faults) != MaxFaults || f.FaultCount != MaxFaults+5 {
		t.Errorf("%v: %d of %d faults", err, len(f.Faults), f.FaultCount)
	}
}

// TestAnInvoiceWithoutCallers guards that what is compared by number and time needs no caller, and that all else does.
func TestAnInvoiceWithoutCallers(t *testing.T) {
	const file = "Start Time,To,Duration,Net amount\n2026-06-28 14:05:30,+353871234567,73,0.0123\n"
	f, err := Read([]byte(file), Options{Zone: time.UTC, NoCaller: true})
	if err != nil || len(f.Rows) != 1 || f.Rows[0].Caller != "" || f.Rows[0].Cost != 12_300 {
		t.Errorf("%v %+v", err, f)
	}
	if _, err := Read([]byte(file), Options{Zone: time.UTC}); err == nil {
		t.Error("records without callers were read")
	}
	if _, err := Read([]byte(",,,\n"), Options{Zone: time.UTC, NoCaller: true}); err == nil {
		t.Error("a file of commas was read")
	}
}

func TestWordsOfHeadersMeanOneThing(t *testing.T) {
	seen := map[string]field{}
	for _, h := range headers {
		for _, list := range h.ranks {
			for name := range strings.SplitSeq(list, "|") {
				if name == "" {
					continue
				}
				if strings.Join(splitWords(name), " ") != name {
					t.Errorf("%q is never found", name)
				}
				if f, twice := seen[name]; twice {
					t.Errorf("%q is %v and %v", name, f, h.field)
				}
				seen[name] = h.field
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("start,from,to,seconds,cost\n2026-06-28 14:05:30,+442079460101,+353871234567,73,0.0123\n"), "3=called")
	f.Add([]byte("Date;Time;CLI;Destination;Length\n28/06/2026;14:05;1;2;0:01\n"), "")
	f.Fuzz(func(t *testing.T, data []byte, mapped string) {
		o := Options{Zone: time.UTC}
		if mapped != "" {
			o.Map = []string{mapped}
		}
		file, err := Read(data, o)
		if err != nil {
			return
		}
		for _, r := range file.Rows {
			if r.Talk <= 0 || r.Talk > maxTalk || r.Called == "" || r.Cost < 0 || r.Cost > money.Max || r.Line < 1 {
				t.Errorf("%+v", r)
			}
		}
	})
}
