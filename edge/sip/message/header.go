package message

// HeaderID names a header field. HOther stands for all that have no id of their own.
type HeaderID uint8

// The header fields with an id.
const (
	HOther HeaderID = iota
	HVia
	HFrom
	HTo
	HCallID
	HCSeq
	HContact
	HMaxForwards
	HContentLength
	HContentType
	HRoute
	HRecordRoute
	HAuthorization
	HProxyAuthorization
	HWWWAuthenticate
	HProxyAuthenticate
	HExpires
	HMinExpires
	HUserAgent
	HServer
	HAllow
	HSupported
	HRequire
	HUnsupported
	HAccept
	HReason
	HWarning
	HRetryAfter
	HRAck
	HRSeq
	HSessionExpires
	HMinSE
	HReferTo
	HReplaces
	HPAssertedIdentity
	HPPreferredIdentity
	HRemotePartyID
	HPrivacy
	HAnonymity
	HRPIDPrivacy
	HTimestamp
	HDate
	HSubject
	HEvent
	HContentDisposition
	HContentEncoding
	HMIMEVersion
	HContentID
	HContentLanguage
	HGeolocation
	HGeolocationRouting
	HGeolocationError
	HReferredBy
	HReferSub
	HDiversion
	HHistoryInfo
	numHeaders
)

// name and compact form of each header, in canonical spelling.
var headerNames = [numHeaders]struct{ name, short string }{
	HVia: {"Via", "v"}, HFrom: {"From", "f"}, HTo: {"To", "t"}, HCallID: {"Call-ID", "i"}, HCSeq: {"CSeq", ""},
	HContact: {"Contact", "m"}, HMaxForwards: {"Max-Forwards", ""}, HContentLength: {"Content-Length", "l"},
	HContentType: {"Content-Type", "c"}, HRoute: {"Route", ""}, HRecordRoute: {"Record-Route", ""},
	HAuthorization: {"Authorization", ""}, HProxyAuthorization: {"Proxy-Authorization", ""},
	HWWWAuthenticate: {"WWW-Authenticate", ""}, HProxyAuthenticate: {"Proxy-Authenticate", ""}, HExpires: {"Expires", ""},
	HMinExpires: {"Min-Expires", ""}, HUserAgent: {"User-Agent", ""}, HServer: {"Server", ""}, HAllow: {"Allow", ""},
	HSupported: {"Supported", "k"}, HRequire: {"Require", ""}, HUnsupported: {"Unsupported", ""}, HAccept: {"Accept", ""},
	HReason: {"Reason", ""}, HWarning: {"Warning", ""}, HRetryAfter: {"Retry-After", ""}, HRAck: {"RAck", ""}, HRSeq: {"RSeq", ""},
	HSessionExpires: {"Session-Expires", "x"}, HMinSE: {"Min-SE", ""}, HReferTo: {"Refer-To", "r"}, HReplaces: {"Replaces", ""},
	HPAssertedIdentity: {"P-Asserted-Identity", ""}, HPPreferredIdentity: {"P-Preferred-Identity", ""}, HRemotePartyID: {"Remote-Party-ID", ""}, HPrivacy: {"Privacy", ""},
	HAnonymity: {"Anonymity", ""}, HRPIDPrivacy: {"RPID-Privacy", ""}, HTimestamp: {"Timestamp", ""}, HDate: {"Date", ""},
	HSubject: {"Subject", "s"}, HEvent: {"Event", "o"}, HContentDisposition: {"Content-Disposition", ""},
	HContentEncoding: {"Content-Encoding", "e"}, HMIMEVersion: {"MIME-Version", ""}, HContentID: {"Content-ID", ""},
	HContentLanguage: {"Content-Language", ""}, HGeolocation: {"Geolocation", ""}, HGeolocationRouting: {"Geolocation-Routing", ""},
	HGeolocationError: {"Geolocation-Error", ""}, HReferredBy: {"Referred-By", "b"}, HReferSub: {"Refer-Sub", ""},
	HDiversion: {"Diversion", ""}, HHistoryInfo: {"History-Info", ""},
}

// String returns the header's name as we write it, "" for HOther.
func (h HeaderID) String() string {
	if h < numHeaders {
		return headerNames[h].name
	}
	return ""
}

// The name table: open addressing on a hash that scanName computes while it checks the characters.
const nameSlots = 256

type nameSlot struct {
	name, lower string // as usually written, and in lower case
	id          HeaderID
}

var nameTable = buildNames()

func buildNames() (t [nameSlots]nameSlot) {
	put := func(name string, id HeaderID) {
		low := make([]byte, len(name))
		h := uint32(0)
		for i := range len(name) {
			low[i] = lower(name[i])
			h = hashStep(h, name[i])
		}
		at := hashEnd(h)
		for t[at].id != HOther {
			at = (at + 1) % nameSlots
		}
		t[at] = nameSlot{name, string(low), id}
	}
	for id := HVia; id < numHeaders; id++ {
		put(headerNames[id].name, id)
		if s := headerNames[id].short; s != "" {
			put(s, id)
		}
	}
	return t
}

// hashStep folds case by setting bit 5, which for token characters at worst makes two names collide.
func hashStep(h uint32, c byte) uint32 { return h*31 + uint32(c|0x20) }
func hashEnd(h uint32) uint32          { return (h ^ h>>8 ^ h>>15) % nameSlots }

func findName(name []byte, h uint32) HeaderID {
	for at := hashEnd(h); ; at = (at + 1) % nameSlots {
		s := &nameTable[at]
		if s.id == HOther {
			return HOther
		}
		if string(name) == s.name || equalFold(name, s.lower) {
			return s.id
		}
	}
}

// HeaderOf finds a header id by its name or compact form, HOther when there is none.
func HeaderOf(name []byte) HeaderID {
	h := uint32(0)
	for _, c := range name {
		h = hashStep(h, c)
	}
	return findName(name, h)
}

// single holds the headers that may stand at most once. Two of them mean that two readers of the message could
// disagree, which is how requests are smuggled.
var single = [numHeaders]bool{
	HFrom: true, HTo: true, HCallID: true, HCSeq: true, HMaxForwards: true, HContentLength: true, HContentType: true,
	HExpires: true, HMinExpires: true, HRAck: true, HRSeq: true, HSessionExpires: true, HMinSE: true, HReferTo: true,
	HReplaces: true, HEvent: true, HContentDisposition: true, HTimestamp: true, HDate: true, HRetryAfter: true,
}
