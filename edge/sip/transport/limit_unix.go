//go:build unix

package transport

import (
	"errors"
	"syscall"
)

// descriptors is how many TCP connections this process can hold open: what the system allows it, less what files, the
// store and the other listeners need. (The Go runtime has raised the soft limit to the hard one.)
func descriptors() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 1 << 20
	}
	all := int(min(l.Cur, 1<<21))
	return max(all-min(1024, all/2), 1)
}

// noDescriptor says that a connection could not be accepted because too many are open.
func noDescriptor(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
