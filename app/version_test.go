package app

import (
	"runtime/debug"
	"testing"
)

func TestVersionOfABuildWithoutAName(t *testing.T) {
	module := func(version string) *debug.BuildInfo { return &debug.BuildInfo{Main: debug.Module{Version: version}} }
	for _, c := range []struct {
		info *debug.BuildInfo
		ok   bool
		want string
	}{
		{nil, false, "development"},
		{module(""), true, "development"},
		{module("(devel)"), true, "development"},
		{module("v1.2.3"), true, "v1.2.3"},
	} {
		if got := versionOf(c.info, c.ok); got != c.want {
			t.Errorf("%+v: %q, want %q", c.info, got, c.want)
		}
	}
}
