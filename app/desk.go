package app

import (
	"ringfence/flow/ban"
	"ringfence/flow/desk"
	"ringfence/flow/notify"
	"ringfence/flow/watch"
)

// openDesk builds what staff work from.
func (a *App) openDesk() (*desk.Desk, error) {
	return desk.New(desk.Options{
		Store: a.store, Records: a.money, Book: a.book, Exposure: a.exposure, Watch: func() *watch.Watch { return a.watch }, Bans: func() *ban.List { return a.shield.bans },
		Notices: func() *notify.Notifier { return a.notices }, Devices: a.shield.devices, Calls: a.gate.InProgress, Phones: a.location.Lookup, Vouch: a.vouch,
		Tallies: a.store.Tallies, Guard: a.door.Guard, Rules: a.rules, Agree: a.agree,
	})
}

// openCases builds the cases of fraud that staff and customers work on.
func (a *App) openCases() (*desk.Cases, error) {
	return desk.NewCases(desk.CasesOptions{
		Store: a.store, Records: a.money, Book: a.book, Watch: func() *watch.Watch { return a.watch }, Vouch: a.vouch,
		Credit: a.settling.Refund, Settle: a.settling.CarryOut, Left: a.settling.Left, SecondAbove: a.secondAbove,
	})
}
