package book

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/rating"
	"ringfence/core/secret"
	"ringfence/state/store"
)

// trunkTable is immutable.
type trunkTable struct {
	all    []account.Trunk   // by Priority, then Name
	active []account.Trunk   // those not disabled
	at     map[string]string // the names of all by each of their Addresses
}

// TrunkEdit changes what is not nil. An empty Password takes it away.
type TrunkEdit struct {
	Addresses                               *[]string
	Transport, User, Password, Deck, Format *string
	Withheld, Registrar                     *string
	Headers, Privacy, Abroad                *string
	Sources                                 *[]netip.Prefix
	Priority, Expiry, MaxCalls, MaxRate     *int
	Emergency, Disabled                     *bool
}

// Limits of a trunk.
const (
	maxAddresses = 16
	maxPriority  = 1000
	mostCalls    = 100_000
	mostRate     = 1000
	maxText      = 128
	minExpiry    = 60
	maxExpiry    = 24 * 60 * 60
	usualExpiry  = 60 * 60
	sipPort      = "5060"
	sipsPort     = "5061"
)

// Trunks are the routes that may be used, best first. Read only.
func (b *Book) Trunks() []account.Trunk { return b.trunks.Load().active }

// AllTrunks has the disabled ones too. Read only.
func (b *Book) AllTrunks() []account.Trunk { return b.trunks.Load().all }

// TrunkCalled finds a trunk by its handle, or by its identity as people write it. Read only.
func (b *Book) TrunkCalled(text string) (*account.Trunk, bool) {
	if id, ok := account.ReadIdentity(text); ok {
		return b.Trunk(id)
	}
	all := b.trunks.Load().all
	i := slices.IndexFunc(all, func(t account.Trunk) bool { return account.Handle(t.Name) == text })
	if i < 0 {
		return nil, false
	}
	return &all[i], true
}

// Trunk finds a trunk by its identity, disabled or not. Read only.
func (b *Book) Trunk(name string) (*account.Trunk, bool) {
	all := b.trunks.Load().all
	for i := range all {
		if all[i].Name == name {
			return &all[i], true
		}
	}
	return nil, false
}

// TrunkOf finds whose inbound calls may come from src: the best trunk in use with src among its Sources.
func (b *Book) TrunkOf(src netip.Addr) (*account.Trunk, bool) {
	src = src.Unmap().WithZone("")
	active := b.trunks.Load().active
	for i := range active {
		for _, p := range active[i].Sources {
			if p.Contains(src) {
				return &active[i], true
			}
		}
	}
	return nil, false
}

// TrunkAt names a trunk whose calls go out to an address, which host (with its port; "" is none) was found to have; "" is none.
func (b *Book) TrunkAt(src netip.AddrPort, host string) string {
	at, room := b.trunks.Load().at, [64]byte{}
	return cmp.Or(at[string(src.AppendTo(room[:0]))], at[host])
}

// Cost is the deck of what a trunk's carrier charges; false: none is named or loaded.
func (b *Book) Cost(t *account.Trunk) (*rating.Deck, bool) {
	if t.Deck == "" {
		return nil, false
	}
	d := (*b.decks.Load())[t.Deck]
	if d == nil || d.head.Kind != rating.Cost {
		return nil, false
	}
	return d.rows, true
}

// TrunkPassword opens the password of a trunk; false: it has none, or it does not open.
func (b *Book) TrunkPassword(name string) (secret.Password, bool) {
	t, ok := b.Trunk(name)
	if !ok || len(t.Sealed) == 0 {
		return secret.Password{}, false
	}
	p, err := b.box.Load().Open(secret.TrunkOwner(name), t.Sealed)
	return p, err == nil
}

func (b *Book) loadTrunks(ctx context.Context) error {
	all, err := b.db.Trunks(ctx)
	if err != nil {
		return err
	}
	b.publishTrunks(all)
	return nil
}

func (b *Book) publishTrunks(all []account.Trunk) {
	slices.SortFunc(all, func(x, y account.Trunk) int {
		return cmp.Or(cmp.Compare(x.Priority, y.Priority), cmp.Compare(x.Name, y.Name))
	})
	t := &trunkTable{all: all, at: map[string]string{}}
	for _, x := range slices.Backward(all) { // the first of several is found
		for _, text := range x.Addresses {
			if at, err := netip.ParseAddrPort(text); err == nil {
				text = at.String()
			}
			t.at[text] = x.Name
		}
	}
	for _, x := range all {
		if !x.Disabled {
			t.active = append(t.active, x)
		}
	}
	b.trunks.Store(t)
}

// AddTrunk adds a trunk under a handle.
func (b *Book) AddTrunk(ctx context.Context, actor, handle string, edit TrunkEdit) (*account.Trunk, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	if account.CheckTrunkName(handle) != nil {
		return nil, &Invalid{"name", clip(handle), "1 to 40 of a-z, 0-9 and '-', with '-' inside only"}
	}
	if _, ok := b.TrunkCalled(handle); ok {
		return nil, fmt.Errorf("trunk %s: %w", handle, store.ErrExists)
	}
	t, err := b.applyTrunk(account.Trunk{Name: b.identify(handle), Transport: "udp", Format: "+e164", Withheld: account.WithheldAsserted, Expiry: usualExpiry, Headers: account.HeaderPAI, Privacy: account.Privacies[0], Abroad: account.HomeCalls}, edit)
	if err != nil {
		return nil, err
	}
	return b.saveTrunk(ctx, t, true, factOf[fact.TrunkAdded](time.Now(), actor, "", "", nil, trunkFacts(t)))
}

// EditTrunk changes a trunk, all of the edit or nothing.
func (b *Book) EditTrunk(ctx context.Context, actor, name string, edit TrunkEdit) (*account.Trunk, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	was, ok := b.Trunk(name)
	if !ok {
		return nil, store.ErrNotFound
	}
	t, err := b.applyTrunk(*was, edit)
	if err != nil {
		return nil, err
	}
	before, after := trunkFacts(*was), trunkFacts(t)
	delete(before, "name") // so that the fact names it among what is after
	delete(before, "identity")
	f := factOf[fact.TrunkChanged](time.Now(), actor, "", "", before, after)
	return b.saveTrunk(ctx, t, false, f)
}

func (b *Book) saveTrunk(ctx context.Context, t account.Trunk, isNew bool, f store.Fact) (*account.Trunk, error) {
	if err := b.wrote(b.db.PutTrunk(ctx, t, isNew, f)); err != nil {
		return nil, err
	}
	rest := slices.DeleteFunc(slices.Clone(b.trunks.Load().all), func(x account.Trunk) bool { return x.Name == t.Name })
	b.publishTrunks(append(rest, t))
	b.tell(Change{Kind: TrunkChanged, Trunk: t.Name})
	return &t, nil
}

// DeleteTrunk removes a trunk. Calls through it go on.
func (b *Book) DeleteTrunk(ctx context.Context, actor, name string) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.mu.Unlock()
	t, ok := b.Trunk(name)
	if !ok {
		return store.ErrNotFound
	}
	f := factOf[fact.TrunkDeleted](time.Now(), actor, "", "", trunkFacts(*t), nil)
	if err := b.wrote(b.db.DeleteTrunk(ctx, name, f)); err != nil {
		return err
	}
	b.publishTrunks(slices.DeleteFunc(slices.Clone(b.trunks.Load().all), func(x account.Trunk) bool { return x.Name == name }))
	b.tell(Change{Kind: TrunkChanged, Trunk: name})
	return nil
}

// applyTrunk is the trunk as it would be; nothing is changed.
func (b *Book) applyTrunk(t account.Trunk, e TrunkEdit) (account.Trunk, error) {
	set(&t.Transport, e.Transport)
	set(&t.User, e.User)
	set(&t.Deck, e.Deck)
	set(&t.Format, e.Format)
	set(&t.Withheld, e.Withheld)
	set(&t.Headers, e.Headers)
	set(&t.Privacy, e.Privacy)
	set(&t.Abroad, e.Abroad)
	set(&t.Priority, e.Priority)
	set(&t.MaxCalls, e.MaxCalls)
	set(&t.MaxRate, e.MaxRate)
	set(&t.Registrar, e.Registrar)
	set(&t.Expiry, e.Expiry)
	set(&t.Emergency, e.Emergency)
	set(&t.Disabled, e.Disabled)
	if e.Sources != nil {
		t.Sources = slices.Clone(*e.Sources)
	}
	if e.Addresses != nil {
		t.Addresses = *e.Addresses
	}
	t.Addresses = slices.Clone(t.Addresses) // completed in place below; the published ones are read meanwhile
	if e.Password != nil {
		if err := b.sealTrunk(&t, *e.Password); err != nil {
			return t, err
		}
	}
	return t, b.checkTrunk(&t)
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

func (b *Book) sealTrunk(t *account.Trunk, password string) error {
	t.Sealed = nil
	if password == "" {
		return nil
	}
	if !plainText(password) {
		return &Invalid{"password", "", "at most 128 printable ASCII characters"}
	}
	sealed, err := b.box.Load().Seal(secret.TrunkOwner(t.Name), secret.NewPassword(password))
	t.Sealed = sealed
	return err
}

func (b *Book) checkTrunk(t *account.Trunk) error {
	var faults []error
	check := func(ok bool, field, found, want string) {
		if !ok {
			faults = append(faults, &Invalid{field, clip(found), want})
		}
	}
	check(len(t.Addresses) > 0 && len(t.Addresses) <= maxAddresses, "addresses", strings.Join(t.Addresses, ", "), "1 to 16 of host or host:port")
	for i, a := range t.Addresses {
		fixed, err := trunkAddress(a, t.Transport)
		check(err == nil, "addresses", a, "host or host:port of the carrier, such as sip.carrier.example")
		t.Addresses[i] = fixed
	}
	check(t.Transport == "udp" || t.Transport == "tcp" || t.Transport == "tls" || t.Transport == "auto", "transport", t.Transport, "udp, tcp, tls or auto")
	check(t.Format == "+e164" || t.Format == "e164" || t.Format == "00e164", "format", t.Format, "+e164, e164 or 00e164")
	check(t.Withheld == account.WithheldAsserted || t.Withheld == account.WithheldRemoved, "withheld", t.Withheld, "asserted or removed")
	check(slices.Contains(account.Headers, t.Headers), "headers", t.Headers, "pai, rpid, both or none")
	check(slices.Contains(account.Privacies, t.Privacy), "privacy", t.Privacy, strings.Join(account.Privacies, ", "))
	check(t.Abroad == account.HomeCalls || t.Abroad == account.AbroadCalls || t.Abroad == account.CheckedCalls, "from_abroad", t.Abroad, "no, yes or checked")
	check(t.Priority >= 0 && t.Priority <= maxPriority, "priority", strconv.Itoa(t.Priority), "0 to 1000; lower values are tried first")
	check(t.MaxCalls >= 0 && t.MaxCalls <= mostCalls, "max_calls", strconv.Itoa(t.MaxCalls), "0 to 100000 concurrent calls; 0 is any number")
	check(t.MaxRate >= 0 && t.MaxRate <= mostRate, "max_rate", strconv.Itoa(t.MaxRate), "0 to 1000 calls a second; 0 is any number")
	check(plainText(t.User) && !strings.ContainsAny(t.User, `"\`), "user", t.User, "at most 128 printable ASCII characters without quotes")
	check((t.User == "") == (len(t.Sealed) == 0), "user", t.User, "a user with a password, or neither")
	if t.Registrar != "" {
		fixed, err := trunkAddress(t.Registrar, t.Transport)
		check(err == nil, "registrar", t.Registrar, "host or host:port of the carrier's registrar, such as sip.carrier.example")
		t.Registrar = fixed
		check(userPart(t.User), "user", t.User, "to register, a user of letters, digits and -_.+~*' with its password")
	}
	check(t.Expiry >= minExpiry && t.Expiry <= maxExpiry, "expiry", strconv.Itoa(t.Expiry), "60 to 86400 seconds")
	for _, p := range t.Sources {
		check(p.Bits() >= widest(p.Addr()), "sources", p.String(), "a carrier's own networks: calls in would be taken from all over this one")
	}
	faults = append(faults, checkNets("sources", t.Sources), b.checkDeck("deck", t.Deck, costOnly))
	return errors.Join(faults...)
}

// widest is the shortest prefix length that a carrier's network can have.
func widest(a netip.Addr) int {
	if a.Is4() {
		return 8
	}
	return 19
}

// trunkAddress checks host[:port], and completes a number with the port. A name without a port remains so: the DNS says it (RFC 3263 4.2).
func trunkAddress(s, transport string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	named := err == nil
	if !named {
		host, port = strings.Trim(s, "[]"), sipPort
		if transport == "tls" {
			port = sipsPort
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return s, errors.New("no such port")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.IsUnspecified() || ip.IsMulticast() || ip.Zone() != "" {
			return s, errors.New("no address of a carrier")
		}
		return net.JoinHostPort(ip.String(), port), nil
	}
	if !hostName(host) {
		return s, errors.New("no name of a host")
	}
	if host = strings.ToLower(host); !named {
		return strings.TrimSuffix(host, "."), nil
	}
	return net.JoinHostPort(host, port), nil
}

// hostName accepts names of RFC 1123 whose last label is no number, so that a mistyped address is not looked up.
func hostName(s string) bool {
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.ContainsFunc(l, notHostRune) {
			return false
		}
	}
	_, err := strconv.Atoi(labels[len(labels)-1])
	return err != nil
}

func notHostRune(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

// userPart says that a text is the user of a SIP URI as it is, without escapes (RFC 3261 25.1).
func userPart(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.!~*'+", r))
	})
}

// plainText is printable ASCII of a bounded length; it goes into a SIP header.
func plainText(s string) bool {
	return len(s) <= maxText && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
