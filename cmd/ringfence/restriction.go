package main

import "ringfence/edge/rest/api"

type restrictionCmd struct {
	remote
	Add  act[api.RestrictionNew, api.Restriction]       `cmd:"" help:"Close destinations to a line, to all lines of a customer, or to every line." route:"POST /v1/restrictions" says:"Restriction {{.ID}} is in force{{if not .Until.IsZero}} until {{ends .Until}}{{end}}. Lift it with: ringfence restriction lift {{.ID}} {{if .Line}}--line {{.Line}}{{else if .Customer}}--customer {{.Customer}}{{else}}--everybody{{end}}" eg:"--line 2001 --close abroad --until friday --why \"holiday\"; --customer acme --close \"intl-premium, LV, +44843\"; --customer acme --close abroad --hours \"mon-fri 18:00-08:00, sat, sun\"; --line 2001 --only \"+442079460000, FR\"; --line 2001 --close abroad --at-once 1 --until +1d; --everybody --close \"CU, SO\" --until +2d --end-calls --why \"attack of tonight\"" detail:"Emergency calls are never restricted. A restriction only tightens: ceilings, caps and other restrictions still apply."`
	List whole[api.Restriction, api.RestrictionFilter]  `cmd:"" help:"List the restrictions of a line, a customer or everybody." eg:"--line 2001; --customer acme; --everybody"`
	Lift sure[api.RestrictionID, api.Restriction, none] `cmd:"" help:"Lift a restriction." look:"/v1/restrictions/{id}" would:"Restriction {{.ID}} would be lifted: {{.Does}}." route:"DELETE /v1/restrictions/{id}" says:"Restriction {{.ID}} is lifted." eg:"60307200 --line 2001; 60307200 --line 2001 --yes; 60307200 --everybody --yes"`
}
