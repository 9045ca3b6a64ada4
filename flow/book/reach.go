package book

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/phone"
	"ringfence/state/store"
)

// Reach changes how a line is reached beside its number, and which lines ring with it. What is nil stays.
type Reach struct {
	Short   *string        // "" takes it away
	Numbers *[]string      // as people write them: "020 7946 0100", "020 7946 0100-0199"
	Members *[]string      // handles of lines of the customer; none: it is no group
	InTurn  *bool          // one after the other
	Each    *time.Duration // how long each rings then
}

func (r *Reach) empty() bool { return *r == Reach{} }

// reached is the reach of a line with changes.
func (b *Book) reached(a *account.Line, r *Reach) (err error) {
	if r.empty() {
		return nil
	}
	set(&a.Reach.InTurn, r.InTurn)
	if r.Each != nil {
		if *r.Each < account.MinRing || *r.Each > account.MaxRing {
			return &Invalid{"ring_each", r.Each.String(), fmt.Sprintf("%s to %s", account.MinRing, account.MaxRing)}
		}
		a.Reach.Each = int64(*r.Each / time.Second)
	}
	if r.Short != nil {
		if a.Reach.Short, err = b.shortNumber(a, strings.TrimSpace(*r.Short)); err != nil {
			return err
		}
	}
	if r.Numbers != nil {
		if a.Reach.Numbers, err = b.furtherNumbers(a.ID, *r.Numbers); err != nil {
			return err
		}
	}
	if r.Members != nil {
		a.Reach.Members, err = b.members(a, *r.Members)
	}
	return err
}

// shortNumber judges a short number: one that means nothing else, and that no other line of the customer has.
func (b *Book) shortNumber(a *account.Line, digits string) (string, error) {
	if digits == "" {
		return "", nil
	}
	if !b.plan.Spare(digits) {
		return "", &Invalid{"short", clip(digits), "two to four digits that no other number or code begins with, such as 21: not 0…, 99…, 112"}
	}
	if other, ok := b.Short(a.Customer, digits); ok && other != a.ID {
		return "", &Invalid{"short", digits, "another: line " + account.Handle(other) + " has it"}
	}
	return digits, nil
}

// Short finds which line the lines of a customer call by a short number.
func (b *Book) Short(customer, digits string) (line string, ok bool) {
	l, ok := b.shorts.Load(shortKey(customer, digits))
	if !ok {
		return "", false
	}
	return l.id, true
}

func shortKey(customer, digits string) string { return customer + "/" + digits }

// furtherNumbers reads numbers and ranges of numbers.
func (b *Book) furtherNumbers(line string, texts []string) (all []account.Numbers, err error) {
	count := uint64(0)
	for _, text := range texts {
		n, err := b.numbersIn(line, text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o account.Numbers) bool { return o.First <= n.Last && n.First <= o.Last }) {
			return nil, &Invalid{"numbers", clip(text), "each number once"}
		}
		if count += n.Last - n.First + 1; count > account.MaxNumbers {
			return nil, &Invalid{"numbers", clip(text), fmt.Sprintf("at most %d numbers", account.MaxNumbers)}
		}
		all = append(all, n)
	}
	slices.SortFunc(all, func(x, y account.Numbers) int { return int(x.First) - int(y.First) })
	return all, nil
}

// numbersIn reads one number, or a range of them: the number, '-', and the digits that the last ends with. Where numbers differ in length, "+49 30 1234567-69"
// could be either, and is neither.
func (b *Book) numbersIn(line, text string) (n account.Numbers, err error) {
	invalid := &Invalid{"numbers", clip(text), "numbers or ranges such as 020 7946 0100-0199"}
	at := strings.LastIndexByte(text, '-')
	first, err := b.lineNumber(line, text)
	if err == nil && first != "" {
		if at >= 0 && strings.TrimSpace(text[at+1:]) != "" && b.isNumber(text[:at]) {
			return n, &Invalid{"numbers", clip(text), "a number without '-', or each number by itself: this may be one number or a range"}
		}
		n.First, err = strconv.ParseUint(first, 10, 64)
		n.Last = n.First
		return n, err
	}
	if errors.Is(err, store.ErrExists) || at < 0 {
		return n, takenOr(err, invalid)
	}
	if first, err = b.lineNumber(line, text[:at]); err != nil || first == "" {
		return n, takenOr(err, invalid)
	}
	end := strings.TrimSpace(text[at+1:])
	last := first[:max(len(first)-len(end), 0)] + end
	if n.First, err = strconv.ParseUint(first, 10, 64); err != nil || len(last) != len(first) {
		return n, invalid
	}
	if n.Last, err = strconv.ParseUint(last, 10, 64); err != nil || n.Last < n.First || n.Last-n.First >= account.MaxNumbers {
		return n, invalid
	}
	for d := n.First; d <= n.Last; d++ { // a block of numbers may end within the range, or another line have one
		if _, err := b.lineNumber(line, "+"+strconv.FormatUint(d, 10)); err != nil {
			return n, takenOr(err, invalid)
		}
	}
	return n, nil
}

// isNumber says that a text is a number that some line could have.
func (b *Book) isNumber(text string) bool {
	number, err := b.lineNumber("", text)
	return err == nil && number != "" || errors.Is(err, store.ErrExists)
}

// takenOr says that somebody else has a number, or else that it is none.
func takenOr(err error, invalid *Invalid) error {
	if errors.Is(err, store.ErrExists) {
		return err
	}
	return invalid
}

// members are the lines of a group by their identities, in their order.
func (b *Book) members(a *account.Line, handles []string) (ids []string, err error) {
	for _, handle := range handles {
		l, ok := b.LineCalled(handle)
		if !ok || l.Customer() != a.Customer || l.ID() == a.ID || slices.Contains(ids, l.ID()) {
			return nil, &Invalid{"rings", clip(handle), "other lines of the same customer, each once"}
		}
		ids = append(ids, l.ID())
	}
	if len(ids) > account.MaxMembers {
		return nil, &Invalid{"rings", strconv.Itoa(len(ids)), fmt.Sprintf("at most %d lines", account.MaxMembers)}
	}
	return ids, nil
}

// Reach is how the line is reached beside its number. It is not to be changed.
func (l *Line) Reach() account.Reach {
	if l.more() == nil {
		return account.Reach{}
	}
	return *l.more()
}

// Members are the lines that ring with this one, as far as they are still there.
func (b *Book) Members(l *Line) (all []*Line) {
	if l.more() == nil {
		return nil
	}
	for _, id := range l.more().Members {
		if m, ok := b.Line(id); ok && m.cust == l.cust {
			all = append(all, m)
		}
	}
	return all
}

// Owns says that a number is one of the line's.
func (l *Line) Owns(digits uint64) bool {
	return digits != 0 && (l.digits == digits || l.more() != nil && l.more().Has(digits))
}

// NumberTexts are its further numbers as furtherNumbers reads them.
func (l *Line) NumberTexts() (texts []string) {
	if l.more() != nil {
		texts = numberTexts(l.more().Numbers)
	}
	return texts
}

func numberTexts(all []account.Numbers) (texts []string) {
	for _, n := range all {
		first, last := strconv.FormatUint(n.First, 10), strconv.FormatUint(n.Last, 10)
		text := "+" + first
		if n.First != n.Last {
			same := 0
			for first[same] == last[same] {
				same++
			}
			text += "-" + last[min(same, len(last)-4):]
		}
		texts = append(texts, text)
	}
	return texts
}

// eachNumber are all numbers of a line.
func (l *Line) eachNumber(yield func(uint64) bool) {
	if l.digits != 0 && !yield(l.digits) {
		return
	}
	if l.more() == nil {
		return
	}
	for _, n := range l.more().Numbers {
		for d := n.First; d <= n.Last; d++ {
			if !yield(d) {
				return
			}
		}
	}
}

// indexReach puts a line where its numbers find it, and takes it out where those that it had do.
func (b *Book) indexReach(was, l *Line) {
	if l != nil {
		for d := range l.eachNumber {
			b.numbers.Store(d, l)
		}
		if short := l.Reach().Short; short != "" {
			b.shorts.Store(shortKey(l.cust.id, short), l)
		}
	}
	if was == nil {
		return
	}
	for d := range was.eachNumber {
		if l == nil || !l.Owns(d) {
			drop(b.numbers, d, was)
		}
	}
	if short := was.Reach().Short; short != "" && (l == nil || l.Reach().Short != short) {
		drop(b.shorts, shortKey(was.cust.id, short), was)
	}
}

// gains says that a line has a number that it did not have.
func (l *Line) gains(was *Line) bool {
	for d := range l.eachNumber {
		if !was.Owns(d) {
			return true
		}
	}
	return false
}

func reachFacts(r *account.Reach) map[string]any {
	f := map[string]any{}
	if r.Short != "" {
		f["short"] = r.Short
	}
	if len(r.Numbers) > 0 {
		f["numbers"] = numberTexts(r.Numbers)
	}
	if len(r.Members) > 0 {
		handles := make([]string, len(r.Members))
		for i, id := range r.Members {
			handles[i] = account.Handle(id)
		}
		f["rings"], f["in_turn"], f["each_s"] = handles, r.InTurn, int64(r.Rings()/time.Second)
	}
	return f
}

// callable says that a line may dial something: a number, or a short number of its customer.
func (b *Book) callable(customer, dialled string) (d phone.Destination, ok bool) {
	d, problem := b.plan.Parse(dialled)
	if problem == phone.NoProblem {
		return d, true
	}
	if _, ok = b.Short(customer, dialled); ok {
		d, ok = b.plan.Internal(dialled)
	}
	return d, ok
}
