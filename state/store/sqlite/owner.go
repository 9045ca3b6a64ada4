package sqlite

import (
	"io/fs"
	"os"
	"syscall"
)

// own gives a file to the owner of the folder when root has made it: the server runs as another user and could not open it.
func own(folder fs.FileInfo, path string) {
	if st, ok := folder.Sys().(*syscall.Stat_t); ok && os.Getuid() == 0 {
		_ = os.Chown(path, int(st.Uid), int(st.Gid)) // if this fails, the server reports it at its start
	}
}
