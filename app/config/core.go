package config

import (
	"reflect"
	"strconv"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/restrict"
)

// LockCode is what locks a line when one of its phones dials it; "": nothing does.
func (p *Provider) LockCode() string {
	if p.PanicCode == "off" {
		return ""
	}
	return p.PanicCode
}

// Account is the provider's link of the chain of settings. A validated configuration gives no error.
func (p *Provider) Account() (account.Settings, error) {
	parsed, faults := p.parse()
	if len(faults) > 0 {
		return account.Settings{}, faults
	}
	return parsed, nil
}

const settingsTable = "provider.settings"

// parse reads each setting with core/account, which knows what it may say; the keys are its field names.
func (p *Provider) parse() (account.Settings, Faults) {
	currency, err := money.CurrencyOf(p.Currency)
	if err != nil {
		return account.Settings{}, nil // the currency itself is the fault
	}
	var out account.Settings
	var faults Faults
	for _, f := range allFields {
		if f.table() != settingsTable {
			continue
		}
		text := reflect.ValueOf(&p.Settings).Elem().Field(f.index[len(f.index)-1]).String()
		if text == "" {
			continue
		}
		var err error
		switch f.name() {
		case "nets":
			out.Nets, err = account.ParseNets(text)
		case "closed":
			out.Restrictions = []restrict.Restriction{{ID: 1, By: "configuration"}}
			out.Restrictions[0].Names, err = restrict.ParseSetIn(currency, text)
		default:
			err = parseSetting(currency, &out, f.name(), text)
		}
		if err != nil {
			faults = append(faults, Fault{Key: f.Key, Problem: err.Error()})
		}
	}
	return out, faults
}

func parseSetting(c money.Currency, out *account.Settings, name, text string) error {
	f, err := account.ParseField(name)
	if err != nil {
		return err
	}
	n, err := account.ParseValueIn(c, f, text)
	out.Values[f] = account.Value{Set: true, N: n}
	return err
}

// Phone is the plan as core/phone wants it.
func (p *Plan) Phone() phone.PlanConfig {
	code, _ := strconv.ParseUint(p.Code, 10, 16) // validated: one to three digits
	c := phone.PlanConfig{Country: p.Country, Together: p.Together, Code: uint16(code), Trunk: p.Trunk, International: p.International}
	for _, digits := range p.Emergency {
		c.Short = append(c.Short, phone.Short{Digits: digits, Class: phone.Emergency})
	}
	for _, digits := range p.Services {
		c.Short = append(c.Short, phone.Short{Digits: digits, Class: phone.Service})
	}
	return c
}

// given says that anything stands in the table.
func (p *Plan) given() bool {
	return p.Country+p.Code+p.Trunk+p.International != "" || len(p.Together)+len(p.Emergency)+len(p.Services) > 0
}
