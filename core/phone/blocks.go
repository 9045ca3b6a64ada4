package phone

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/check"
)

// Blocks is a regulator's table of national numbers: which blocks are allocated, and which are free. It never
// changes: share it freely between goroutines, and read the table again to have another.
type Blocks struct {
	code   uint64
	blocks map[uint64]Block // by the first digits of the block, without the trunk prefix
	free   int
}

// Block is what the table says of a number's block.
type Block uint8

// What can be said of a block.
const (
	BlockUnknown Block = iota // the table has no such block
	BlockFree                 // unallocated
	BlockHeld                 // it is allocated, or kept for some purpose: designated, protected, reserved, in quarantine
)

// Limits of a table. All of the United Kingdom's is some 90,000 blocks, in 6 MB.
const (
	MaxBlocks     = 1_000_000
	MaxBlocksFile = 128 << 20 // bytes
	maxBlock      = 10        // digits
)

// ReadBlocks reads the tables of Ofcom as they are published in CSV, for numbers behind a country code: a header with a column
// "Number Block" and one "Block Status", and a row for each block ("7700 3", "Allocated"). Several tables may stand one
// after the other, each with its header. The error names the line.
func ReadBlocks(code uint16, table []byte) (*Blocks, error) {
	if len(table) > MaxBlocksFile {
		return nil, fmt.Errorf("the table has more than %d MB", MaxBlocksFile>>20)
	}
	b := &Blocks{code: uint64(code), blocks: map[uint64]Block{}}
	r := csv.NewReader(bytes.NewReader(table))
	r.FieldsPerRecord, r.ReuseRecord, r.LazyQuotes = -1, true, true
	block, status := -1, -1
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if at, to, ok := blockColumns(row); ok {
			block, status = at, to
			continue
		}
		line, _ := r.FieldPos(0)
		if err := b.add(row, block, status); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if len(b.blocks) > MaxBlocks {
			return nil, fmt.Errorf("line %d: the table has more than %d blocks", line, MaxBlocks)
		}
	}
	if len(b.blocks) == 0 {
		return nil, errors.New("the table has no blocks")
	}
	return b, nil
}

// blockColumns finds the columns in a header. Ofcom writes "NMS Number Block: Number Block".
func blockColumns(row []string) (block, status int, ok bool) {
	block = slices.IndexFunc(row, func(s string) bool { return strings.HasSuffix(strings.ToLower(blank(s)), "number block") })
	status = slices.IndexFunc(row, func(s string) bool { return strings.EqualFold(blank(s), "block status") })
	return block, status, block >= 0 && status >= 0
}

// blank takes off what stands around a field: spaces, and the byte order mark of a file.
func blank(s string) string { return strings.Trim(s, " \t\r\n\ufeff\u00a0") }

func (b *Blocks) add(row []string, block, status int) error {
	if !slices.ContainsFunc(row, func(s string) bool { return blank(s) != "" }) {
		return nil
	}
	switch {
	case block < 0:
		return errors.New(`there is no header with the columns "Number Block" and "Block Status": this is not an Ofcom table in CSV`)
	case len(row) <= max(block, status):
		return fmt.Errorf("the row has %d columns and its header has %d", len(row), max(block, status)+1)
	}
	digits := strings.ReplaceAll(blank(row[block]), " ", "")
	if !isDigits(digits, maxBlock) || digits[0] == '0' {
		return fmt.Errorf("%.40q is not a block of numbers: want one to %d digits without the leading 0", digits, maxBlock)
	}
	first, _ := strconv.ParseUint(digits, 10, 64)
	says := BlockHeld
	if strings.EqualFold(blank(row[status]), "free") {
		says = BlockFree
		b.free++
	}
	b.blocks[first] = says
	return nil
}

// Of is what the table says of a number's block: of the smallest one that is listed.
func (b *Blocks) Of(n Number) Block {
	if n.short {
		return BlockUnknown
	}
	national, scale := n.digits, uint64(1)
	for national/scale > b.code {
		scale *= 10
	}
	if national/scale != b.code {
		return BlockUnknown
	}
	for national %= scale; national > 0; national /= 10 {
		if says, ok := b.blocks[national]; ok {
			return says
		}
	}
	return BlockUnknown
}

// Len is how many blocks are listed, and Free how many of them are free.
func (b *Blocks) Len() int  { return len(b.blocks) }
func (b *Blocks) Free() int { return b.free }

// blocksLife is how long a table can be trusted to refuse calls: blocks are given out every week.
const blocksLife = 90 * 24 * time.Hour

// DatedBlocks is a table that grows old. The nil table says nothing.
type DatedBlocks struct {
	*Blocks
	Made time.Time
}

// Dated is the table of a file that was last written at some time. What was written in the future, while a clock was wrong, is of
// now: it must not stay young for ever.
func (b *Blocks) Dated(made, now time.Time) *DatedBlocks {
	if made.After(now) {
		made = now
	}
	return &DatedBlocks{b, made}
}

// Stale says that the table is too old to refuse calls.
func (d *DatedBlocks) Stale(now time.Time) bool { return now.Sub(d.Made) > blocksLife }

// Check says how far the table can be trusted.
func (d *DatedBlocks) Check(now time.Time) check.Findings {
	var out check.Findings
	switch {
	case d == nil:
		out.Warn("numbering", "there is no table of number blocks: calls to 070, 076, 084, 087 and 09 numbers that nobody has are not refused; set provider.numbering")
	case d.Stale(now):
		out.Warn("numbering", "the table of number blocks is of %s, more than 90 days old, and refuses nothing: fetch it again (make numbering) and reload", d.Made.Format(time.DateOnly))
	default:
		out.OK("numbering", "%d blocks of numbers as of %s, %d of them free", d.Len(), d.Made.Format(time.DateOnly), d.Free())
	}
	return out
}

// At is what the table says of a number's block, while it can be trusted.
func (d *DatedBlocks) At(n Number, now time.Time) Block {
	if d == nil || d.Stale(now) {
		return BlockUnknown
	}
	return d.Of(n)
}

// Revenue says that calls to a class of national number pay a share to the holder of the number, so that a number that nobody
// has can only be called by mistake, or to steal.
func (c Class) Revenue() bool {
	switch c {
	case Personal, Pager, Revenue084, Revenue087, Premium:
		return true
	}
	return false
}
