package phone

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// ErrFailed says that a command did not succeed. The command has already printed why.
var ErrFailed = errors.New("the phone was refused or not answered")

// Login is what every phone command needs: server, line and password. The field tags are kong's.
type Login struct {
	Server       string `help:"SIP server." default:"127.0.0.1:5060" placeholder:"HOST:PORT"`
	Transport    string `help:"Transport: udp, tcp, tls or wss." enum:"udp,tcp,tls,wss" default:"udp"`
	CA           string `name:"ca" help:"File of authorities (PEM) that the server's certificate must be signed by, for tls and wss (default: those of the system)." placeholder:"FILE" type:"path"`
	Line         string `help:"Line to use: its SIP user name." required:""`
	Password     string `help:"SIP password; prefer --password-file, which does not appear in process lists." env:"RINGFENCE_PHONE_PASSWORD"`
	PasswordFile string `help:"File with the password, or with lines of LINE PASSWORD." default:"ringfence-data/demo/passwords" type:"path"`
	Algorithm    string `help:"Digest algorithm to require: MD5 or SHA-256." enum:",MD5,SHA-256" default:""`
	Source       string `help:"Address to send from." placeholder:"ADDRESS"`
	UserAgent    string `help:"User-Agent to send." default:"ringfence-phone"`
}

// dial opens the phone of a login.
func (l *Login) dial(ctx context.Context) (*Phone, error) {
	password := l.Password
	if password == "" {
		var err error
		if password, err = ReadPassword(l.PasswordFile, l.Line); err != nil {
			return nil, err
		}
	}
	var local netip.Addr
	if l.Source != "" {
		var err error
		if local, err = netip.ParseAddr(l.Source); err != nil {
			return nil, fmt.Errorf("--source: %w", err)
		}
	}
	verify, err := l.authorities()
	if err != nil {
		return nil, err
	}
	return Dial(ctx, Account{
		Verify: verify, Server: l.Server, Transport: l.Transport, Line: l.Line, Password: password, Algorithm: l.Algorithm,
		Local: local, UserAgent: l.UserAgent,
	})
}

// authorities are those of --ca; nil: those of the system.
func (l *Login) authorities() (*x509.CertPool, error) {
	if l.CA == "" {
		return nil, nil
	}
	text, err := os.ReadFile(l.CA)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM", l.CA)
	}
	return pool, nil
}

// maxPasswordFile bounds what ReadPassword reads.
const maxPasswordFile = 1 << 20

// ReadPassword finds a line's password in a file: the rest of the row that begins with the line's name, or, in a file of
// one row without a space, that row. Rows that begin with '#' are comments.
func ReadPassword(path, line string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("password of line %s: %w", line, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPasswordFile))
	if err != nil {
		return "", fmt.Errorf("password of line %s: %w", line, err)
	}
	var rows []string
	for row := range strings.Lines(string(data)) {
		row = strings.TrimSpace(row)
		if row == "" || strings.HasPrefix(row, "#") {
			continue
		}
		rows = append(rows, row)
		if i := strings.IndexAny(row, " \t"); i > 0 && row[:i] == line {
			return strings.TrimSpace(row[i:]), nil
		}
	}
	if len(rows) == 1 && !strings.ContainsAny(rows[0], " \t") {
		return rows[0], nil
	}
	return "", fmt.Errorf("password of line %s: %s has no row for it", line, path)
}

// diary prints lines with the seconds since it began. Safe for concurrent use.
type diary struct {
	mu    sync.Mutex
	out   io.Writer
	begun time.Time
}

func newDiary(out io.Writer) *diary { return &diary{out: out, begun: time.Now()} }

func (d *diary) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "%8.3fs  %s\n", time.Since(d.begun).Seconds(), printable(fmt.Sprintf(format, args...)))
}

// more prints a line under the last one.
func (d *diary) more(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "%11s%s\n", "", printable(fmt.Sprintf(format, args...)))
}

// printable keeps what a server sends from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// answer prints a final answer with the headers that say why.
func (d *diary) answer(a Answer, suffix string) {
	d.say("%d %s%s", a.Status, a.Phrase, suffix)
	if a.Why != "" {
		d.more("why: %s", a.Why)
	}
	for _, r := range a.Reason {
		d.more("Reason: %s", r)
	}
	for _, w := range a.Warning {
		d.more("Warning: %s", w)
	}
}

// RegisterCmd registers a line, as a phone does when it is switched on.
type RegisterCmd struct {
	Login
	Expires int  `help:"Seconds to stay registered (0 = unregister)." default:"300"`
	Stay    bool `help:"Stay, and answer calls until interrupted."`
}

// Run registers and prints the result.
func (c *RegisterCmd) Run(ctx context.Context, out io.Writer) error {
	p, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close()
	d := newDiary(out)
	if err := register(ctx, d, p, c.Expires); err != nil || !c.Stay {
		return err
	}
	return answerCalls(ctx, d, p, time.Second, 0, 0)
}

func register(ctx context.Context, d *diary, p *Phone, seconds int) error {
	d.say("registering %s at %s from %s", p.account.Line, p.server, p.Addr())
	a, err := p.Register(ctx, seconds)
	if err != nil {
		d.say("failed: %v", err)
		return ErrFailed
	}
	if !a.OK() {
		d.answer(a, "")
		return ErrFailed
	}
	if seconds == 0 {
		d.answer(a, ": unregistered")
		return nil
	}
	d.answer(a, fmt.Sprintf(": registered for %d s, %d phone(s) on this line", a.Expires, len(a.Contact)))
	return nil
}

// CallCmd places one call.
type CallCmd struct {
	Login
	To   string        `help:"Number to call, as dialled." required:""`
	Talk time.Duration `help:"Duration of the call before it is hung up." default:"5s"`
	Ring time.Duration `help:"Time to ring before the call is cancelled." default:"30s"`
	Anon bool          `help:"Withhold the caller's number."`
	// Press answers the voice that asks for a confirmation.
	Press string `help:"Keys to press a second after the answer, for a call that must be confirmed." placeholder:"KEYS"`
}

// Run calls and prints each answer, what was heard, and how it ended.
func (c *CallCmd) Run(ctx context.Context, out io.Writer) error {
	p, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close()
	d := newDiary(out)
	d.say("line %s calls %s through %s", c.Line, c.To, p.server)
	ringing, stop := context.WithTimeout(ctx, c.Ring)
	defer stop()
	call, a, err := p.Invite(ringing, c.To, Dialling{Anon: c.Anon, Early: func(status int, phrase string) { d.say("%d %s", status, phrase) }})
	if err != nil {
		d.say("failed: %v", err)
		return ErrFailed
	}
	if call == nil {
		d.answer(a, ": refused")
		return ErrFailed
	}
	d.answer(a, ": answered")
	if c.Press != "" {
		select {
		case <-call.Done():
		case <-ctx.Done():
		case <-time.After(time.Second):
			d.say("pressing %s", c.Press)
			if err := call.Press(ctx, c.Press); err != nil {
				d.say("the keys were not taken: %v", err)
			}
		}
	}
	return talk(ctx, d, p, call, c.Talk)
}

// talk lasts for a time or until the other side hangs up, and prints which.
func talk(ctx context.Context, d *diary, p *Phone, call *Call, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-call.Done():
	case <-timer.C:
	case <-ctx.Done():
	}
	heard, loud := p.Heard()
	sound := fmt.Sprintf("heard %.1f s of sound", float64(loud)*0.02)
	if heard > 0 && loud == 0 {
		sound = fmt.Sprintf("heard %.1f s of silence", float64(heard)*0.02)
	}
	if end := call.End(); end.Theirs {
		d.say("hung up by the other side after %.1f s; %s", end.At.Sub(call.Began()).Seconds(), sound)
		if end.Why != "" {
			d.more("why: %s", end.Why)
		}
		if end.Raw != "" {
			d.more("Reason: %s", end.Raw)
		}
		return nil
	}
	d.say("hanging up after %.1f s; %s", time.Since(call.Began()).Seconds(), sound)
	end, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer done()
	if err := call.Hangup(end); err != nil {
		d.say("the BYE failed: %v", err)
		return ErrFailed
	}
	return nil
}

// AnswerCmd registers a line and answers what rings.
type AnswerCmd struct {
	Login
	Ring  time.Duration `help:"Ring this long before answering." default:"1s"`
	Talk  time.Duration `help:"Duration of a call before it is hung up (0 = no limit)."`
	Count int           `help:"Number of calls after which to stop (0 = no limit)."`
}

// Run registers and answers until interrupted or Count calls are over.
func (c *AnswerCmd) Run(ctx context.Context, out io.Writer) error {
	p, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close()
	d := newDiary(out)
	if err := register(ctx, d, p, 3600); err != nil {
		return err
	}
	return answerCalls(ctx, d, p, c.Ring, c.Talk, c.Count)
}

func answerCalls(ctx context.Context, d *diary, p *Phone, ring, length time.Duration, count int) error {
	length = cmp.Or(max(length, 0), 4*time.Hour)
	again := time.NewTicker(30 * time.Minute) // half of the hour asked for
	defer again.Stop()
	d.say("waiting for calls")
	for n := 1; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			if err := register(ctx, d, p, 3600); err != nil {
				return err
			}
		case in := <-p.Inbox():
			d.say("ringing: call from %s", in.From)
			if !wait(ctx, ring) {
				in.Refuse(480, "Temporarily Unavailable")
				return nil
			}
			if err := in.Accept(ctx); err != nil {
				d.say("not answered: %v", err)
				continue
			}
			d.say("answered")
			_ = talk(ctx, d, p, in.Call, length)
			if n++; count > 0 && n > count {
				return nil
			}
		}
	}
}

// DefaultTargets are the kinds of number that are called for fraud: premium, satellite, and expensive mobile ranges abroad.
var DefaultTargets = []string{"09098790123", "00870773123456", "005352345678", "00252612345678", "0037121234567", "0022077012345"}

// AttackCmd makes calls as an attacker with a stolen login does, against a server on this machine.
type AttackCmd struct {
	Login
	To      []string      `help:"Numbers to call in turn; by default, examples of numbers that are used for fraud."`
	Calls   int           `help:"Total number of attempts." default:"200"`
	AtOnce  int           `help:"Maximum number of concurrent attempts." default:"10"`
	GiveUp  int           `help:"Number of consecutive refusals after which to stop." default:"20"`
	For     time.Duration `help:"Duration of the attack; calls still in progress are then hung up." default:"2m"`
	Deceive bool          `help:"Send the User-Agent of a common desk phone."`

	// Spent is what the line has spent so far, for the report; the command line reads it from the admin API. May be nil.
	Spent func(ctx context.Context) (string, error) `kong:"-"`
}

// Run attacks and prints which calls were connected, what they cost, and what stopped them. It is no error that the attack is stopped.
func (c *AttackCmd) Run(ctx context.Context, out io.Writer) error {
	if c.Deceive {
		c.UserAgent = "Yealink SIP-T46S 66.85.0.5"
	}
	p, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer p.Close()
	if !p.server.Addr().IsLoopback() {
		return ErrTooWild
	}
	d := newDiary(out)
	if err := register(ctx, d, p, 300); err != nil {
		return err
	}
	targets := c.To
	if len(targets) == 0 {
		targets = DefaultTargets
	}
	d.say("an attacker has the password of line %s: up to %d calls, %d concurrent, to %s", c.Line, c.Calls, c.AtOnce, strings.Join(targets, ", "))
	loot, err := p.Attack(ctx, Plan{
		Numbers: targets, Calls: c.Calls, AtOnce: c.AtOnce, Refused: c.GiveUp, Last: c.For, Say: d.say,
	})
	if err != nil {
		return err
	}
	for _, l := range loot.Report() {
		d.say("%s", l)
	}
	if c.Spent != nil {
		spent, err := c.Spent(context.WithoutCancel(ctx))
		if err != nil {
			spent = "unknown: " + err.Error()
		}
		d.say("what it cost: %s", spent)
	}
	return nil
}

// CarrierCmd runs the test carrier by itself, to try trunks against.
type CarrierCmd struct {
	Listen string        `help:"Loopback address to listen on." default:"127.0.0.1:5090"`
	Ring   time.Duration `help:"Ring this long before answering." default:"1s"`
	Refuse int           `help:"SIP status to refuse every call with."`
	Silent bool          `help:"Send no responses."`
	User   string        `help:"User name that callers must log in with."`
	Passwd string        `help:"Password that callers must log in with." env:"RINGFENCE_CARRIER_PASSWORD"`
}

// Run serves until the context ends and prints each call.
func (c *CarrierCmd) Run(ctx context.Context, out io.Writer) error {
	at, err := netip.ParseAddrPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	d := newDiary(out)
	o := CarrierOptions{Listen: at, Ring: c.Ring, User: c.User, Passwd: c.Passwd, OnCall: func(s CallSeen) {
		talked := "not answered"
		if !s.Answered.IsZero() {
			talked = fmt.Sprintf("talked %.1f s", s.Ended.Sub(s.Answered).Seconds())
		}
		d.say("%s called %s: %s %s", s.Caller, s.Called, talked, s.Why)
	}}
	if c.Refuse != 0 || c.Silent {
		o.Always = &Behaviour{Refuse: c.Refuse, Phrase: "Refused by the test carrier", Silent: c.Silent}
	}
	car, err := NewCarrier(o)
	if err != nil {
		return err
	}
	d.say("test carrier on %s", car.Addr())
	<-ctx.Done()
	return car.Close()
}
