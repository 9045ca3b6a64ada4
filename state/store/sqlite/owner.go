package sqlite

import (
	"io/fs"
	"os"
	"syscall"
)

// own gives a file to the owner of the folder when root has made it: the server runs as somebody else and could not open it.
func own(folder fs.FileInfo, path string) {
	if st, ok := folder.Sys().(*syscall.Stat_t); ok && os.Getuid() == 0 {
		_ = os.Chown(path, int(st.Uid), int(st.Gid)) // where it cannot be, the server says so at its start
	}
}
