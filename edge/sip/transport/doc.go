// Package transport moves SIP messages between sockets and one handler (RFC 3261 section 18): UDP in batches, TCP and
// TLS with framing and reuse of connections, WebSockets over TLS (RFC 7118), STUN on the port of UDP (RFC 5626), the ban table and the gate that act before anything is parsed. It must not know
// transactions, calls, lines or why a source is banned.
//
// Goroutines: one reader per UDP socket, one per connection, one per listener, and a short-lived one per
// connection while its queue is being written. Messages to UDP are written on the goroutine of a sender (see socket).
package transport
