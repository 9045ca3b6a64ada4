package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// Exit codes. Part of the interface: scripts act on them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3 // decide: the call would be refused
	exitUnreachable = 4
	exitForbidden   = 5
	exitNothing     = 6 // nothing was done: --yes is wanted, or there was nothing to do
)

const description = `Ringfence is the SIP front door of a telephony provider. It decides whether each call may be made, connects it, meters it, ends it when the money runs out, and says why.

Start it with "ringfence serve" ("ringfence serve --demo" to try it). All other commands talk to the running server through the admin socket in its data folder.

Exit codes:

  0  done
  1  failed: the message says why and what to do
  2  usage: no such command, flag or value
  3  decide: the call would be refused
  4  no server answers
  5  not permitted: wrong user for the socket, or wrong token
  6  nothing was done: add --yes, or there was nothing to do`

// commands is the whole grammar. Groups order the help.
type commands struct {
	JSON bool `help:"Print JSON for programs: amounts are integers, times carry their UTC offset." short:"j"`
	Wide bool `help:"Print tables in full width, with every id, instead of fitting them to the terminal (80 columns where there is none)." short:"w"`

	Serve   serveCmd   `cmd:"" group:"run" help:"Run the server."`
	Status  statusCmd  `cmd:"" group:"run" help:"Show the server's status." eg:"; --json | jq .ready" detail:"Exit code 1 when the server runs but is not ready to take calls."`
	Check   checkCmd   `cmd:"" group:"run" help:"Check configuration, book, money and store for faults." eg:"; --json" detail:"Checks the configuration file here, then asks the server to check the book, the decks, the trunks, the store and that all money adds up. Exit code 1 when a finding is an error."`
	Config  configCmd  `cmd:"" group:"run" help:"Check a configuration file, or print the reference of all fields."`
	Backup  backupCmd  `cmd:"" group:"run" help:"Write a copy of the whole store to a file, while the server runs." eg:"/var/backups/ringfence.db; --force /mnt/backup/ringfence.db" detail:"Writes the whole store as it is at one moment, while the server runs: an SQLite file, or for PostgreSQL a file of pg_dump. It holds sealed passwords and every call, so only you may read it. The key file is not in it. Keep a copy of the key elsewhere: the two together hold every password, and without the key no phone can log in."`
	Restore restoreCmd `cmd:"" group:"run" help:"Restore the store from a backup, then account for the calls after it."`
	Key     keyCmd     `cmd:"" group:"run" help:"Manage the key that seals secrets."`
	Phone   phoneCmd   `cmd:"" group:"run" help:"Use the built-in test phone: register, call, answer, attack."`

	Customer    customerCmd    `cmd:"" group:"book" help:"Customers, who own lines and pay."`
	Reseller    resellerCmd    `cmd:"" group:"book" help:"Resellers, who have customers of their own."`
	Line        lineCmd        `cmd:"" group:"book" help:"Lines: a number with SIP credentials."`
	Change      changeCmd      `cmd:"" group:"book" help:"Changes that wait because they loosen something."`
	Staff       staffCmd       `cmd:"" group:"book" help:"Staff, who may sign in, with their roles."`
	Request     requestCmd     `cmd:"" group:"book" help:"Customers' requests for looser settings, which staff grant or refuse."`
	Bill        billCmd        `cmd:"" group:"book" help:"Bills: what customers are asked to pay for calls."`
	Payment     paymentCmd     `cmd:"" group:"book" help:"Payments of customers: one by one, or a bank's file."`
	Credit      creditCmd      `cmd:"" group:"book" help:"Credit notes: amounts that customers are not asked for any more."`
	Plan        planCmd        `cmd:"" group:"book" help:"Plans: the rest of a case in instalments."`
	Balance     balanceCmd     `cmd:"" group:"book" help:"Show what a customer owes, and what was booked last." eg:"acme; acme --json"`
	Restriction restrictionCmd `cmd:"" group:"book" help:"Restrictions: destinations closed to a line, a customer or everybody."`
	Trunk       trunkCmd       `cmd:"" group:"book" help:"Trunks: connections to carriers."`
	Deck        deckCmd        `cmd:"" group:"book" help:"Decks: tables of prefixes and prices."`

	Ban      banCmd      `cmd:"" group:"guard" help:"Addresses and networks that are blocked: by hand, automatically and by lists."`
	Hotlist  hotlistCmd  `cmd:"" group:"guard" help:"Hot lists: numbers to which, or from which, calls are refused."`
	Lockout  lockoutCmd  `cmd:"" group:"guard" help:"Logins refused for a while because of wrong passwords."`
	Case     caseCmd     `cmd:"" group:"guard" help:"Cases of fraud: calls in dispute, what was written, evidence, and decisions."`
	Claim    claimCmd    `cmd:"" group:"guard" help:"Claims: what carriers are asked to credit for the calls of a case."`
	Finding  findingCmd  `cmd:"" group:"guard" help:"Findings: guessing, stolen logins, usage above its warning level."`
	Hold     holdCmd     `cmd:"" group:"guard" help:"Legal holds: what is kept beyond its time until staff lift it."`
	Incident incidentCmd `cmd:"" group:"guard" help:"Incidents and planned work on the public status pages."`
	Rules    rulesCmd    `cmd:"" group:"guard" help:"Rules that watch calls, and what they did."`
	Notice   noticeCmd   `cmd:"" group:"guard" help:"Notices to people: list them, show them, send them again."`
	Geo      geoCmd      `cmd:"" group:"guard" help:"Show the country and network of an address." route:"GET /v1/geo" eg:"203.0.113.9" detail:"Without files everything is unknown: set geo.files in the configuration."`

	Decide    decideCmd    `cmd:"" group:"calls" help:"Explain how a call would be decided, without making it." eg:"--line 2001 --to 02079460000; --line 2001 --to 005312345678 --from 198.51.100.7; --line 2001 --to 02079460000 --present +443069990123; --line 2001 --to 0033140000000 --at \"2026-12-25 03:00\"" detail:"Nothing is called, held or counted. Exit code 0: the call would be allowed; 3: it would be refused."`
	Evidence  evidenceCmd  `cmd:"" group:"calls" help:"Evidence: prove what the journal says, and check such proofs."`
	Exposure  exposureCmd  `cmd:"" group:"calls" help:"Show what a thief could cost at the very most: with a line, all lines of a customer, or everything." eg:"; --line 2001; --line 2001 --with international-ceiling=12p --with line-day-cap=6; --customer acme --until month; --line 2001 --json | jq .retail_micro" detail:"A bound, not an estimate: no calls that begin in the time can cost more, whatever they are, as long as no setting is changed."`
	Replay    replayCmd    `cmd:"" group:"calls" help:"Play past calls through rules: what they would have let through, refused, cut and cost." eg:"calls.csv; calls.csv.gz --lines lines.csv --deck retail.csv --out verdicts.csv --html report.html; calls.csv --rules ringfence.toml --compare stricter.toml; Master.csv --format asterisk --labels labels.csv"`
	Simulate  simulateCmd  `cmd:"" group:"calls" help:"Make up the calls of a provider, honest and not, for replay." eg:"population --out calls; gambia-night --out night --seed 7; mine.toml --out mine --weeks 12 --lines 2000 --zst; --list"`
	Score     scoreCmd     `cmd:"" group:"calls" help:"Play scenarios through what others do and through the built-in rules: what attacks cost, and whom the rules disturb." eg:"; gambia-night wangiri --seeds 20; --seeds 20 --out score.md"`
	Drill     drillCmd     `cmd:"" group:"calls" help:"Play an attack against the settings of a line: what it would cost, and what is done when." eg:"gambia-night; weekend-burst --settings-of 2001; stolen-login --rules ringfence.toml --seed 7; --adaptive --settings-of 2001; --adaptive --kind hotel --strategies 2000"`
	Calls     callsCmd     `cmd:"" group:"calls" help:"Calls in progress."`
	CDR       cdrCmd       `cmd:"" group:"calls" name:"cdr" help:"Call records."`
	Retention retentionCmd `cmd:"" group:"calls" help:"How long things are kept."`
	Trace     traceCmd     `cmd:"" group:"calls" help:"Show the SIP messages of one line or call as they arrive." eg:"2001; 2001 --for 5m --messages 1000 > 2001.txt; --call 01JD8Z6Q4N8T7R5V3X1B9C7D5F --json" detail:"Shows each message as it is sent or received, until the time is over or the number of messages is reached. Credentials, passwords in addresses, media keys and all bodies but SDP are left out. The journal records who traced what. Over TCP a token needs admin.tracers."`
	Journal   journalCmd   `cmd:"" group:"calls" help:"List facts of the journal." eg:"--line 2001; --line 2001 --from yesterday --until today; --follow --kind call.; --call 01JD8Z6Q4N8T7R5V3X1B9C7D5F --oldest; --kind call.refused --limit 0 --json" detail:"The newest facts come first. Days are in the time zone of the line's customer, else the provider's."`
	History   historyCmd   `cmd:"" group:"calls" set:"limit=50" help:"Show what was changed at a customer's, by whom, who signed in and which devices came." eg:"--customer acme; --line 2001; --customer acme --limit 0 --json" detail:"The newest comes first. What happens on the pages, by the API and by this command is in it alike."`

	Help       helpCmd       `cmd:"" group:"other" help:"Show the help of a command." eg:"; cdr list"`
	Ver        versionCmd    `cmd:"" group:"other" name:"version" help:"Print the version." eg:""`
	Completion completionCmd `cmd:"" group:"other" help:"Print the completion script for a shell."`
	Man        manCmd        `cmd:"" group:"other" help:"Print the manual page, in roff." eg:"> ringfence.1; | man -l -" detail:"The page is made from the --help of every command. \"make install\" and the Debian package install it for man."`
	Complete   completeCmd   `cmd:"" group:"other" hidden:"" passthrough:""`
}

// leave carries an exit code out of kong, which wants to end the program itself.
type leave int

func newParser(cli *commands, s *session) (*kong.Kong, error) {
	parser, err := kong.New(cli,
		kong.Name("ringfence"),
		kong.Description(description),
		kong.Writers(s.out.Writer, s.errOut),
		kong.Exit(func(code int) { panic(leave(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110, NoAppDescFormat: true}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "run", Title: "Operation"},
			{Key: "book", Title: "Customers, lines and prices"},
			{Key: "guard", Title: "Protection and notices"},
			{Key: "calls", Title: "Calls"},
			{Key: "other", Title: "Other"},
		}),
		kong.NamedMapper("when", decode(func(f reflect.Value, p point) { f.SetString(string(p)) })),
		kong.NamedMapper("span-or-0", decode(func(f reflect.Value, d spanOrNone) { f.SetInt(int64(d.Duration / time.Second)) })),
		kong.NamedMapper("span", decode(func(f reflect.Value, d span) { f.SetInt(int64(d.Duration / time.Second)) })),
		kong.Bind(s),
		kong.BindTo(s.ctx, (*context.Context)(nil)),
		kong.BindTo(s.out.Writer, (*io.Writer)(nil)),
	)
	if err == nil {
		document(parser.Model.Node)
	}
	return parser, err
}

// wholeLine is an example that names the command itself.
var wholeLine = regexp.MustCompile(`(^|^watch |\| )ringfence `)

// document gives commands the help that is not in their flags: what their resource says they do, and examples. Those are in a
// tag, apart by semicolons, without the command itself as a rule. A command that only holds others has the first of
// each of them.
func document(n *kong.Node) {
	if of, ok := n.Target.Addr().Interface().(interface{ summary() string }); ok && n.Help == "" {
		n.Help = of.summary() + "."
	}
	var lines []string
	if n.Tag != nil && n.Tag.Has("detail") {
		n.Detail = n.Tag.Get("detail")
	}
	if n.Tag != nil && n.Tag.Has("eg") {
		for line := range strings.SplitSeq(n.Tag.Get("eg"), "; ") {
			if !wholeLine.MatchString(line) {
				line = strings.TrimSpace(n.FullPath() + " " + line)
			}
			lines = append(lines, line)
		}
	}
	for _, c := range n.Children {
		document(c)
		if _, rest, ok := strings.Cut(c.Detail, "Examples:\n\n  "); ok && n.Tag != nil {
			if first, _, _ := strings.Cut(rest, "\n"); !strings.HasPrefix(first, "#") {
				lines = append(lines, first)
			}
		}
	}
	if len(lines) > 0 {
		n.Detail = strings.TrimPrefix(n.Detail+"\n\n", "\n\n") + examples(lines...)
	}
}

// run is main without the process: it gives the exit code.
func run(args []string, in *os.File, out, errOut io.Writer) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case leave:
			code = int(r)
		default:
			panic(r)
		}
	}()
	// The server handles its own signals; SIGPIPE ends a command whose reader has gone.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var cli commands
	s := newSession(ctx, in, out, errOut)
	parser, err := newParser(&cli, s)
	if err != nil {
		panic(err) // the grammar is a constant of this program; every test would see it
	}
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "--version":
		args = []string{"version"}
	case args[0] == "help" && !slices.Contains(args, "--help"):
		args = append(args[1:], "--help")
	}
	parsed, err := parser.Parse(args)
	s.json = cli.JSON || slices.Contains(args, "--json")
	if err != nil {
		return s.fail(usage(meant(err, parser.Model.Node, args)))
	}
	if cli.Wide {
		s.out.Width = 0
	}
	s.parser = parser
	if err = parsed.Run(); err == nil {
		err = s.out.Fault
	}
	if err != nil {
		return s.fail(err)
	}
	return exitOK
}

// usageError is a wrong command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// commandOf is the command that a wrong command line had come to, nil before the first.
func commandOf(err error) *kong.Node {
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context == nil {
		return nil
	}
	return parse.Context.Selected()
}

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// usage adds the command whose help tells more.
func usage(err error) error {
	help := "ringfence --help"
	if node := commandOf(err); node != nil {
		help = node.FullPath() + " --help"
	}
	var own usageError
	if errors.As(err, &own) {
		err = own.error
	}
	return usagef("%w\nFor examples: %s", err, help)
}

// examples is the detailed help of a command. Each is a command line; one that begins with '#' says what the next does.
func examples(lines ...string) string {
	var b strings.Builder
	b.WriteString("Examples:\n")
	for _, l := range lines {
		b.WriteString("\n  " + l)
	}
	return b.String()
}
