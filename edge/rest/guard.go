package rest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/edge/internal/fair"
	"ringfence/edge/rest/api"
)

// Token is who may use the API over TCP. Only the digest of the token is kept; tokens are long and random, so that one
// round of SHA-256 is enough.
type Token struct {
	Name string
	Hash [sha256.Size]byte
}

// HashToken is the digest under which a token is kept.
func HashToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// maxTokens bounds the work of one check.
const maxTokens = 1000

// ParseTokens reads "name sha256-hex" lines; '#' begins a comment.
func ParseTokens(r io.Reader) ([]Token, error) {
	var out []Token
	s := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for n := 1; s.Scan(); n++ {
		line, _, _ := strings.Cut(s.Text(), "#")
		parts := strings.Fields(line)
		if len(parts) == 0 {
			continue
		}
		t := Token{Name: parts[0]}
		if len(parts) != 2 || hex.DecodedLen(len(parts[1])) != len(t.Hash) {
			return nil, fmt.Errorf("tokens, line %d: want a name and 64 hexadecimal digits of SHA-256", n)
		}
		if _, err := hex.Decode(t.Hash[:], []byte(parts[1])); err != nil {
			return nil, fmt.Errorf("tokens, line %d: the digest is not hexadecimal", n)
		}
		if len(out) >= maxTokens {
			return nil, fmt.Errorf("tokens, line %d: more than %d tokens", n, maxTokens)
		}
		out = append(out, t)
	}
	return out, s.Err()
}

// who finds the token's owner. Every digest is compared, in the same time whichever fits.
func who(tokens []Token, header string) (name string, ok bool) {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", false
	}
	sum := HashToken(strings.TrimSpace(token))
	for i := range tokens {
		if subtle.ConstantTimeCompare(sum[:], tokens[i].Hash[:]) == 1 {
			name, ok = tokens[i].Name, true
		}
	}
	return name, ok
}

// wrongTokens counts tokens that this server does not know, starting again each minute. Only wrong ones are refused for their
// number: a token cannot be guessed, so its owner never waits because of what others try.
type wrongTokens struct {
	mu    sync.Mutex
	until time.Time            // guarded by mu, as is count
	count map[netip.Prefix]int // by address (IPv6: /64) and by network (/24)
}

// How many wrong tokens are answered as such in a minute, and how many addresses and networks are counted.
const (
	wrongPerAddress = 10
	wrongPerNetwork = 30
	maxWrong        = 4096
)

// take counts a wrong token, and says whether it is still within the share of where it comes from.
func (t *wrongTokens) take(remote string, now time.Time) bool {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return true // of this machine, by the socket
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.After(t.until) || t.count == nil {
		t.count, t.until = map[netip.Prefix]int{}, now.Add(time.Minute)
	}
	own, around := fair.Address(at.Addr()), fair.Network(at.Addr())
	if len(t.count) >= maxWrong && t.count[own] == 0 {
		return false // this many in one minute are not mistakes
	}
	t.count[own]++
	if around == own {
		return t.count[own] <= wrongPerAddress
	}
	t.count[around]++
	return t.count[own] <= wrongPerAddress && t.count[around] <= wrongPerNetwork
}

// Handler serves the API as over TCP to an operator who was vouched for as name; it opens nothing.
func (s *Server) Handler(name string) http.Handler {
	operator := person.Operator(name)
	return s.HandlerFor(&operator)
}

// guard is what every request passes: no panic ends the program, no browser drives the API, and no unknown client uses it.
func (s *Server) guard(caller func(*http.Request) (*person.Who, error), ours func(host string) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recoverPanic(w, r)
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set(api.CurrencyHeader, money.Billing().Code)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if fromPage(r) || !ours(r.Host) {
			writeProblem(w, &api.Problem{
				Status: http.StatusForbidden, Reason: api.ReasonForeign,
				Detail: "the request comes from a web page, or names a host that is not this server; use its address, or a configured name",
			})
			return
		}
		who, err := caller(r)
		if err != nil && !errors.Is(err, errNoToken) {
			writeProblem(w, &s.failed(err).Problem)
			return
		}
		if err != nil && !s.wrong.take(r.RemoteAddr, time.Now()) {
			h.Set("Retry-After", "60")
			h.Set("Connection", "close") // frees its place for others
			writeProblem(w, &api.Problem{
				Status: http.StatusTooManyRequests, Reason: api.ReasonTokens,
				Detail: "too many wrong tokens from your address or network; a right one is taken at any time",
			})
			return
		}
		if err != nil {
			h.Set("WWW-Authenticate", `Bearer realm="ringfence"`)
			writeProblem(w, &api.Problem{
				Status: http.StatusUnauthorized, Reason: api.ReasonToken,
				Detail: "send Authorization: Bearer TOKEN with a token that this server knows",
			})
			return
		}
		if r.Method != http.MethodGet {
			s.log.Info("admin", "by", who.Actor, "method", r.Method, "path", clip(r.URL.Path, 200))
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), whoKey{}, s.reaching(who))))
	})
}

// recoverPanic ends one request, not the program.
func (s *Server) recoverPanic(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	s.log.Error("a request failed", "method", r.Method, "path", clip(r.URL.Path, 200), "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	writeProblem(w, &api.Problem{
		Status: http.StatusInternalServerError, Reason: api.ReasonInternal,
		Detail: "an internal fault ended this request only; see the server's log",
	})
}

// fromPage says that a browser sent this for a page: it has an Origin, or a Sec-Fetch-Site other than a person's typing.
func fromPage(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return len(r.Header.Values("Origin")) > 0 || site != "" && site != "none"
}

// anyName is for the unix socket, which no browser can reach.
func anyName(string) bool { return true }

// ownName accepts addresses, configured names and those of the certificate. Any other Host is what a rebound DNS name
// looks like; under TLS that fails at the certificate already.
func (s *Server) ownName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || slices.Contains(s.o.Hosts, host) {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return s.cert.Names(host)
}
