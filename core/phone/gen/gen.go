// Command gen writes world.bin: every country's number ranges, as one minimal automaton over digits.
//
// It asks phonenumbers' metadata (Apache-2.0 data of libphonenumber) for the patterns and lengths of each kind of number,
// follows all patterns of a country code in parallel, digit by digit, and joins equal states. What is written is therefore
// not a sample: it says the same as the patterns for every number there is. Run it with `go generate ./core/phone`
// after an upgrade of phonenumbers.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"regexp/syntax"
	"slices"
	"sort"
	"strconv"

	"github.com/nyaruka/phonenumbers"
)

// maxDigits is E.164's.
const maxDigits = 15

// Kinds of number as the table knows them; the order is that of kind in world.go.
const (
	none = iota
	fixed
	mobile
	freephone
	premium
	sharedCost
	voip
	personal
	pager
	universal
	voicemail
)

func main() {
	collection, err := phonenumbers.MetadataCollection()
	if err != nil {
		log.Fatal(err)
	}
	byCode := map[int][]*region{}
	for _, m := range collection.GetMetadata() {
		byCode[int(m.GetCountryCode())] = append(byCode[int(m.GetCountryCode())], newRegion(m))
	}
	b := &builder{ids: map[string]uint32{}, names: []string{""}}
	b.intern(make([]byte, recordLen)) // state 0 is the dead one
	var roots [1000]uint16
	var mains [1000]byte
	for code := range roots { // in order, so that the table is the same each time
		if regions := byCode[code]; regions != nil {
			roots[code] = uint16(b.country(regions, len(strconv.Itoa(code))))
			mains[code] = b.name(regions[0].name) // country has put the main one first
		}
	}
	if err := os.WriteFile("world.bin", b.table(roots[:], mains[:]), 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(b.records), "states,", len(b.names)-1, "regions")
}

// islands are the blocks of the Isle of Man and of the Channel Islands that the patterns of Great Britain take in as well, and
// so first: phonenumbers knows them for British, or (074184, 07452) does not know their holders. The holders are Manx Telecom,
// Sure, JT, Airtel-Vodafone and Newtel of the islands, by Ofcom's allocations. A block says where a number is; whether there
// is such a number, and of what kind, the patterns go on to say. Blocks of 08 came with their twins in 03.
var islands = map[string]string{
	"IM": `74184|7452[0-6]|7924|` +
		`808162|308162|8440(?:40|90)6|3440(?:40|90)6|[38]45624|[38]70624|[38]72299|5600(?:61|81|82)|90[0167]624`,
	"GG": `800976|870261|906713`,
	"JE": `701511|80(?:0735|0781|00781|8901)|30(?:0735|0781|8901)|` +
		`[38]44(?:405|442|469|703)|[38]45(?:041|800)|[38]70002|[38]71206|870253|` +
		`90(?:066[569]|1810|5629|5807|7107|7155)`,
}

// region is one country's patterns.
type region struct {
	name    string
	main    bool
	leading *pattern // digits that decide for this region by themselves
	blocks  *pattern // digits that say that a number is here, whichever region's patterns know it
	general *pattern
	kinds   []kindPattern // in the order in which phonenumbers asks
	fixed   *pattern
	mobile  *pattern
}

type kindPattern struct {
	kind byte
	*pattern
}

func newRegion(m *phonenumbers.PhoneMetadata) *region {
	r := &region{name: m.GetId(), main: m.GetMainCountryForCode()}
	if m.GetLeadingDigits() != "" {
		r.leading = compile(m.GetLeadingDigits(), nil)
	}
	if blocks := islands[r.name]; blocks != "" {
		r.blocks = compile(blocks, nil)
	}
	r.general = fromDesc(m.GetGeneralDesc())
	r.fixed, r.mobile = fromDesc(m.GetFixedLine()), fromDesc(m.GetMobile())
	r.kinds = []kindPattern{
		{premium, fromDesc(m.GetPremiumRate())},
		{freephone, fromDesc(m.GetTollFree())},
		{sharedCost, fromDesc(m.GetSharedCost())},
		{voip, fromDesc(m.GetVoip())},
		{personal, fromDesc(m.GetPersonalNumber())},
		{pager, fromDesc(m.GetPager())},
		{universal, fromDesc(m.GetUan())},
		{voicemail, fromDesc(m.GetVoicemail())},
		{fixed, r.fixed},
		{mobile, r.mobile},
	}
	return r
}

// pattern is a compiled expression and the lengths at which it counts.
type pattern struct {
	prog    *syntax.Prog
	lengths []int32
}

func fromDesc(d *phonenumbers.PhoneNumberDesc) *pattern {
	if d.GetNationalNumberPattern() == "" || d.GetNationalNumberPattern() == "NA" {
		return nil
	}
	return compile(d.GetNationalNumberPattern(), d.GetPossibleLength())
}

func compile(expr string, lengths []int32) *pattern {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		log.Fatal(err)
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		log.Fatal(err)
	}
	return &pattern{prog, lengths}
}

// positions is where a pattern may be after some digits: instruction numbers, sorted.
type positions []uint32

func (p *pattern) start() positions {
	if p == nil {
		return nil
	}
	return p.closure([]uint32{uint32(p.prog.Start)})
}

func (p *pattern) closure(work []uint32) positions {
	seen := map[uint32]bool{}
	var out positions
	for len(work) > 0 {
		pc := work[len(work)-1]
		work = work[:len(work)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		in := &p.prog.Inst[pc]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			work = append(work, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			work = append(work, in.Out)
		case syntax.InstFail:
		case syntax.InstEmptyWidth:
			log.Fatal("a pattern looks around")
		default:
			out = append(out, pc)
		}
	}
	slices.Sort(out)
	return out
}

func (p *pattern) step(at positions, digit int) positions {
	var next []uint32
	for _, pc := range at {
		in := &p.prog.Inst[pc]
		if in.Op != syntax.InstMatch && in.MatchRune(rune('0'+digit)) {
			next = append(next, in.Out)
		}
	}
	return p.closure(next)
}

func (p *pattern) matches(at positions, length int) bool {
	if p == nil || p.lengths != nil && !slices.Contains(p.lengths, int32(length)) {
		return false
	}
	return p.reached(at)
}

func (p *pattern) reached(at positions) bool {
	return slices.ContainsFunc(at, func(pc uint32) bool { return p.prog.Inst[pc].Op == syntax.InstMatch })
}

// place is where all patterns of one region are; led says that the leading digits have matched, here that the blocks have.
type place struct {
	general, leading, blocks positions
	kinds                    []positions
	led, here                bool
}

func (r *region) start() place {
	p := place{general: r.general.start(), leading: r.leading.start(), blocks: r.blocks.start()}
	for _, k := range r.kinds {
		p.kinds = append(p.kinds, k.start())
	}
	return p
}

func (r *region) step(p place, digit int) place {
	next := place{general: r.general.step(p.general, digit), led: p.led, here: p.here}
	if r.leading != nil {
		next.leading = r.leading.step(p.leading, digit)
		next.led = next.led || r.leading.reached(next.leading)
	}
	if r.blocks != nil {
		next.blocks = r.blocks.step(p.blocks, digit)
		next.here = next.here || r.blocks.reached(next.blocks)
	}
	for i, k := range r.kinds {
		var at positions
		if k.pattern != nil {
			at = k.step(p.kinds[i], digit)
		}
		next.kinds = append(next.kinds, at)
	}
	return next
}

func (r *region) kind(p place, length int) byte {
	if !r.general.matches(p.general, length) {
		return none
	}
	for i, k := range r.kinds {
		if k.matches(p.kinds[i], length) {
			return k.kind
		}
	}
	return none
}

// record of a state: 10 transitions of 2 bytes, then kind, then region.
const recordLen = 10*2 + 2

// builder joins equal states as it makes them; a state is known by its record.
type builder struct {
	ids     map[string]uint32
	records []string
	names   []string
}

func (b *builder) intern(record []byte) uint32 {
	if id, ok := b.ids[string(record)]; ok {
		return id
	}
	id := uint32(len(b.records))
	if id > 0xffff {
		log.Fatal("more than 65,536 states: the table needs wider transitions")
	}
	b.ids[string(record)] = id
	b.records = append(b.records, string(record))
	return id
}

func (b *builder) name(region string) byte {
	i := slices.Index(b.names, region)
	if i < 0 {
		i = len(b.names)
		b.names = append(b.names, region)
	}
	if i > 0xff {
		log.Fatal("more than 255 regions")
	}
	return byte(i)
}

// country builds what follows a country code of the given length.
func (b *builder) country(regions []*region, codeLen int) uint32 {
	sort.SliceStable(regions, func(i, j int) bool { return regions[i].main && !regions[j].main })
	places := make([]place, len(regions))
	for i, r := range regions {
		places[i] = r.start()
	}
	return b.states(regions, places, 0, maxDigits-codeLen, map[string]uint32{})
}

func (b *builder) states(regions []*region, at []place, length, most int, memo map[string]uint32) uint32 {
	key := strconv.Itoa(length) + fmt.Sprint(at)
	if id, ok := memo[key]; ok {
		return id
	}
	record := make([]byte, recordLen)
	kind, where := decide(regions, at, length)
	record[20], record[21] = kind, 0
	if kind != none {
		record[21] = b.name(where)
	}
	for digit := 0; digit < 10 && length < most; digit++ {
		next, alive := make([]place, len(at)), false
		for i, r := range regions {
			next[i] = r.step(at[i], digit)
			alive = alive || len(next[i].general) > 0
		}
		if alive {
			binary.LittleEndian.PutUint16(record[2*digit:], uint16(b.states(regions, next, length+1, most, memo)))
		}
	}
	id := b.intern(record)
	memo[key] = id
	return id
}

// decide says what a number that ends here is. A region whose leading digits match wins outright; one whose blocks match
// wins the number, whichever region's patterns know its kind.
func decide(regions []*region, at []place, length int) (kind byte, where string) {
	for i, r := range regions {
		kind = r.kind(at[i], length)
		if at[i].led || len(regions) == 1 || kind != none {
			where = r.name
			break
		}
	}
	for i, r := range regions {
		if at[i].here {
			where = r.name
		}
	}
	return kind, where
}

// table is the file as world.go reads it: roots, main regions, number of names, names of 3 bytes, states.
func (b *builder) table(roots []uint16, mains []byte) []byte {
	var out bytes.Buffer
	for _, root := range roots {
		out.Write(binary.LittleEndian.AppendUint16(nil, root))
	}
	out.Write(mains)
	out.WriteByte(byte(len(b.names)))
	for _, name := range b.names {
		out.Write(append([]byte(name), 0, 0, 0)[:3])
	}
	for _, record := range b.records {
		out.WriteString(record)
	}
	return out.Bytes()
}
