package phone

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"ringfence/core/secret"
)

// GuessCmd tries common passwords, as an attacker does, against a server on this machine. It sends from an address of its own, so that
// the lock-out does not affect the user's.
type GuessCmd struct {
	Server    string        `help:"SIP server." default:"127.0.0.1:5060" placeholder:"HOST:PORT"`
	Line      string        `help:"Line whose password to guess: its SIP user name." required:""`
	Passwords string        `help:"File of passwords to try, one per line; without one, common passwords." type:"path"`
	Tries     int           `help:"Maximum number of passwords to try." default:"40"`
	Source    string        `help:"Loopback address to send from." default:"127.0.66.6"`
	Pause     time.Duration `help:"Time to wait between tries."`
	UserAgent string        `help:"User-Agent to send." default:"guesser"`
}

// silence is how long to wait for an answer; a server that blocks a source sends none.
const silence = 3 * time.Second

// Run tries one password after the other and prints the result of each. It is no error that the server blocks it.
func (c *GuessCmd) Run(ctx context.Context, out io.Writer) error {
	source, err := netip.ParseAddr(c.Source)
	if err != nil {
		return fmt.Errorf("--source: %w", err)
	}
	server, err := resolve(ctx, c.Server)
	if err != nil {
		return err
	}
	if !server.Addr().IsLoopback() || !source.IsLoopback() {
		return ErrTooWild
	}
	passwords, err := c.passwords()
	if err != nil {
		return err
	}
	d := newDiary(out)
	d.say("an attacker at %s guesses the password of line %s: %d tries", source, c.Line, len(passwords))
	for i, password := range passwords {
		a, err := c.try(ctx, source, password)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && i == 0: // nothing was heard from there yet
			d.say("try 1: no answer: %s is blocked already, or no server is running at %s", source, server)
			return nil
		case err != nil:
			d.say("try %d: no more answers: %s is blocked", i+1, source)
			return nil
		case a.OK():
			d.say("try %d: %d %s: the password was found", i+1, a.Status, a.Phrase)
			return nil
		}
		d.say("try %d: %d %s", i+1, a.Status, a.Phrase)
		if !wait(ctx, c.Pause) {
			return nil
		}
	}
	d.say("nothing found")
	return nil
}

func (c *GuessCmd) try(ctx context.Context, source netip.Addr, password string) (Answer, error) {
	ctx, done := context.WithTimeout(ctx, silence)
	defer done()
	p, err := Dial(ctx, Account{Server: c.Server, Transport: "udp", Line: c.Line, Password: password, Local: source, UserAgent: c.UserAgent})
	if err != nil {
		return Answer{}, err
	}
	a, err := p.Register(ctx, 60)
	return a, errors.Join(err, p.Close())
}

// passwords are those of the file, or those that guessers try first.
func (c *GuessCmd) passwords() (all []string, err error) {
	if c.Passwords == "" {
		for p := range secret.Guesses(c.Line, "", time.Now().Year()) {
			if len(all) == c.Tries {
				break
			}
			all = append(all, p)
		}
		return all, nil
	}
	f, err := os.Open(c.Passwords)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for s := bufio.NewScanner(io.LimitReader(f, maxPasswordFile)); len(all) < c.Tries && s.Scan(); {
		if s.Text() != "" {
			all = append(all, s.Text())
		}
	}
	return all, nil
}
