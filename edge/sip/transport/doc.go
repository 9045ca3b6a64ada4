// Package transport moves SIP messages between sockets and one handler (RFC 3261 section 18): UDP in batches, TCP with
// framing and reuse of connections, the ban table and the gate that act before anything is parsed. It must not know
// transactions, calls, lines or why a source is banned.
//
// Goroutines: one reader per UDP socket, one per TCP connection, one per listener, and a short-lived one per TCP
// connection while its queue is being written. Messages to UDP are written on the goroutine of a sender (see socket).
package transport
