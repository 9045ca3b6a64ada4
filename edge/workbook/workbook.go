// Package workbook reads .xlsx files: what is stored in the cells of their sheets. It must not know what the cells mean.
//
// The libraries for it read on past damage: to excelize 2.11 (tried on 2026-11-29) a sheet that breaks off is a shorter sheet, a text
// that is missing an empty cell, and two rows of one number one row. Rows of prices must not go missing so: everything here that is
// not as it should be is a fault.
package workbook

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"ringfence/core/rating"
)

// Bounds of a workbook.
const (
	maxParts   = 10_000
	maxRows    = 1 << 20 // a spreadsheet's own
	maxColumns = 1 << 10
	maxSheets  = 500
)

// maxUnpacked bounds the parts that are read, all together, in bytes. Tests lower it: it takes a minute to reach under the race detector.
var maxUnpacked int64 = 160 << 20

// Is says that data begins as a workbook does.
func Is(data []byte) bool { return bytes.HasPrefix(data, []byte("PK\x03\x04")) }

// errDamaged is wrapped with what is wrong.
var errDamaged = errors.New("a damaged workbook")

// Read gives every sheet of a workbook in its order, or the fault that keeps it from being read. Numbers come with a decimal
// point, to fifteen digits, as a spreadsheet shows them; dates as 2006-01-02 or 2006-01-02 15:04:05; formulas as what they
// came to when the workbook was saved.
func Read(data []byte) ([]rating.Sheet, *rating.Fault) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(z.File) > maxParts {
		return nil, &rating.Fault{Found: "a damaged zip archive", Expected: "the workbook saved once more as .xlsx, or CSV"}
	}
	b := &book{parts: map[string]*zip.File{}, left: maxUnpacked}
	for _, f := range z.File {
		b.parts[strings.ToLower(strings.TrimPrefix(f.Name, "/"))] = f
	}
	if fault := b.isOther(); fault != nil {
		return nil, fault
	}
	sheets, err := b.read()
	if err != nil {
		return nil, &rating.Fault{Found: err.Error(), Expected: "the workbook saved once more as .xlsx, or CSV"}
	}
	return sheets, nil
}

// book is the state of reading one workbook.
type book struct {
	parts    map[string]*zip.File // by name in small letters
	left     int64                // bytes that may still be unpacked
	strings  []string
	dates    []bool // by style: numbers of it are shown as dates
	from1904 bool
}

// isOther names files that are zip archives and no .xlsx.
func (b *book) isOther() *rating.Fault {
	const expected = "the same sheet saved as .xlsx or “CSV UTF-8”"
	for part, what := range map[string]string{
		"xl/workbook.bin": "a binary workbook (.xlsb)", "content.xml": "an OpenDocument sheet (.ods)", "index/document.iwa": "a Numbers sheet",
		"word/document.xml": "a text document (.docx)",
	} {
		if b.parts[part] != nil {
			return &rating.Fault{Found: what, Expected: expected}
		}
	}
	if b.parts["xl/workbook.xml"] == nil && b.parts["_rels/.rels"] == nil {
		return &rating.Fault{Found: "a zip archive that is not a workbook", Expected: "the price list itself: unpack it first"}
	}
	return nil
}

// open unpacks a part, within the bound of all parts together.
func (b *book) open(name string) (io.ReadCloser, error) {
	f := b.parts[strings.ToLower(name)]
	if f == nil {
		return nil, fmt.Errorf("%w: there is no %.100q in it", errDamaged, name)
	}
	in, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %.100q cannot be unpacked", errDamaged, name)
	}
	return &bounded{in, &b.left}, nil
}

// bounded counts what comes out of the archive, whatever its directory says.
type bounded struct {
	io.ReadCloser
	left *int64
}

var errTooLarge = errors.New("a workbook that unpacks to more than 160 megabytes")

// Read reads, and fails when the bound is passed.
func (r *bounded) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if *r.left -= int64(n); *r.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// decode reads a small part whole.
func (b *book) decode(name string, into any) error {
	in, err := b.open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	return damaged(name, xml.NewDecoder(in).Decode(into))
}

func damaged(name string, err error) error {
	if err == nil || errors.Is(err, errTooLarge) || errors.Is(err, errDamaged) {
		return err
	}
	return fmt.Errorf("%w: %.100q in it: %w", errDamaged, name, err)
}

// relation is an entry of a .rels part.
type relation struct {
	ID     string `xml:"Id,attr"`
	Type   string `xml:"Type,attr"`
	Target string `xml:"Target,attr"`
}

// relations are those of a part: by id, with their targets as names of parts.
func (b *book) relations(part string) ([]relation, error) {
	var rels struct {
		List []relation `xml:"Relationship"`
	}
	folder, file := path.Split(part)
	if err := b.decode(folder+"_rels/"+file+".rels", &rels); err != nil {
		return nil, err
	}
	for i := range rels.List {
		target := rels.List[i].Target
		if !strings.HasPrefix(target, "/") {
			target = path.Join("/", folder, target)
		}
		rels.List[i].Target = strings.TrimPrefix(path.Clean(target), "/")
	}
	return rels.List, nil
}

// workbookXML is what is needed of the workbook's own part.
type workbookXML struct {
	Properties struct {
		Date1904 string `xml:"date1904,attr"`
	} `xml:"workbookPr"`
	Sheets []struct {
		Name     string `xml:"name,attr"`
		State    string `xml:"state,attr"`
		Relation string `xml:"id,attr"`
	} `xml:"sheets>sheet"`
}

func (b *book) read() ([]rating.Sheet, error) {
	main := "xl/workbook.xml"
	if rels, err := b.relations(""); err == nil {
		for _, r := range rels {
			if strings.HasSuffix(r.Type, "/officeDocument") {
				main = r.Target
			}
		}
	}
	var w workbookXML
	if err := b.decode(main, &w); err != nil {
		return nil, err
	}
	b.from1904 = w.Properties.Date1904 == "1" || w.Properties.Date1904 == "true"
	rels, err := b.relations(main)
	if err != nil {
		return nil, err
	}
	targets := map[string]relation{}
	for _, r := range rels {
		targets[r.ID] = r
		switch {
		case strings.HasSuffix(r.Type, "/sharedStrings"):
			err = b.readStrings(r.Target)
		case strings.HasSuffix(r.Type, "/styles"):
			err = b.readStyles(r.Target)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(w.Sheets) == 0 || len(w.Sheets) > maxSheets {
		return nil, fmt.Errorf("%w: it has %d sheets", errDamaged, len(w.Sheets))
	}
	var sheets []rating.Sheet
	for _, s := range w.Sheets {
		r, ok := targets[s.Relation]
		if !ok {
			return nil, fmt.Errorf("%w: sheet %.40q is not in it", errDamaged, s.Name)
		}
		if !strings.HasSuffix(r.Type, "/worksheet") {
			continue // a chart has no cells
		}
		rows, err := b.readSheet(r.Target)
		if err != nil {
			return nil, err
		}
		sheets = append(sheets, rating.Sheet{Name: s.Name, Hidden: s.State == "hidden" || s.State == "veryHidden", Rows: rows})
	}
	return sheets, nil
}

// readStrings reads the texts that cells of all sheets share.
func (b *book) readStrings(name string) error {
	in, err := b.open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	d := xml.NewDecoder(in)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(name, err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "si" {
			text, err := textOf(d)
			if err != nil {
				return damaged(name, err)
			}
			b.strings = append(b.strings, text)
		}
	}
}

// textOf is the text of an element whose start has been read: of its <t>, without how it is pronounced.
func textOf(d *xml.Decoder) (string, error) {
	var b strings.Builder
	inText := false
	for depth := 1; depth > 0; {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local == "rPh" {
				if err := d.Skip(); err != nil {
					return "", err
				}
				continue
			}
			depth++
			inText = t.Name.Local == "t"
		case xml.EndElement:
			depth--
			inText = false
		case xml.CharData:
			if inText {
				b.Write(t)
			}
		}
	}
	return b.String(), nil
}

// readStyles finds which styles show a number as a date.
func (b *book) readStyles(name string) error {
	var styles struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			Format int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := b.decode(name, &styles); err != nil {
		return err
	}
	own := map[int]string{}
	for _, f := range styles.Formats {
		own[f.ID] = f.Code
	}
	for _, c := range styles.Cells {
		code, custom := own[c.Format]
		b.dates = append(b.dates, custom && showsDate(code) || !custom && (c.Format >= 14 && c.Format <= 22 || c.Format >= 27 && c.Format <= 36 || c.Format >= 45 && c.Format <= 47 || c.Format >= 50 && c.Format <= 58))
	}
	return nil
}

// showsDate says that a number format has days, months, years, hours or seconds in it, outside texts and colours.
func showsDate(code string) bool {
	quoted, bracketed := false, false
	for i := 0; i < len(code); i++ {
		switch c := code[i] | 0x20; {
		case code[i] == '"':
			quoted = !quoted
		case quoted:
		case code[i] == '\\' || code[i] == '_' || code[i] == '*':
			i++ // the next one is shown, or as wide as a space
		case code[i] == '[':
			bracketed = true
		case code[i] == ']':
			bracketed = false
		case !bracketed && (c == 'd' || c == 'm' || c == 'y' || c == 'h' || c == 's'):
			return true
		case !bracketed && strings.HasPrefix(strings.ToLower(code[i:]), "general"):
			i += len("general") - 1
		}
	}
	return false
}
