package message

// Credentials is a Digest Authorization or Proxy-Authorization header (RFC 7616, 8760). Slices point into the message;
// empty fields were absent. Quotes are taken off, escapes are kept, as the digest is computed over them. The fields are
// those of ringfence/flow/auth.Credentials in the same order, so that a plain conversion turns one into the other.
type Credentials struct {
	Method   []byte // of the request
	User     []byte
	Realm    []byte
	Nonce    []byte
	URI      []byte
	Response []byte
	CNonce   []byte
	NC       []byte
	QOP      []byte
	Alg      []byte
	Opaque   []byte
	Agent    []byte // User-Agent of the request
}

// Credentials reads the first well-formed Digest value for the realm ("" takes any) from HAuthorization or
// HProxyAuthorization.
func (m *Message) Credentials(id HeaderID, realm string, c *Credentials) bool {
	for v := range m.All(id) {
		*c = Credentials{Method: m.start, Agent: m.Get(HUserAgent)}
		if params, ok := digestParams(v); ok && c.parse(params) && (realm == "" || string(c.Realm) == realm) {
			return true
		}
	}
	*c = Credentials{}
	return false
}

// digestParams returns what follows the scheme "Digest".
func digestParams(v []byte) ([]byte, bool) {
	if len(v) < 8 || !equalFold(v[:6], "digest") || v[6] != ' ' && v[6] != '\t' {
		return nil, false
	}
	return v[skipSpace(v, 7):], true
}

// parse reads the parameters and refuses repeated ones.
func (c *Credentials) parse(b []byte) bool {
	for len(b) > 0 {
		name, value, rest, ok := nextAuthParam(b)
		if !ok {
			return false
		}
		if slot := c.slot(name); slot != nil {
			if *slot != nil {
				return false
			}
			*slot = value
		}
		b = rest
	}
	return c.User != nil && c.Realm != nil && c.Nonce != nil && c.URI != nil && c.Response != nil
}

// slot is where a parameter of that name is kept; nil: nowhere.
func (c *Credentials) slot(name []byte) *[]byte {
	for i, slot := range [...]*[]byte{&c.User, &c.Realm, &c.Nonce, &c.URI, &c.Response, &c.CNonce, &c.NC, &c.QOP, &c.Alg, &c.Opaque} {
		if equalFold(name, authParams[i]) {
			return slot
		}
	}
	return nil
}

var authParams = [...]string{"username", "realm", "nonce", "uri", "response", "cnonce", "nc", "qop", "algorithm", "opaque"}

// nextAuthParam reads "name=value" and the comma after it. The value comes without quotes and is never nil.
func nextAuthParam(b []byte) (name, value, rest []byte, ok bool) {
	i := skipSpace(b, 0)
	end := span(b, i, cToken)
	if end == i {
		return nil, nil, nil, false
	}
	name = b[i:end]
	if i = skipSpace(b, end); i >= len(b) || b[i] != '=' {
		return nil, nil, nil, false
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '"' {
		if end = quotedEnd(b, i); end < 0 {
			return nil, nil, nil, false
		}
		value = b[i+1 : end-1]
	} else {
		// Unquoted values hold more than tokens in the field: base64 nonces, URIs.
		for end = i; end < len(b) && class[b[end]]&cVisible != 0 && b[end] != ',' && b[end] != '"'; end++ {
		}
		if end == i {
			return nil, nil, nil, false
		}
		value = b[i:end]
	}
	if i = skipSpace(b, end); i == len(b) {
		return name, value, nil, true
	}
	if b[i] != ',' {
		return nil, nil, nil, false
	}
	return name, value, b[i+1:], true
}
