package app

import (
	"cmp"
	"runtime/debug"
)

// stamped is what the Makefile calls this build (tools/version.sh): the linker sets it.
var stamped string

// Version is the version of this program, as every surface shows it: what the build was called, else what Go knows of the
// module ("go install ringfence/cmd/ringfence@v1.2.3", "go build" in a checkout), else "development".
var Version = cmp.Or(stamped, versionOf(debug.ReadBuildInfo()))

func versionOf(info *debug.BuildInfo, ok bool) string {
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "development"
	}
	return info.Main.Version
}
