// Package transport moves SIP messages between sockets and one handler (RFC 3261 section 18): UDP in batches, TCP with
// framing and reuse of connections, the ban table and the gate that act before anything is parsed. It must not know
// transactions, calls, lines or why somebody is banned.
//
// Goroutines: one reader per UDP socket, one per TCP connection, one per listener, and a short-lived one per TCP
// connection while its queue is being written. Sends to UDP are written by whoever sends (see queue).
package transport
