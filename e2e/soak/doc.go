// Package soak plays calls with the real binary while everything around it fails: restarts, steps of the clock, nodes that
// die, a frozen database and lost packets. A carrier and phones of its own keep their own record of each leg, and that is
// compared with the books, on the way and at the end. Build tag: e2e. It must not know the program's insides: it reads the
// books as staff do, over the admin API, and the tables of the store.
package soak
