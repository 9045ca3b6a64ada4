package call

import (
	"encoding/base32"
	"encoding/binary"
	"time"
)

var idText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID makes the text of an id: 48 bits of milliseconds and 80 others in 26 characters that sort by time.
func NewID(at time.Time, others []byte) (text [26]byte) {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(at.UnixMilli())<<16)
	copy(raw[6:], others)
	idText.Encode(text[:], raw[:])
	return text
}

// FirstID is not above the id of any call that begins at an instant or later.
func FirstID(at time.Time) ID {
	text := NewID(at, nil)
	return ID(text[:])
}
