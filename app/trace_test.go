package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ringfence/edge/rest"
)

// Messages are for staff with the permission: a token that is not named in admin.tracers sees none of them.
func TestWhoMayTrace(t *testing.T) {
	a := running(t)
	server, err := rest.New(a.adminDeps(), rest.Options{Tracers: []string{"desk"}})
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]int{"billing": http.StatusForbidden, "desk": http.StatusOK, "root@socket": http.StatusOK} {
		w := httptest.NewRecorder()
		server.Handler(who).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/v1/trace?line=2001&for_seconds=1", nil))
		if w.Code != want || want == http.StatusForbidden && !strings.Contains(w.Body.String(), "admin.tracers") {
			t.Errorf("%s: %d %s, want %d", who, w.Code, w.Body, want)
		}
	}
}
