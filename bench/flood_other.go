//go:build !linux

package main

import (
	"context"
	"errors"
)

func (b *bench) floods(context.Context) error { return errors.New("floods are measured on Linux only") }
