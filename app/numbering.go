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

// numbering is the regulator's table in force. The zero numbering has none.
type numbering struct {
	table atomic.Pointer[phone.DatedBlocks]
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
	n.table.Store(blocks.Dated(info.ModTime(), time.Now()))
	return nil
}

// block is what the table in force says of a number.
func (n *numbering) block(number phone.Number, now time.Time) phone.Block {
	return n.table.Load().At(number, now)
}
