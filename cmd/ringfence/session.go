package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"ringfence/app/config"
	"ringfence/cmd/ringfence/table"
	"ringfence/edge/phone"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

// session is what every command needs: where to print, whom to ask.
type session struct {
	ctx    context.Context
	in     *os.File
	out    *table.Screen
	errOut io.Writer
	json   bool
	remote remote
	parser *kong.Kong // for completion
}

func newSession(ctx context.Context, in *os.File, out, errOut io.Writer) *session {
	return &session{ctx: ctx, in: in, out: newScreen(out), errOut: errOut}
}

// usualWidth is how wide tables are where there is no terminal to say it.
const usualWidth = 80

// newScreen shows colours on a terminal only, and never when NO_COLOR is set (no-color.org).
func newScreen(out io.Writer) *table.Screen {
	s := &table.Screen{Writer: out, Width: usualWidth}
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	s.Terminal = true
	s.Colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		s.Width = w
	}
	return s
}

// remote says which server to ask. Commands that ask one embed it.
type remote struct {
	Socket    string `help:"Admin socket of the server (default: RINGFENCE_SOCKET, else that of the configuration, else the one in ./ringfence-data)." placeholder:"PATH" group:"Server"`
	Server    string `help:"Address of a server over TCP, instead of a socket." placeholder:"https://HOST:PORT" group:"Server"`
	TokenFile string `help:"File with the token for --server." placeholder:"FILE" group:"Server"`
	CA        string `help:"File with the certificate authority (PEM) of --server." placeholder:"FILE" name:"ca" group:"Server"`
}

// AfterApply tells the session; kong calls it on the command that embeds remote.
func (r *remote) AfterApply(s *session) error {
	s.remote = *r
	return nil
}

// errNoServer says that no socket was found where servers put them.
var errNoServer = errors.New("no server is running here")

// client speaks to the server that the flags name.
func (s *session) client() (*client.Client, error) {
	r := s.remote
	if r.Server == "" {
		path, err := findSocket(r.Socket)
		if err != nil {
			return nil, err
		}
		return client.Unix(path), nil
	}
	if r.Socket != "" {
		return nil, usagef("--socket and --server name two servers; give one")
	}
	base := r.Server
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	token, err := readToken(r.TokenFile)
	if err != nil {
		return nil, err
	}
	transport, err := transportFor(r.CA)
	if err != nil {
		return nil, err
	}
	return client.TCP(base, token, transport)
}

// findSocket is the socket to use: given, else RINGFENCE_SOCKET, else the first that is there of the configuration's, the
// default data folder's, the demonstration's, and those of an installed package.
func findSocket(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	if env := os.Getenv(config.EnvSocket); env != "" {
		return env, nil
	}
	var places []string
	if path := config.Find(""); path != "" {
		if c, err := config.Load(path); err == nil {
			places = append(places, c.Admin.Socket)
		}
	}
	const name = "ringfence.sock"
	for _, folder := range []string{config.Default().Data, config.DemoFolder, "/run/ringfence", "/var/lib/ringfence"} {
		places = append(places, filepath.Join(folder, name))
	}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil || errors.Is(err, os.ErrPermission) {
			return p, nil
		}
	}
	return "", errNoServer
}

const maxSecret = 1024

// readToken reads a token from a file that only its owner may read.
func readToken(path string) (string, error) {
	if path == "" {
		return "", usagef("--server needs --token-file: a file with the token, mode 0600")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("--token-file: others may read %s: chmod 600 %s", path, path)
	}
	return firstLine(f)
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxSecret+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" || len(line) > maxSecret {
		return "", fmt.Errorf("want one line of at most %d bytes", maxSecret)
	}
	return line, nil
}

func transportFor(ca string) (http.RoundTripper, error) {
	if ca == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM", ca)
	}
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, nil
}

// do sends a request; see client.Do.
func (s *session) do(method, path string, in, out any) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, client.Timeout)
	defer cancel()
	return c.Do(ctx, method, path, in, out)
}

func queryText(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

const pageSize = 1000

// emit writes v as JSON for programs, or lets people do it.
func (s *session) emit(v any, people func() error) error {
	if !s.json {
		return people()
	}
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// jsonLine writes v on one line, for what comes as a stream.
func (s *session) jsonLine(v any) error {
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// say prints a line for people. Strings among args may come from anywhere and may not steer the terminal.
func (s *session) say(format string, args ...any) error {
	for i, a := range args {
		if text, ok := a.(string); ok {
			args[i] = cleanLines(text)
		}
	}
	_, err := fmt.Fprintf(s.out, format+"\n", args...)
	return err
}

// table prints a table, and says so when the screen was too narrow for its ids.
func (s *session) table(t *table.Table, indent int) error {
	withoutIDs, err := t.Write(s.out, indent)
	if err != nil || !withoutIDs {
		return err
	}
	return s.say("%s", s.out.Paint(table.Dim, "Ids do not fit here: --wide shows them, and --json."))
}

// list prints rows, or a sentence when there are none.
func (s *session) list(t *table.Table, empty string) error {
	if t.Len() == 0 {
		return s.say("%s", empty)
	}
	return s.table(t, 0)
}

// errNothingDone is what a command ends with that has said that it changed nothing, and why.
var errNothingDone = errors.New("nothing was done")

// dryRun says what a command would have done, and how to do it.
func (s *session) dryRun(what string) error {
	if err := s.emit(map[string]any{"done": false, "would": what}, func() error {
		return s.say("%s Nothing was changed: add --yes to do it.", what)
	}); err != nil {
		return err
	}
	return errNothingDone
}

// nothing says why a command had nothing to do; v is what --json prints.
func (s *session) nothing(v any, format string, args ...any) error {
	if err := s.emit(v, func() error { return s.say(format, args...) }); err != nil {
		return err
	}
	return errNothingDone
}

// cleanLines is table.Clean for texts of several lines.
func cleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = table.Clean(l)
	}
	return strings.Join(lines, "\n")
}

// askPassword reads a secret without showing it: twice from a terminal, else one line of standard input.
func (s *session) askPassword(owner string) (string, error) {
	fd := int(s.in.Fd())
	if !term.IsTerminal(fd) {
		text, err := firstLine(s.in)
		if err != nil {
			return "", usagef("the password for %s is read from standard input: %w", owner, err)
		}
		return text, nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password for " + owner + ": ", "Again: "} {
		fmt.Fprint(s.errOut, prompt)
		text, err := term.ReadPassword(fd)
		fmt.Fprintln(s.errOut)
		if err != nil {
			return "", err
		}
		typed[i] = string(text)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return typed[0], nil
}

// askInto is askPassword for a field of a body, if asked for.
func (s *session) askInto(field **string, ask bool, prompt string) error {
	if !ask {
		return nil
	}
	text, err := s.askPassword(prompt)
	*field = &text
	return err
}

var errRefused = errors.New("the call would be refused")

// fail prints an error with what to do about it, and gives the exit code.
func (s *session) fail(err error) int {
	code := codeOf(err)
	if errors.Is(err, phone.ErrFailed) || errors.Is(err, errRefused) || errors.Is(err, errNothingDone) {
		return code // said already
	}
	var p *api.Problem
	if s.json {
		if !errors.As(err, &p) {
			p = &api.Problem{Title: "the command failed", Reason: reasonOf(code), Detail: err.Error()}
		}
		_ = json.NewEncoder(s.errOut).Encode(p) // nowhere left to say it
		return code
	}
	fmt.Fprintln(s.errOut, "ringfence: "+cleanLines(explain(err, s.remote)))
	return code
}

func codeOf(err error) int {
	var use usageError
	var p *api.Problem
	switch {
	case errors.As(err, &use), errors.As(err, &p) && p.Reason == api.ReasonUnknown:
		return exitUsage
	case errors.Is(err, errRefused):
		return exitRefused
	case errors.Is(err, errNothingDone):
		return exitNothing
	case errors.Is(err, os.ErrPermission):
		return exitForbidden
	case errors.Is(err, errNoServer), errors.Is(err, client.ErrUnreachable):
		return exitUnreachable
	case errors.As(err, &p) && (p.Status == http.StatusUnauthorized || p.Reason == api.ReasonTokens):
		return exitForbidden
	}
	return exitFailed
}

// adding says what it was that exists already.
func adding(what, id string, err error) error {
	var p *api.Problem
	if errors.As(err, &p) && p.Reason == api.ReasonExists && !strings.Contains(p.Detail, id) {
		p.Detail = what + " " + id + ": " + p.Detail
	}
	return err
}

// reasonOf is the code of an error that did not come from a server, for --json.
func reasonOf(code int) string {
	switch code {
	case exitUsage:
		return "usage"
	case exitUnreachable:
		return "unreachable"
	case exitForbidden:
		return "forbidden"
	}
	return "failed"
}

// explain is an error in words, with what to do.
func explain(err error, r remote) string {
	var p *api.Problem
	switch {
	case errors.As(err, &p) && p.Reason == api.ReasonUnconfirmed:
		return unconfirmedText(p)
	case errors.As(err, &p):
		return problemText(p)
	case errors.Is(err, errNoServer):
		return err.Error() + ".\nStart one with: " + starting() + "   (or, to try it: ringfence serve --demo)\nOr name one with --socket PATH or --server ADDRESS."
	case errors.Is(err, client.ErrUnreachable) && errors.Is(err, os.ErrPermission):
		return err.Error() + "\nThe socket is its owner's: run this as the user that runs the server (sudo -u ringfence ringfence …)."
	case errors.Is(err, client.ErrUnreachable) && r.Server == "":
		return err.Error() + "\nIs it running? Start it with: " + starting()
	case errors.Is(err, context.DeadlineExceeded):
		return "the server did not answer in time"
	}
	return err.Error()
}

// starting is how a server is started here. Where Ringfence is installed it is the service's: a root who typed "ringfence serve" would leave
// files that the service cannot open.
func starting() string {
	if strings.HasPrefix(config.Find(""), "/etc/") {
		return "systemctl start ringfence"
	}
	return "ringfence serve"
}

// hints say what to do about a problem, by its reason.
var hints = map[string]string{
	api.ReasonLooser: "Staff may allow it: add --grant (and --until WHEN to have it end by itself), or let the customer ask with: ringfence line request",
	api.ReasonExempt: "Their own phones and calls would be blocked too. If you mean that, add --force",
	api.ReasonNever:  "Take it off shield.never in the configuration first, if it is to be banned.",
	api.ReasonToken:  "The token in --token-file is not one of the server's admin.tokens-file.",
	api.ReasonTokens: "The token in --token-file is not one of the server's admin.tokens-file.",
}

const maxFaultsShown = 50

func problemText(p *api.Problem) string {
	var b strings.Builder
	b.WriteString(p.Error())
	for i, f := range p.Errors {
		if i == maxFaultsShown {
			fmt.Fprintf(&b, "\n  and %d more (all with --json)", len(p.Errors)-i)
			break
		}
		if len(p.Errors) == 1 && strings.Contains(p.Detail, f.Text) {
			continue
		}
		b.WriteString("\n  ")
		if f.Line > 0 && !strings.Contains(f.Text, "line "+strconv.Itoa(f.Line)) {
			fmt.Fprintf(&b, "line %d, column %d: ", f.Line, f.Column)
		}
		b.WriteString(f.Text)
	}
	if h := hints[p.Reason]; h != "" {
		b.WriteString("\n" + h)
	}
	return b.String()
}

// displayPath is a path as its reader would type it: relative when it is near.
func displayPath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(rel, "..") {
		return "./" + rel
	}
	return path
}
