package gate

import (
	"fmt"
	"testing"

	"ringfence/core/call"
	"ringfence/state/store"
)

// Records that wait for a phone stand among the stored ones, each once, and the pages stay whole.
func TestRecordsThatWaitForAPhone(t *testing.T) {
	records := func(ids ...string) (all []call.CDR) {
		for _, id := range ids {
			line := "2001"
			if id[0] == 'x' {
				id, line = id[1:], "2002"
			}
			all = append(all, call.CDR{ID: call.ID(id), Line: line})
		}
		return all
	}
	for _, c := range []struct {
		name         string
		page, wait   []call.CDR
		f            store.CDRFilter
		want         string
		unconfirmeds int
	}{
		{"none", records("5", "4"), nil, store.CDRFilter{Limit: 3}, "[5 4]", 0},
		{"newest first", records("5", "3"), records("4", "6"), store.CDRFilter{Limit: 9}, "[6 5 4 3]", 2},
		{"stored meanwhile", records("5", "4"), records("5"), store.CDRFilter{Limit: 9}, "[5 4]", 0},
		{"settled meanwhile", records("4"), records("5", "5"), store.CDRFilter{Limit: 9}, "[5 4]", 1},
		{"of another line", records("5", "4"), records("x6"), store.CDRFilter{Line: "2001", Limit: 9}, "[5 4]", 0},
		{"a full page", records("5", "3"), records("4"), store.CDRFilter{Limit: 2}, "[5 4]", 1},
		{"the page after it", records("3", "2"), records("4"), store.CDRFilter{Limit: 2, Before: "4"}, "[3 2]", 0},
		{"on an empty list", nil, records("4"), store.CDRFilter{Limit: 2}, "[4]", 1},
	} {
		for i := range c.wait {
			c.wait[i].Unconfirmed = true
		}
		ids, n := []string{}, 0
		for _, r := range withUnstored(c.page, c.wait, &c.f) {
			if ids = append(ids, string(r.ID)); r.Unconfirmed {
				n++
			}
		}
		if got := fmt.Sprint(ids); got != c.want || n != c.unconfirmeds {
			t.Errorf("%s: %s, %d of them unconfirmed; want %s, %d", c.name, got, n, c.want, c.unconfirmeds)
		}
	}
}
