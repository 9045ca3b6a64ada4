package workbook

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// readSheet reads the rows of a sheet. Rows and cells that a sheet leaves out are empty.
func (b *book) readSheet(name string) ([][]string, error) {
	in, err := b.open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	d := xml.NewDecoder(in)
	var rows [][]string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, damaged(name, err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "row" {
			continue
		}
		n := len(rows) + 1
		if at := attribute(start, "r"); at != "" {
			if n, err = strconv.Atoi(at); err != nil || n <= len(rows) || n > maxRows {
				return nil, fmt.Errorf("%w: row %.20q comes after row %d in %.100q", errDamaged, at, len(rows), name)
			}
		}
		for len(rows) < n-1 {
			rows = append(rows, nil)
		}
		cells, err := b.readRow(d)
		if err != nil {
			return nil, damaged(fmt.Sprintf("%s, row %d", name, n), err)
		}
		rows = append(rows, cells)
	}
}

func attribute(e xml.StartElement, name string) string {
	for i := range e.Attr {
		if e.Attr[i].Name.Local == name && e.Attr[i].Name.Space == "" {
			return e.Attr[i].Value
		}
	}
	return ""
}

// readRow reads the cells of a row whose start has been read.
func (b *book) readRow(d *xml.Decoder) ([]string, error) {
	var cells []string
	next := 0
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.EndElement:
			return cells, nil
		case xml.StartElement:
			if t.Name.Local != "c" {
				if err := d.Skip(); err != nil {
					return nil, err
				}
				continue
			}
			at, err := columnOf(attribute(t, "r"), next)
			if err != nil {
				return nil, err
			}
			text, err := b.readCell(d, t)
			if err != nil {
				return nil, err
			}
			if next = at + 1; text == "" {
				continue
			}
			if at >= maxColumns {
				return nil, fmt.Errorf("%w: a row has more than %d columns", errDamaged, maxColumns)
			}
			for len(cells) < at {
				cells = append(cells, "")
			}
			cells = append(cells, text)
		}
	}
}

// columnOf is the column, from 0, of a reference such as C7; without one it is the next.
func columnOf(reference string, next int) (int, error) {
	letters := strings.TrimRight(reference, "0123456789")
	if reference == "" {
		return next, nil
	}
	n := 0
	for _, c := range []byte(letters) {
		if c < 'A' || c > 'Z' || len(letters) > 3 {
			return 0, fmt.Errorf("%w: there is no cell %.20q", errDamaged, reference)
		}
		n = n*26 + int(c-'A') + 1
	}
	if n-1 < next {
		return 0, fmt.Errorf("%w: cell %.20q is out of order", errDamaged, reference)
	}
	return n - 1, nil
}

// readCell is the text of a cell whose start has been read.
func (b *book) readCell(d *xml.Decoder, start xml.StartElement) (string, error) {
	var value, inline, formula string
	hasFormula := false
	for {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.EndElement:
			if value == "" && hasFormula {
				return "=" + formula, nil // it was never worked out: not a blank
			}
			return b.cellText(start, value, inline)
		case xml.StartElement:
			switch t.Name.Local {
			case "v":
				value, err = charsOf(d)
			case "is":
				inline, err = textOf(d)
			case "f":
				hasFormula = true
				formula, err = charsOf(d)
			default:
				err = d.Skip()
			}
			if err != nil {
				return "", err
			}
		}
	}
}

// charsOf is the text straight inside an element whose start has been read.
func charsOf(d *xml.Decoder) (text string, err error) {
	for {
		token, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.EndElement:
			return text, nil
		case xml.CharData:
			text += string(t)
		case xml.StartElement:
			if err := d.Skip(); err != nil {
				return "", err
			}
		}
	}
}

func (b *book) cellText(start xml.StartElement, value, inline string) (string, error) {
	switch kind := attribute(start, "t"); kind {
	case "inlineStr":
		return inline, nil
	case "s":
		if value == "" {
			return "", nil
		}
		i, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || i < 0 || i >= len(b.strings) {
			return "", fmt.Errorf("%w: a cell has text %.20q, of %d", errDamaged, value, len(b.strings))
		}
		return b.strings[i], nil
	case "b":
		return map[string]string{"0": "false", "1": "true"}[value], nil
	case "", "n":
		return b.number(attribute(start, "s"), strings.TrimSpace(value))
	case "str", "e", "d":
		return value, nil
	default:
		return "", fmt.Errorf("%w: a cell is of type %.20q", errDamaged, kind)
	}
}

// number writes a number as a spreadsheet would show it in full, or as a date where its style says so.
func (b *book) number(style, value string) (string, error) {
	if value == "" {
		return "", nil
	}
	x, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) || strings.ContainsAny(value, "xX_") {
		return "", fmt.Errorf("%w: %.20q is not a number", errDamaged, value)
	}
	if s, err := strconv.Atoi(style); err == nil && s >= 0 && s < len(b.dates) && b.dates[s] {
		return b.date(x), nil
	}
	if len(value) <= 12 && strings.Trim(value, "0123456789.") == "" {
		return value, nil
	}
	// Fifteen digits are what a spreadsheet keeps of its binary numbers: 1.4999999999999999E-2 is 0.015.
	if x, err = strconv.ParseFloat(strconv.FormatFloat(x, 'e', 14, 64), 64); err != nil {
		return "", fmt.Errorf("%w: %.20q is not a number", errDamaged, value)
	}
	return strconv.FormatFloat(x, 'f', -1, 64), nil
}

// date is a number of days since 30 December 1899, or since 1 January 1904, to the second.
func (b *book) date(days float64) string {
	if b.from1904 {
		days += 1462
	}
	if days < 0 || days >= 2_958_466 { // after the year 9999
		return strconv.FormatFloat(days, 'f', -1, 64)
	}
	whole := math.Floor(days)
	seconds := int(math.Round((days - whole) * 86_400))
	at := time.Date(1899, time.December, 30+int(whole), 0, 0, seconds, 0, time.UTC)
	if seconds == 0 {
		return at.Format(time.DateOnly)
	}
	return at.Format(time.DateTime)
}
