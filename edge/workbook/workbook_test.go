package workbook_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ringfence/core/rating"
	. "ringfence/edge/workbook"
)

// bomb stands for a part that unpacks to far more than it takes.
var bomb = "<sst>" + strings.Repeat(" ", 1<<20)

// file makes a workbook of parts; those that a part of the test does not name are as a spreadsheet writes them.
func file(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	all := map[string]string{
		"_rels/.rels": `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" ` +
			`Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml":            book("", `<sheet name="Rates" sheetId="1" r:id="rId1"/>`),
		"xl/_rels/workbook.xml.rels": relations("worksheet|worksheets/sheet1.xml", "sharedStrings|sharedStrings.xml", "styles|/xl/styles.xml", "worksheet|worksheets/sheet2.xml"),
		"xl/sharedStrings.xml":       `<sst><si><t>Prefix</t></si><si><r><t>Ra</t></r><r><t>te</t></r><rPh sb="0" eb="1"><t>x</t></rPh></si><si><t>Italy &amp; Vatican</t></si></sst>`,
		"xl/styles.xml": `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="165" formatCode="[Red]0.00\ &quot;per day&quot;"/></numFmts>` +
			`<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs></styleSheet>`,
	}
	for name, text := range parts {
		all[name] = text
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range []string{"_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/sharedStrings.xml", "xl/styles.xml", "xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml", "content.xml", "xl/workbook.bin"} {
		text, ok := all[name]
		if !ok || text == "-" {
			continue
		}
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		times := 1
		if text == bomb {
			times = 10
		}
		for range times {
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func book(properties, sheets string) string {
	return `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
		`<workbookPr ` + properties + `/><sheets>` + sheets + `</sheets></workbook>`
}

func relations(list ...string) string {
	var b strings.Builder
	for i, r := range list {
		kind, target, _ := strings.Cut(r, "|")
		fmt.Fprintf(&b, `<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%s" Target="%s"/>`, i+1, kind, target)
	}
	return "<Relationships>" + b.String() + "</Relationships>"
}

func sheet(rows string) map[string]string {
	return map[string]string{"xl/worksheets/sheet1.xml": `<?xml version="1.0" encoding="UTF-8"?><worksheet><sheetData>` + rows + `</sheetData></worksheet>`}
}

func TestCellsAreWhatIsStored(t *testing.T) {
	for _, c := range []struct{ name, cell, want string }{
		{"shared text", `<c r="A1" t="s"><v>2</v></c>`, "Italy & Vatican"},
		{"text in parts", `<c r="A1" t="s"><v>1</v></c>`, "Rate"},
		{"text in the cell", `<c r="A1" t="inlineStr"><is><t>a</t></is></c>`, "a"},
		{"a whole number", `<c r="A1"><v>39</v></c>`, "39"},
		{"a float of a whole number", `<c r="A1"><v>39.0</v></c>`, "39.0"},
		{"a number in binary", `<c r="A1"><v>1.4999999999999999E-2</v></c>`, "0.015"},
		{"what a formula came to", `<c r="A1"><f>0.1+0.2</f><v>0.30000000000000004</v></c>`, "0.3"},
		{"a formula that was not worked out", `<c r="A1"><f>B1*2</f></c>`, "=B1*2"},
		{"a long prefix", `<c r="A1"><v>4.47911123456E+11</v></c>`, "447911123456"},
		{"a date", `<c r="A1" s="1"><v>46053</v></c>`, "2026-01-31"},
		{"a date and a time", `<c r="A1" s="2"><v>46053.999988425923</v></c>`, "2026-01-31 23:59:59"},
		{"a number with words in its format", `<c r="A1" s="3"><v>0.5</v></c>`, "0.5"},
		{"30/6, which a spreadsheet made a day of", `<c r="A1" s="1"><v>46203</v></c>`, "2026-06-30"},
		{"true", `<c r="A1" t="b"><v>1</v></c>`, "true"},
		{"an error", `<c r="A1" t="e"><v>#N/A</v></c>`, "#N/A"},
		{"a date in words", `<c r="A1" t="d"><v>2026-01-31</v></c>`, "2026-01-31"},
	} {
		sheets, fault := Read(file(t, sheet(`<row r="1">`+c.cell+`</row>`)))
		if fault != nil || len(sheets) != 1 || len(sheets[0].Rows) != 1 || sheets[0].Rows[0][0] != c.want {
			t.Errorf("%s: %v %v, want %q", c.name, sheets, fault, c.want)
		}
	}
	rows := `<row r="2"><c r="B2"><v>1</v></c><c r="D2"/><c r="E2"><v>2</v></c></row><row><c><v>3</v></c><c><v>4</v></c></row>`
	sheets, fault := Read(file(t, sheet(rows)))
	if fault != nil || len(sheets[0].Rows) != 3 || sheets[0].Rows[0] != nil || !slices.Equal(sheets[0].Rows[1], []string{"", "1", "", "", "2"}) || !slices.Equal(sheets[0].Rows[2], []string{"3", "4"}) {
		t.Errorf("%v %v", sheets, fault)
	}
	parts := sheet(`<row r="1"><c r="A1" s="1"><v>44591</v></c></row>`)
	parts["xl/workbook.xml"] = book(`date1904="1"`, `<sheet name="Rates" sheetId="1" r:id="rId1"/><sheet name="Old" state="hidden" sheetId="2" r:id="rId4"/>`)
	parts["xl/worksheets/sheet2.xml"] = `<worksheet><sheetData/></worksheet>`
	if sheets, fault = Read(file(t, parts)); fault != nil || sheets[0].Rows[0][0] != "2026-01-31" || len(sheets) != 2 || !sheets[1].Hidden || sheets[1].Name != "Old" {
		t.Errorf("%v %v", sheets, fault)
	}
}

// Libraries make a short sheet of one that breaks off, and an empty cell of a text that is not there: rows of a price list go
// missing without a word.
func TestDamageIsAFaultAndNeverMissingRows(t *testing.T) {
	defer Bound(8 << 20)()
	whole := file(t, sheet(`<row r="1"><c r="A1"><v>1</v></c></row>`))
	with := func(part, text string) []byte {
		parts := sheet(`<row r="1"><c r="A1"><v>1</v></c></row>`)
		parts[part] = text
		return file(t, parts)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut", whole[:len(whole)/2], "damaged zip"},
		{"a sheet that breaks off", with("xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c`), "damaged workbook"},
		{"a sheet that ends early", with("xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row>`), "damaged workbook"},
		{"tags that do not match", file(t, sheet(`<row r="1"><c r="A1"><v>1</c></v></row>`)), "damaged workbook"},
		{"a text that is not there", file(t, sheet(`<row r="1"><c r="A1" t="s"><v>99</v></c></row>`)), "has text"},
		{"a text before the first", file(t, sheet(`<row r="1"><c r="A1" t="s"><v>-1</v></c></row>`)), "has text"},
		{"no number", file(t, sheet(`<row r="1"><c r="A1"><v>1.2.3</v></c></row>`)), "is not a number"},
		{"hexadecimal", file(t, sheet(`<row r="1"><c r="A1"><v>0x10</v></c></row>`)), "is not a number"},
		{"infinite", file(t, sheet(`<row r="1"><c r="A1"><v>1e999</v></c></row>`)), "is not a number"},
		{"a row twice", file(t, sheet(`<row r="1"/><row r="1"/>`)), "comes after row"},
		{"a row before the others", file(t, sheet(`<row r="2"/><row r="1"/>`)), "comes after row"},
		{"a row far below", file(t, sheet(`<row r="99999999"/>`)), "comes after row"},
		{"a cell twice", file(t, sheet(`<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>`)), "out of order"},
		{"a cell that there cannot be", file(t, sheet(`<row r="1"><c r="?1"><v>1</v></c></row>`)), "no cell"},
		{"a cell far away", file(t, sheet(`<row r="1"><c r="XFD1"><v>1</v></c></row>`)), "more than 1024 columns"},
		{"an unknown type", file(t, sheet(`<row r="1"><c r="A1" t="q"><v>1</v></c></row>`)), "is of type"},
		{"no sheet", file(t, nil), "there is no"},
		{"no texts", with("xl/sharedStrings.xml", "-"), "there is no"},
		{"no workbook", with("xl/workbook.xml", "-"), "there is no"},
		{"no sheets", with("xl/workbook.xml", book("", "")), "has 0 sheets"},
		{"a sheet without a part", with("xl/workbook.xml", book("", `<sheet name="a" r:id="rId9"/>`)), "is not in it"},
		{"a bomb", with("xl/sharedStrings.xml", bomb), "unpacks to more than"},
		{"OpenDocument", with("content.xml", "<x/>"), "OpenDocument"},
		{"xlsb", with("xl/workbook.bin", "x"), "binary workbook"},
	} {
		if sheets, fault := Read(c.data); fault == nil || !strings.Contains(fault.Found, c.want) || fault.Expected == "" {
			t.Errorf("%s: %.100v %v, want %s", c.name, sheets, fault, c.want)
		}
	}
}

// A price list in a workbook is read as one in text: below its title, from the one sheet that has prices.
func TestPriceListInAWorkbook(t *testing.T) {
	parts := sheet(`<row r="1"><c r="A1" t="inlineStr"><is><t>Prices from 2026</t></is></c></row>` +
		`<row r="3"><c r="A3" t="s"><v>0</v></c><c r="B3" t="inlineStr"><is><t>Destination</t></is></c><c r="C3" t="s"><v>1</v></c><c r="D3" t="inlineStr"><is><t>Increment</t></is></c></row>` +
		`<row r="4"><c r="A4"><v>39</v></c><c r="B4" t="s"><v>2</v></c><c r="C4"><v>1.4999999999999999E-2</v></c><c r="D4" t="inlineStr"><is><t>30/6</t></is></c></row>` +
		`<row r="5"><c r="A5"><v>33.0</v></c><c r="B5" t="inlineStr"><is><t>France</t></is></c><c r="C5" t="inlineStr"><is><t>0,0125</t></is></c><c r="D5"><v>60</v></c></row>` +
		`<row r="6"><c r="A6"><v>34</v></c><c r="B6" t="inlineStr"><is><t>Spain</t></is></c><c r="C6"><v>1.234</v></c><c r="D6"><v>60</v></c></row>` +
		`<row r="7"><c r="A7"><v>35</v></c><c r="B7" t="inlineStr"><is><t>Nowhere</t></is></c><c r="C7"><f>1/81</f><v>1.2345679012345678E-2</v></c><c r="D7"><v>1</v></c></row>`)
	parts["xl/workbook.xml"] = book("", `<sheet name="Notes" sheetId="2" r:id="rId4"/><sheet name="Rates" sheetId="1" r:id="rId1"/>`)
	parts["xl/worksheets/sheet2.xml"] = `<worksheet><sheetData><row><c t="inlineStr"><is><t>Call us</t></is></c></row></sheetData></worksheet>`
	sheets, fault := Read(file(t, parts))
	if fault != nil {
		t.Fatal(fault)
	}
	im := rating.ReadSheets(sheets, rating.ReadOptions{})
	var got []string
	for _, p := range im.Prices {
		got = append(got, fmt.Sprintf("%s %s %s %d/%d", p.Digits(), p.Name, p.Rates[rating.Peak], p.First, p.Step))
	}
	want := []string{"39 Italy & Vatican 0.015 30/6", "33 France 0.0125 60/60", "34 Spain 1.234 60/60", "35 Nowhere 0.012345679 1/1"}
	if !im.OK() || !slices.Equal(got, want) || im.Format.Sheet != "Rates" || im.Format.HeaderLine != 3 {
		t.Errorf("%v %q %+v", im.Faults, got, im.Format)
	}
	sheets = append(sheets, rating.Sheet{Name: "More", Rows: sheets[1].Rows})
	if im := rating.ReadSheets(sheets, rating.ReadOptions{}); im.OK() || !strings.Contains(im.Faults[0].String(), `prices in sheets Rates, More`) {
		t.Error("two sheets with prices:", im.Faults)
	}
	if im := rating.ReadSheets(sheets, rating.ReadOptions{Sheet: "more"}); !im.OK() || im.Format.Sheet != "More" {
		t.Error("the sheet that is named:", im.Faults)
	}
	sheets[2].Hidden = true
	if im := rating.ReadSheets(sheets, rating.ReadOptions{}); !im.OK() {
		t.Error("a hidden sheet does not count:", im.Faults)
	}
	if im := rating.ReadSheets(sheets, rating.ReadOptions{Sheet: "None"}); im.OK() || !strings.Contains(im.Faults[0].String(), "a sheet called None") {
		t.Error(im.Faults)
	}
	bad := []rating.Sheet{{Name: "R", Rows: [][]string{{"Prefix", "Rate"}, {"39", "1,234"}, {"44.2", "1"}, {"", "x"}}}}
	if im := rating.ReadSheets(bad, rating.ReadOptions{}); im.FaultCount < 3 || im.Faults[0].Line != 2 {
		t.Error(im.Faults)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(f, sheet(`<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row><row r="2"><c r="A2"><v>39</v></c><c r="B2"><v>0.5</v></c></row>`)))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if sheets, fault := Read(data); fault == nil {
			rating.ReadSheets(sheets, rating.ReadOptions{})
		}
	})
}

// 36,000 rows of eight cells, as a carrier sends them.
func BenchmarkRead36k(b *testing.B) {
	var rows strings.Builder
	rows.WriteString(`<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>`)
	for i := range 36_000 {
		n := i + 2
		fmt.Fprintf(&rows, `<row r="%d"><c r="A%d"><v>%d</v></c><c r="B%d"><v>1.4999999999999999E-2</v></c>`, n, n, 390000+i, n)
		for _, col := range "CDEFGH" {
			fmt.Fprintf(&rows, `<c r="%c%d" t="s"><v>2</v></c>`, col, n)
		}
		rows.WriteString(`</row>`)
	}
	data := file(b, sheet(rows.String()))
	b.ReportAllocs()
	for b.Loop() {
		if _, fault := Read(data); fault != nil {
			b.Fatal(fault)
		}
	}
}
