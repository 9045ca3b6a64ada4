//go:build !linux

package main

import (
	"context"
	"errors"
)

var errLinux = errors.New("floods are measured on Linux only")

func (b *bench) floods(context.Context) error        { return errLinux }
func (b *bench) bannedPackets(context.Context) error { return errLinux }
func (b *bench) guesses(context.Context) error       { return errLinux }
