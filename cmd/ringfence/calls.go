package main

import "ringfence/edge/rest/api"

type callsCmd struct {
	remote
	List whole[api.Call, api.CallFilter]       `cmd:"" default:"withargs" help:"List calls in progress." eg:"ringfence calls; --line 2001; watch ringfence calls"`
	Cut  sure[api.CallCut, api.Call, api.Call] `cmd:"" help:"Cut a call: hang up both legs." look:"/v1/calls/{id}" would:"The call of line {{.Line}} to {{.Number}} ({{.Text}}) would be cut." route:"DELETE /v1/calls/{id}" says:"The call of line {{.Line}} to {{.Number}} is being cut." eg:"01JD8Z6Q4N8T7R5V3X1B9C7D5F; 01JD8Z6Q4N8T7R5V3X1B9C7D5F --why \"fraud, case 12\" --yes"`
}
