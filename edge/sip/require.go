package sip

import (
	"slices"
	"strings"

	"ringfence/edge/sip/message"
)

// known are the extensions that we support, by their option tags.
var known = []string{"timer", "100rel", "privacy", "outbound", "replaces"}

// unsupported names the extensions that a request requires and that we do not support, as the header line of a 420 (RFC 3261 8.2.2.3);
// nil: there are none. It is not applied to BYE, CANCEL and ACK: the end of a call is always accepted.
func unsupported(m *message.Message) []byte {
	if !m.Has(message.HRequire) {
		return nil
	}
	var names []string
	for v := range m.All(message.HRequire) {
		for name := range strings.SplitSeq(string(v), ",") {
			if name = strings.TrimSpace(name); name != "" && !knows(name) && len(names) < maxUnsupported {
				names = append(names, clipText(name, 40))
			}
		}
	}
	if names == nil {
		return nil
	}
	var w message.Writer
	w.Begin(nil)
	w.AddString(message.HUnsupported, strings.Join(names, ", "))
	return w.Bytes()
}

// maxUnsupported bounds the extensions that a refusal names.
const maxUnsupported = 16

func knows(tag string) bool {
	return slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, tag) })
}
