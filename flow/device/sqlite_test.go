package device_test

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"ringfence/core/fact"
	"ringfence/flow/device"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// TestOnARealStore finds devices, answers and facts again after a restart.
func TestOnARealStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ringfence.db")
	reopen := func(was store.Store) (store.Store, *device.Devices) {
		t.Helper()
		if was != nil {
			must(t, was.Close())
		}
		db, err := sqlitetest.Open(ctx, path, sqlite.Options{})
		must(t, err)
		return db, load(t, device.Options{Store: db, Place: world})
	}
	db, d := reopen(nil)
	d.Seen(login("192.0.2.7", yealink))
	d.Seen(login("203.0.113.5", "sipcli/v1.8"))
	must(t, d.SetVerdict(ctx, "100", "203.0.113.0/24", "sipcli", device.NotMine, "anna"))
	must(t, d.SetVerdict(ctx, "100", "AS64500", "", device.Mine, "anna"))
	db, d = reopen(db)
	rows := d.Of("100")
	if len(rows) != 2 || rows[0].Verdict != device.NotMine || rows[1].Verdict != device.Mine || rows[1].Address != "192.0.2.7" {
		t.Errorf("%+v", rows)
	}
	d.Seen(login("192.0.2.99", yealink))
	must(t, d.SetVerdict(ctx, "100", "AS64500", "", "", "anna"))
	d.Seen(device.Login{Line: "101", Addr: netip.MustParseAddr("10.0.0.1"), Agent: yealink, At: time.Now()})
	must(t, d.Flush(ctx))
	d.Forget("101")
	must(t, d.Flush(ctx))
	db, d = reopen(db)
	if rows := d.Of("100"); len(rows) != 2 || d.Len() != 2 || rows[0].Verdict != "" {
		t.Errorf("%+v", rows)
	}
	facts, err := db.Facts(ctx, store.FactFilter{Kind: "device."})
	must(t, err)
	var kinds []string
	for _, f := range facts {
		kinds = append(kinds, f.Kind)
	}
	if len(kinds) != 6 || kinds[0] != fact.KindDeviceNew || kinds[2] != fact.KindDeviceVerdict {
		t.Errorf("%v", kinds)
	}
	must(t, db.Close())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
