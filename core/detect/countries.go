package detect

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed countries.txt
var countryDiscs string

// countries says where countries lie, in the order of their codes; several discs of one country lie together.
var countries = func() (all []disc) {
	for line := range strings.Lines(countryDiscs) {
		if line[0] == '#' {
			continue
		}
		var d disc
		if _, err := fmt.Sscan(line, &d.code, &d.lat, &d.lon, &d.km); err != nil {
			panic("detect: countries.txt: " + err.Error()) // a file of this package; every test would see it
		}
		all = append(all, d)
	}
	return all
}()
