package money

import "strings"

// Figures as tests write them.

// Parse reads a decimal amount such as "12.5" or "£0.0213". More than six places is an error, not a rounding.
func Parse(s string) (Micro, error) {
	n, err := parseDecimal(strings.TrimPrefix(strings.TrimSpace(s), "£"), 6)
	return Micro(n), err
}

// ParseRate reads a rate in whole units of the currency a minute, to nine places.
func ParseRate(s string) (Rate, error) {
	n, err := parseDecimal(strings.TrimSpace(s), 9)
	return Rate(n), err
}

// ParsePence reads a rate in hundredths of the currency a minute, to seven places: "20", "2.5", "2p".
func ParsePence(s string) (Rate, error) {
	n, err := parseDecimal(strings.TrimSuffix(strings.TrimSpace(s), "p"), 7)
	return Rate(n), err
}
