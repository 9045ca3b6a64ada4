// Package demo holds the two decks of the sample provider that `ringfence serve --demo` starts with, and the calls of its past week. Prices
// are invented: plausible, not anyone's. It must not know how decks are read or calls are decided.
package demo

import _ "embed"

//go:generate go run ./gen

// Retail is the sample tariff in CSV: UK ranges in three bands, and every country's fixed, mobile and special numbers.
//
//go:embed retail.csv
var Retail []byte

// Cost is the sample carrier's deck in CSV: what the calls of Retail cost the provider, less than they bring for every
// destination and length.
//
//go:embed cost.csv
var Cost []byte
