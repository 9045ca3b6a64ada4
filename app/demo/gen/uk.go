package main

import (
	"slices"
	"strconv"

	"ringfence/core/phone"
)

// ukRows are the tariff at home, in thousandths of a penny: peak, off-peak, weekend, then the connection charge.
func ukRows() []row {
	second := func(name string, rates [3]int64, connect int64, prefixes ...string) row {
		return row{name: name, prefixes: prefixes, rates: rates, connect: connect, first: 1, step: 1, costPercent: 60}
	}
	minute := func(name string, rate, connect int64, prefixes ...string) row {
		return row{name: name, prefixes: prefixes, rates: [3]int64{rate, rate, rate}, connect: connect, first: 60, step: 60, costPercent: 85}
	}
	free := [3]int64{}
	rows := []row{
		second("UK geographic", [3]int64{1_200, 900, 600}, 0, "441", "442"),
		second("UK-wide 03", [3]int64{1_200, 900, 600}, 0, "443"),
		second("UK mobile", [3]int64{6_000, 4_500, 3_000}, 0, "4471", "4473", "4474", "4475", "4477", "4478", "4479"),
		second("UK corporate and VoIP 05", [3]int64{2_500, 2_000, 1_500}, 0, "4455", "4456"),
		second("UK freephone", free, 0, "44800", "44808"),
		second("UK basic rate 084", [3]int64{9_000, 9_000, 9_000}, 0, "44843", "44844"),
		second("UK basic rate 0845", [3]int64{6_500, 5_000, 4_500}, 0, "44845"),
		second("UK 0870", [3]int64{3_000, 2_500, 2_000}, 0, "44870"),
		minute("UK higher rate 087", 16_000, 0, "44871", "44872", "44873"),
		minute("UK personal numbers 070", 45_000, 10_000, "4470"),
		minute("UK pagers 076", 40_000, 10_000, "4476"),
		minute("UK premium 09", 260_000, 0, "449"),
		minute("UK premium 0900 to 0902", 65_000, 0, "44900", "44901", "44902"),
		minute("UK premium 0903 and 0904", 110_000, 0, "44903", "44904"),
		minute("UK premium 0905 and 0906", 155_000, 50_000, "44905", "44906"),
		minute("UK premium 0911 to 0913", 360_000, 100_000, "44911", "44912", "44913"),
		minute("UK premium 098", 360_000, 150_000, "4498"),
	}
	rows = append(rows, ukShort(minute)...)
	return append(rows, islands(second)...)
}

func ukShort(minute func(string, int64, int64, ...string) row) []row {
	rows := []row{
		minute("Emergency", 0, 0, "112", "999", "18000"),
		minute("Harmonised services 116", 0, 0, "116"),
		minute("Directory enquiries 118", 300_000, 300_000, "118"),
		minute("Directory enquiries 11850", 195_000, 150_000, "11850"),
		minute("Police non-emergency 101", 0, 15_000, "101"),
		minute("Public services", 0, 0, "105", "111", "119", "159", "195", "150"),
		minute("Speaking clock", 0, 45_000, "123"),
		minute("Operator", 60_000, 60_000, "100", "155"),
	}
	for i := range rows {
		rows[i].short = true
		slices.Sort(rows[i].prefixes)
	}
	return rows
}

// islands are Jersey, Guernsey and the Isle of Man, whose numbers stand among those of the UK.
func islands(second func(string, [3]int64, int64, ...string) row) []row {
	rows := []row{
		second("Guernsey", [3]int64{2_500, 2_000, 2_000}, 0, "441481"),
		second("Isle of Man", [3]int64{2_500, 2_000, 2_000}, 0, "441624"),
		second("Jersey", [3]int64{2_500, 2_000, 2_000}, 0, "441534"),
	}
	found := map[string][]string{}
	islandMobiles("447", 1, found)
	for _, code := range []string{"GG", "IM", "JE"} {
		var country phone.Country
		copy(country[:], code)
		rows = append(rows, second(countryName(country)+" - mobile", [3]int64{12_000, 10_000, 9_000}, 0, found[code]...))
	}
	return rows
}

// islandMobiles finds the prefixes under which all numbers are of one island, but not its personal numbers. UK is the main country of the code, so
// that another answer is never a mixture.
func islandMobiles(prefix string, depth int, found map[string][]string) {
	country, _ := ofPrefix(prefix)
	switch code := country.String(); {
	case prefix == "4470":
	case code != "GB" && code != "":
		found[code] = append(found[code], prefix)
	case depth < 6:
		for digit := range 10 {
			islandMobiles(prefix+strconv.Itoa(digit), depth+1, found)
		}
	}
}
