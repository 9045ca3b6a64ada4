package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"ringfence/core/phone"
)

// tableLife is how long a table of number blocks can be trusted to refuse calls: blocks are given out every week.
const tableLife = 90 * 24 * time.Hour

// numbering is the regulator's table in force. The zero numbering has none.
type numbering struct{ table atomic.Pointer[blockTable] }

type blockTable struct {
	blocks *phone.Blocks
	made   time.Time // when the file was last written
}

// load reads a file; "" is no table. After an error the previous table stays in force.
func (n *numbering) load(path string) error {
	if path == "" {
		n.table.Store(nil)
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New(path + " is a folder: name a file (make numbering joins Ofcom's tables into one)")
	}
	text, err := io.ReadAll(io.LimitReader(f, phone.MaxBlocksFile+1))
	if err != nil {
		return err
	}
	blocks, err := phone.ReadBlocks(44, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	made := info.ModTime()
	if now := time.Now(); made.After(now) { // written while a clock was wrong: it must not stay young for ever
		made = now
	}
	n.table.Store(&blockTable{blocks, made})
	return nil
}

// block is what the table says of a number, while it is young enough.
func (n *numbering) block(number phone.Number, now time.Time) phone.Block {
	t := n.table.Load()
	if t == nil || now.Sub(t.made) > tableLife {
		return phone.BlockUnknown
	}
	return t.blocks.Of(number)
}

// check says how far the table can be trusted.
func (n *numbering) check(now time.Time, add func(what, level, text string)) {
	t := n.table.Load()
	if t == nil {
		add("numbering", "warning", "there is no table of number blocks: calls to 070, 076, 084, 087 and 09 numbers that nobody has are not refused; set provider.numbering")
		return
	}
	made := t.made.Format(time.DateOnly)
	if now.Sub(t.made) > tableLife {
		add("numbering", "warning", fmt.Sprintf("the table of number blocks is of %s, more than 90 days old, and refuses nothing: fetch it again (make numbering) and reload", made))
		return
	}
	add("numbering", "ok", fmt.Sprintf("%d blocks of numbers as of %s, %d of them free", t.blocks.Len(), made, t.blocks.Free()))
}
