// Package ringfence holds the changelog, and tests of the whole tree: which package may import which, and the words and links of its documents.
package ringfence

import _ "embed" // CHANGELOG.md

// Changelog is what has changed in this program, which the disclosure pack of a case file has.
//
//go:embed CHANGELOG.md
var Changelog string
