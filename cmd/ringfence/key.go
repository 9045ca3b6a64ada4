package main

import "ringfence/edge/rest/api"

type keyCmd struct {
	remote
	Rotate sure[struct{}, api.Status, api.Rotated] `cmd:"" help:"Make a new key and seal every secret with it." look:"/v1/status" would:"A new key would be made, and the passwords of {{count .Lines \"line\" \"lines\"}} and {{count .Trunks \"trunk\" \"trunks\"}} sealed with it." route:"POST /v1/keys/rotate" says:"Key {{.Key}} is in use; {{count .Secrets \"secret was\" \"secrets were\"}} sealed again. Copy the new key file to a safe place." eg:"; --yes" detail:"Phones are not affected. Keep a copy of the new key file apart from the database: without it no phone can log in."`
}
