package sip

import (
	"slices"
	"strings"

	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
	"ringfence/flow/location"
)

// A phone may register over several connections at once, under one instance ID and a number for each (RFC 5626). They are one phone: it rings once,
// on the connection that it used last, and on the next when that one has failed.

// flowsOf are the phones among bindings, each with the flows on which it is reached, the one that was refreshed last first. Without an instance ID
// each binding is a phone.
func flowsOf(all []location.Binding) (phones [][]location.Binding) {
	at := map[string]int{}
	for _, b := range all {
		name, _, _ := strings.Cut(b.Instance, "#")
		i, known := at[name]
		if name == "" || !known {
			i = len(phones)
			at[name] = i
			phones = append(phones, nil)
		}
		phones[i] = append(phones[i], b)
	}
	for _, flows := range phones {
		slices.SortStableFunc(flows, func(a, b location.Binding) int { return b.Heard.Compare(a.Heard) })
	}
	return phones
}

// dialPhone calls a phone over the first of its flows.
func (b *bridge) dialPhone(route gate.Route, flows []location.Binding) {
	b.dial(route, b.s.e.placeOf(&flows[0]), requestURI(flows[0].Contact))
	b.all[len(b.all)-1].flows = flows[1:]
}

// nextFlow calls the phone over its next flow when the leg's has failed (RFC 5626 section 5.3), and says whether it does. m is nil when there
// was no answer.
func (l *leg) nextFlow(m *message.Message, status int) bool {
	if len(l.flows) == 0 || m != nil && status != 430 || l.b.setup.tried >= maxOuts {
		return false
	}
	l.state = closed
	l.closeForks()
	l.b.s.e.stats.failovers.Add(1)
	l.b.dialPhone(gate.Route{Line: l.line}, l.flows)
	return true
}

// keepOpen is how often a phone is asked to ping, so that address translation keeps its connection open (RFC 5626 section 10).
const keepOpen = "Flow-Timer: 120\r\n"

// outbound says whether a REGISTER asks for a flow of its own.
func outbound(m *message.Message) bool {
	if !m.HasToken(message.HSupported, "outbound") {
		return false
	}
	for a := range m.Addrs(message.HContact) {
		_, id := a.Param("reg-id")
		if _, instance := a.Param("+sip.instance"); id && instance {
			return true
		}
	}
	return false
}

// appendInstance appends what a phone calls itself, and its flow, as it sent them. It leaves out what cannot stand between quotes.
func appendInstance(b []byte, name string) []byte {
	name, id, numbered := strings.Cut(name, "#")
	if name == "" || strings.ContainsAny(name, `"\<>`) {
		return b
	}
	b = append(append(append(b, `;+sip.instance="<`...), name...), `>"`...)
	if numbered && id != "" && strings.Trim(id, "0123456789") == "" {
		b = append(append(b, ";reg-id="...), id...)
	}
	return b
}
