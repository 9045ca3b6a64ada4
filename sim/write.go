package sim

import (
	"bufio"
	"encoding/csv"
	"io"
	"strconv"
	"time"
)

// WriteLines writes the lines as `ringfence replay --lines` reads them.
func (w *World) WriteLines(to io.Writer) error {
	out := csv.NewWriter(to)
	head := []string{"line", "customer", "zone", "first_seen", "number"}
	for _, s := range w.lines[0].Settings {
		head = append(head, s.Field.String())
	}
	_ = out.Write(head)
	for _, l := range w.lines {
		row := []string{l.ID, l.Customer, l.Zone, l.FirstSeen.Format(time.RFC3339), l.Number}
		for _, s := range l.Settings {
			row = append(row, s.Value)
		}
		_ = out.Write(row)
	}
	out.Flush()
	return out.Error()
}

// Written is what came of writing.
type Written struct {
	Calls, Honest, OfAttacks int64
}

// progressEvery is how many calls are written between two words of progress.
const progressEvery = 1 << 13

// WriteCalls writes the calls as `ringfence replay` reads them, and the labels of those that are not honest. progress is called now and then with the
// number of calls and the instant that they have come to; it ends the writing when it returns an error.
func (w *World) WriteCalls(calls, labels io.Writer, progress func(n int64, at time.Time) error) (Written, error) {
	var done Written
	out, marks := bufio.NewWriterSize(calls, 256<<10), bufio.NewWriter(labels)
	_, _ = out.WriteString("id,time,line,customer,kind,dialled,seconds,ring_seconds,answered,source,user_agent\n")
	_, _ = marks.WriteString("id,label\n")
	var row []byte
	for c := range w.Calls() {
		row = c.append(row[:0])
		if _, err := out.Write(row); err != nil {
			return done, err
		}
		if done.Calls++; c.Attack != nil {
			done.OfAttacks++
			_, _ = marks.WriteString(c.ID + "," + c.Attack.Label + "\n")
		} else {
			done.Honest++
		}
		if done.Calls%progressEvery == 0 && progress != nil {
			if err := progress(done.Calls, c.At); err != nil {
				return done, err
			}
		}
	}
	if err := out.Flush(); err != nil {
		return done, err
	}
	return done, marks.Flush()
}

// append writes the call as a row of the replay format. No cell of the simulator needs quotes.
func (c *Call) append(b []byte) []byte {
	b = append(append(b, c.ID...), ',')
	b = append(c.At.UTC().AppendFormat(b, time.RFC3339), ',')
	b = append(append(append(append(b, c.Line...), ','), c.Customer...), ',')
	kind := ",out,"
	if c.Inbound {
		kind = ",in,"
	}
	b = append(append(append(b[:len(b)-1], kind...), c.Dialled...), ',')
	b = append(strconv.AppendInt(b, int64(c.Talk/time.Second), 10), ',')
	b = append(strconv.AppendInt(b, int64(c.Rings/time.Second), 10), ',')
	answered := byte('0')
	if c.Answered {
		answered = '1'
	}
	b = append(b, answered, ',')
	b = append(append(append(b, c.Source...), ','), c.UserAgent...)
	return append(b, '\n')
}
