// Command gen writes countries.txt: the English name of every country that has telephone numbers.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"slices"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

func main() {
	var lines []string
	for region := range phonenumbers.GetSupportedRegions() {
		lines = append(lines, fmt.Sprintf("%s=%s\n", region, display.English.Regions().Name(language.MustParseRegion(region))))
	}
	slices.Sort(lines)
	var out bytes.Buffer
	for _, line := range lines {
		out.WriteString(line)
	}
	if err := os.WriteFile("countries.txt", out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
