package valkey

import (
	_ "embed"

	valkeygo "github.com/valkey-io/valkey-go"
)

//go:embed add.lua
var addText string

//go:embed put.lua
var putText string

//go:embed drop.lua
var dropText string

// The scripts run on the server, each in one step; their files describe the arguments.
var (
	add  = valkeygo.NewLuaScript(addText)
	put  = valkeygo.NewLuaScript(putText)
	drop = valkeygo.NewLuaScript(dropText)
)
