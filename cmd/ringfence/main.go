// Command ringfence is the one binary: the server and the command line that speaks to it. It holds one file per
// subcommand: what it takes, which request it sends, what it prints. It must not know rules, stores or SIP.
package main

import (
	"os"
	_ "time/tzdata" // customers have time zones on machines that know none
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
