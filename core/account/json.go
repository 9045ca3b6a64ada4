package account

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// wireValue is a Value as stored and as the API shows it. A pointer tells "absent" from zero.
type wireValue struct {
	N       *int64    `json:"n"`
	Granted bool      `json:"granted,omitempty"`
	Until   time.Time `json:"until,omitzero"`
	Kept    *int64    `json:"kept,omitempty"`
}

// MarshalJSON writes only what is set, in the order of the fields, so that equal settings give equal bytes:
//
//	{"national-ceiling":{"n":50000000,"granted":true,"until":"2026-11-27T18:00:00Z"},"nets":["192.0.2.0/24"]}
func (s Settings) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	add := func(name string, v any) error {
		body, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = append(out, name...)
		out = append(append(out, '"', ':'), body...)
		return nil
	}
	for f, v := range s.Values {
		if !v.Set {
			continue
		}
		w := wireValue{N: &v.N, Granted: v.Granted, Until: v.Until.UTC()}
		if v.Kept {
			w.Kept = &v.KeptN
		}
		if err := add(Field(f).String(), w); err != nil {
			return nil, err
		}
	}
	if len(s.Nets) > 0 {
		if err := add("nets", s.Nets); err != nil {
			return nil, err
		}
	}
	if len(s.Restrictions) > 0 {
		if err := add("restrictions", s.Restrictions); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes and refuses everything else: unknown settings, unknown parts, networks with
// host bits. It does not judge ranges; Validate does.
func (s *Settings) UnmarshalJSON(data []byte) error {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	var out Settings
	for name, body := range parts {
		if err := out.part(name, body); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
	}
	*s = out
	return nil
}

func (s *Settings) part(name string, body []byte) error {
	switch name {
	case "nets":
		return s.netsPart(body)
	case "restrictions":
		return strict(body, &s.Restrictions)
	}
	f, err := ParseField(name)
	if err != nil {
		return err
	}
	var w wireValue
	if err := strict(body, &w); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if w.N == nil {
		return fmt.Errorf("%s: %w: no \"n\"", name, ErrValue)
	}
	v := Value{Set: true, N: *w.N, Granted: w.Granted, Until: w.Until}
	if w.Kept != nil {
		v.Kept, v.KeptN = true, *w.Kept
	}
	s.Values[f] = v
	return nil
}

func (s *Settings) netsPart(body []byte) error {
	var texts []string
	if err := json.Unmarshal(body, &texts); err != nil {
		return fmt.Errorf("nets: %w", err)
	}
	var nets []netip.Prefix
	for _, text := range texts {
		p, err := parseNet(text)
		if err != nil {
			return fmt.Errorf("nets: %w", err)
		}
		nets = append(nets, p)
	}
	s.Nets = nets
	return nil
}

func strict(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value")
	}
	return nil
}

// ReadEffective reads settings as the journal has them: each by its name, "n" its value and "from" the link that it comes from.
func ReadEffective(body []byte) (*Effective, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	e := &Effective{}
	for name, raw := range all {
		var err error
		switch name {
		case "nets":
			err = json.Unmarshal(raw, &e.Nets)
		case "restrictions":
			err = json.Unmarshal(raw, &e.Restrictions)
		default:
			var value struct {
				N    int64
				From string
			}
			var field Field
			if field, err = ParseField(name); err == nil {
				err = json.Unmarshal(raw, &value)
				e.Values[field] = value.N
				for l := LevelDefault; l <= LevelLine; l++ {
					if l.String() == value.From {
						e.From[field] = l
					}
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return e, nil
}
