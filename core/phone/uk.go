package phone

import "sync"

// UK is the plan of the United Kingdom with Jersey, Guernsey and the Isle of Man: these three have their own Country but
// count as National, as they are dialled so and share code 44; bar or price them by Country where that matters.
// Ranges follow Ofcom's National Telephone Numbering Plan. Not dialled by the public and so refused: 04, 06, 0500 (withdrawn),
// 089 (routing codes between networks), and 03 ranges that are not open. Blocks says which blocks of the others are allocated.
var UK = sync.OnceValue(func() *Plan {
	p, err := NewPlan(UKConfig())
	if err != nil {
		panic(err) // the configuration is a constant of this package, and a test makes the plan
	}
	return p
})

// UKConfig is the configuration that UK is made of, to begin another from.
func UKConfig() PlanConfig {
	c := PlanConfig{
		Country: "GB", Together: []string{"GG", "IM", "JE"}, Code: 44, Trunk: "0", International: "00",
		Ranges: []Range{
			{Prefix: "1", Class: Geographic, Lengths: []int{9, 10}, Checked: true},
			{Prefix: "2", Class: Geographic, Lengths: []int{10}, Checked: true},
			{Prefix: "7106", Class: Mobile, Lengths: []int{10}},
			{Prefix: "7107", Class: Mobile, Lengths: []int{10}},
			{Prefix: "7624", Class: Mobile, Lengths: []int{10}, Country: "IM"}, // and not a pager
			{Prefix: "800", Class: Freephone, Lengths: []int{9, 10}},
			{Prefix: "8001111", Class: Freephone, Lengths: []int{7, 9, 10}}, // Childline
			{Prefix: "845464", Class: Revenue084, Lengths: []int{7, 10}},    // the former NHS Direct
		},
		Short: []Short{
			{Digits: "999", Class: Emergency},
			{Digits: "112", Class: Emergency},
			{Digits: "18000", Class: Emergency}, // text relay to 999
			{Digits: "116", Length: 6, Class: Freephone},
			{Digits: "118", Length: 6, Class: Directory},
			{Digits: "147", Length: 4, Absent: true}, // 1471 says who called last, 1477 reports a malicious call …
			{Digits: "157", Length: 4, Absent: true}, // 1571 is voice mail, 1572 turns calls away
		},
		Codes: []Code{
			{Digits: "141", Show: Withhold},
			{Digits: "1470", Show: Present},
			{Digits: "1280"},                              // by BT rather than by the carrier that is set; there is nothing to choose here
			{Digits: "18001", Relay: true, Help: "18000"}, // text relay, dialled from a text phone
			{Digits: "18002", Relay: true, Help: "18000"}, // text relay, dialled from an ordinary phone
		},
	}
	c.tenDigits(UKWide, "300", "303", "306", "330", "331", "333", "343", "344", "345", "370", "371", "372")
	c.tenDigits(VoIP, "55", "56")
	c.tenDigits(Personal, "70")
	c.tenDigits(Mobile, "73", "74", "75", "77", "78", "79")
	c.tenDigits(Pager, "76")
	c.tenDigits(Freephone, "808")
	c.tenDigits(Revenue084, "843", "844", "845")
	c.tenDigits(Revenue087, "870", "871", "872", "873")
	c.tenDigits(Premium, "90", "91", "98")
	for _, digits := range []string{"100", "101", "105", "111", "119", "123", "150", "155", "159", "195"} {
		c.Short = append(c.Short, Short{Digits: digits, Class: Service})
	}
	return c
}

func (c *PlanConfig) tenDigits(class Class, prefixes ...string) {
	for _, prefix := range prefixes {
		c.Ranges = append(c.Ranges, Range{Prefix: prefix, Class: class, Lengths: []int{10}})
	}
}
