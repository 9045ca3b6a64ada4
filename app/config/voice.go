package config

import (
	"errors"
	"strconv"
	"strings"
)

// ErrPorts says that a text is no range of ports.
var ErrPorts = errors.New(`want a range of ports such as "40000-40399", or "off"`)

// Range is the first and the last port; on is false for "off".
func (v *Voice) Range() (low, high uint16, on bool, err error) {
	if v.Ports == "off" {
		return 0, 0, false, nil
	}
	from, to, found := strings.Cut(v.Ports, "-")
	first, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	last, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
	if !found || err1 != nil || err2 != nil || first < 1024 || last < first+1 {
		return 0, 0, false, ErrPorts
	}
	return uint16(first), uint16(last), true, nil
}
