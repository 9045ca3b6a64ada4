package phone_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "ringfence/core/phone"
)

const blockTable = "\ufeffNMS Number Block: Number Block,Block Status,CP Name,Non Geo Number Length,Allocation Date\n" +
	"7000 0,Allocated,Example Telecom,10 digit numbers,06/11/1995\n" +
	"7000 1,Free,,10 digit numbers,\n" +
	"7000 19,Protected,,10 digit numbers,\n" +
	"7600 2,Quarantined,,10 digit numbers,\n" +
	"7601,Reserved,\"Example, Mobile\",10 digit numbers,\n" +
	"8000 01 1,Allocated(Closed Range),Example Telecom,9 digit numbers,\n" +
	"\n" +
	"NMS Number Block: Number Block,Block Status,CP Name,Geographic Number Length,Allocation Date,Notes\r\n" +
	"1134 95, free ,,3+7,,\r\n" +
	"2079 46 0,Designated,,2+8,,\r\n"

func TestBlocks(t *testing.T) {
	b, err := ReadBlocks(44, []byte(blockTable))
	if err != nil {
		t.Fatal(err)
	}
	if b.Len() != 8 || b.Free() != 2 {
		t.Errorf("%d blocks, %d free", b.Len(), b.Free())
	}
	for dialled, want := range map[string]Block{
		"070 0001 2345":   BlockHeld,
		"070 0011 2345":   BlockFree,
		"+44 70 00182345": BlockFree,
		"070 0019 2345":   BlockHeld, // the smaller block decides
		"070 0021 2345":   BlockUnknown,
		"076 0021 2345":   BlockHeld,
		"076 0112 3456":   BlockHeld,
		"0800 011 234":    BlockUnknown, // 8000 11 is not 8000 01 1
		"0800 001 123":    BlockHeld,
		"0113 495 1234":   BlockFree,
		"020 7946 0000":   BlockHeld,
		"020 7946 1000":   BlockUnknown,
		"+1 212 555 1234": BlockUnknown,
		"+33 142685300":   BlockUnknown,
		"101":             BlockUnknown,
		"999":             BlockUnknown,
	} {
		d, problem := UK().Parse(dialled)
		if got := b.Of(d.Number); problem != NoProblem || got != want {
			t.Errorf("%s: %d (%s), want %d", dialled, got, problem, want)
		}
	}
	if got := b.Of(Number{}); got != BlockUnknown {
		t.Errorf("no number: %d", got)
	}
}

// TestOldTablesRefuseNothing: blocks are given out every week, so a table of 90 days says nothing any more; one from the future ages from today.
func TestOldTablesRefuseNothing(t *testing.T) {
	b, err := ReadBlocks(44, []byte("Number Block,Block Status\n7012 3,Free\n"))
	if err != nil {
		t.Fatal(err)
	}
	n, _ := UK().Parse("070 1234 5678")
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		made, at time.Time
		want     Block
	}{
		"fresh":                         {now, now, BlockFree},
		"89 days old":                   {now.Add(-89 * day), now, BlockFree},
		"just 90 days old":              {now.Add(-90 * day), now, BlockFree},
		"older":                         {now.Add(-90*day - time.Second), now, BlockUnknown},
		"of a clock that went wrong":    {now.Add(400 * day), now, BlockFree},
		"of such a clock, 91 days on":   {now.Add(400 * day), now.Add(91 * day), BlockUnknown},
		"grown old while it was in use": {now.Add(-80 * day), now.Add(11 * day), BlockUnknown},
	} {
		if d := b.Dated(c.made, now); d.At(n.Number, c.at) != c.want || d.Stale(c.at) != (c.want == BlockUnknown) {
			t.Errorf("%s: %d, want %d", name, d.At(n.Number, c.at), c.want)
		}
	}
	if (*DatedBlocks)(nil).At(n.Number, now) != BlockUnknown {
		t.Error("no table says something")
	}
}

func TestWrongBlocks(t *testing.T) {
	const header = "Number Block,Block Status\n"
	for table, want := range map[string]string{
		"":                                   "no blocks",
		header:                               "no blocks",
		"7000 0,Free\n":                      "line 1: there is no header",
		"Prefix,Rate\n44,1\n":                "line 1: there is no header",
		"<html><body>Not found</body>":       "line 1: there is no header",
		header + "7000 1,Free\nabc,Free\n":   `line 3: "abc" is not a block`,
		header + "0700,Free\n":               `line 2: "0700" is not a block`,
		header + "70001234567,Free\n":        `line 2: "70001234567" is not a block`,
		header + "7000 1\n":                  "line 2: the row has 1 columns",
		header + "\"7000 1,Free\n7000 2,F\n": "line 2",
	} {
		if _, err := ReadBlocks(44, []byte(table)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", table, err, want)
		}
	}
}

func FuzzReadBlocks(f *testing.F) {
	f.Add([]byte(blockTable), uint64(447000123456))
	f.Add([]byte("Number Block,Block Status\n7,Free"), uint64(447000123456))
	f.Fuzz(func(t *testing.T, table []byte, digits uint64) {
		b, err := ReadBlocks(44, table)
		if (b == nil) == (err == nil) {
			t.Fatalf("%v, %v", b, err)
		}
		if b == nil {
			return
		}
		if b.Free() < 0 || b.Len() < 1 {
			t.Fatalf("%d blocks, %d free", b.Len(), b.Free())
		}
		if n, ok := FromDigits(digits); ok && b.Of(n) != BlockUnknown && !strings.HasPrefix(n.String(), "+44") {
			t.Fatalf("%s is in a block of the United Kingdom", n)
		}
	})
}

// The real tables: every block says what its row says, and all of them are read at once.
func TestOfcomTables(t *testing.T) {
	var all []byte
	for _, sheet := range []string{"S3", "S5", "S7", "S8", "S9"} {
		all = append(append(all, shared(t, filepath.Join("data/numbering/ofcom", sheet+".csv"))...), '\n')
	}
	b, err := ReadBlocks(44, all)
	if err != nil || b.Len() < 45_000 || b.Free() < 8_000 {
		t.Fatal(b, err)
	}
	for line := range bytes.Lines(all) {
		block, rest, _ := strings.Cut(strings.TrimSpace(string(line)), ",")
		digits := strings.ReplaceAll(block, " ", "")
		if digits == "" || digits[0] < '1' || digits[0] > '9' {
			continue
		}
		want := BlockHeld
		if strings.HasPrefix(rest, "Free,") {
			want = BlockFree
		}
		n, ok := FromString("+44" + digits + "0000000000"[len(digits):])
		if !ok {
			t.Fatal(block)
		}
		if got := b.Of(n); got != want {
			t.Errorf("%s: %d, want %d", block, got, want)
		}
	}
}

func BenchmarkBlocks(b *testing.B) {
	var table bytes.Buffer
	table.WriteString("Number Block,Block Status\n")
	for i := range 100_000 {
		fmt.Fprintf(&table, "%d,Free\n", 7_000_00+i)
	}
	blocks, err := ReadBlocks(44, table.Bytes())
	if err != nil {
		b.Fatal(err)
	}
	d, _ := UK().Parse("070 1234 5678")
	b.ReportAllocs()
	for b.Loop() {
		blocks.Of(d.Number)
	}
}

// TestATableSaysHowFarItIsTrusted: an operator must learn that a table refuses nothing any more.
func TestATableSaysHowFarItIsTrusted(t *testing.T) {
	b, err := ReadBlocks(44, []byte(blockTable))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for want, d := range map[string]*DatedBlocks{
		"warning there is no table of number blocks":                                                      nil,
		"warning the table of number blocks is of 2026-08-30, more than 90 days old, and refuses nothing": b.Dated(now.Add(-91*24*time.Hour), now),
		"ok 8 blocks of numbers as of 2026-11-28, 2 of them free":                                         b.Dated(now.Add(-24*time.Hour), now),
	} {
		got := d.Check(now)
		if len(got) != 1 || got[0].What != "numbering" || !strings.HasPrefix(got[0].Level+" "+got[0].Text, want) {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}
