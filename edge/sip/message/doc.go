// Package message parses and writes SIP messages (RFC 3261 section 7 and 25), in place and strictly. It must not know
// sockets, transactions or calls.
//
// Reading is lazy: Parse finds the header lines and checks the ones that routing and matching depend on; the rest is
// located by index and read on demand. What Parse accepts can be copied into another message without carrying
// a line break along, and what Writer writes holds no line break that Writer did not put there.
package message
