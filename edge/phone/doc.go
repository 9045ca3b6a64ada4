// Package phone is a small SIP test phone and a test carrier for loopback: enough of RFC 3261 to register, call, answer,
// attack and be called, and to say in plain lines what happened. It is for the demo and the tests, not for production.
// It must not know prices, policy, the store or the server's calls. It reads and writes messages with the server's packages, and
// is stricter with what it reads (sound, in link.go).
//
// For programs: Dial opens a Phone, which can Register, Invite and Answer; NewCarrier starts a Carrier.
// For the command line: RegisterCmd, CallCmd, AnswerCmd, AttackCmd and CarrierCmd carry kong's field tags and have
// Run(ctx context.Context, out io.Writer) error, which prints line by line and returns ErrFailed (already explained in
// what was printed) when the thing asked for did not come about.
package phone
