// Package message parses and writes SIP messages (RFC 3261 section 7 and 25), in place and strictly. It must not know
// sockets, transactions or calls.
package message
