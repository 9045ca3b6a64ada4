package people

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"ringfence/state/store"
)

// parts is what the journal has of a person: no secret, nor a hash of one that could be guessed. A password is told from
// another by the first letters of a hash over its salted hash, which nobody can turn back.
func parts(s *store.Person) json.RawMessage {
	var p struct {
		Login    string    `json:"login"`
		Name     string    `json:"name,omitempty"`
		Mail     string    `json:"mail,omitempty"`
		Role     string    `json:"role"`
		Password string    `json:"password,omitempty"`
		TOTP     bool      `json:"totp,omitempty"`
		Passkeys []string  `json:"passkeys,omitempty"`
		Recovery int       `json:"recovery_codes,omitempty"`
		Coded    time.Time `json:"totp_since,omitzero"`
		Codes    string    `json:"recovery,omitempty"`
	}
	p.Login, p.Name, p.Mail, p.Role, p.TOTP, p.Recovery = s.Login, s.Name, s.Mail, s.Role, len(s.Sealed) > 0, len(s.Factors.Recovery)
	if s.Password != "" {
		sum := sha256.Sum256([]byte(s.Password))
		p.Password = "set " + hex.EncodeToString(sum[:4])
	}
	if len(s.Sealed) > 0 {
		p.Coded = s.Factors.Coded
	}
	if p.Recovery > 0 { // keyed hashes: nobody can turn these back either
		sum := sha256.Sum256([]byte(strings.Join(s.Factors.Recovery, " ")))
		p.Codes = "set " + hex.EncodeToString(sum[:4])
	}
	for _, k := range s.Factors.Passkeys {
		p.Passkeys = append(p.Passkeys, k.Name)
	}
	out, err := json.Marshal(p)
	if err != nil { // cannot happen: texts and numbers
		return json.RawMessage(`{}`)
	}
	return out
}
