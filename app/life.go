package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"ringfence/edge/phone"
)

// demoCallers are lines of the sample provider whose phones make calls by themselves, so that there is something to see. They call cheap numbers,
// one call at a time: the caps of their lines last all day.
var demoCallers = []string{"2031", "2032"}

// liveDemo has the phones of the sample provider call until the program stops.
func (a *App) liveDemo() {
	if !a.cfg.DemoLife {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var phones sync.WaitGroup
	for _, line := range demoCallers {
		password, err := phone.ReadPassword(a.passwordsPath(), line)
		if err != nil {
			continue // a newcomer has removed it
		}
		phones.Go(func() {
			a.chat(ctx, phone.Account{Server: a.SIPAddr().String(), Line: line, Password: password, UserAgent: "Yealink SIP-T46U 108.86.0.20"})
		})
	}
	a.onStop("the demonstration's phones", func(context.Context) error {
		cancel()
		phones.Wait()
		return nil
	})
}

// chat is one phone: it registers, calls, talks for a minute or two, and rests. What goes wrong is tried again with the next call.
func (a *App) chat(ctx context.Context, account phone.Account) {
	p, err := phone.Dial(ctx, account)
	if err != nil {
		a.log.Debug("a phone of the demonstration does not start", "line", account.Line, "err", err)
		return
	}
	defer p.Close()
	for {
		_, _ = p.Register(ctx, 300)
		if c, _, err := p.Invite(ctx, fmt.Sprintf("01614960%03d", 200+rand.IntN(40)), phone.Dialling{}); err == nil && c != nil {
			pause(ctx, time.Duration(40+rand.IntN(80))*time.Second)
			bye, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			_ = c.Hangup(bye)
			done()
		}
		if !pause(ctx, time.Duration(5+rand.IntN(20))*time.Second) {
			return
		}
	}
}

// pause is false if ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
