package valkey

import (
	"context"
	"time"
)

// Left is the time that a key of the server has.
func (e *Engine) Left(ctx context.Context, key string) (time.Duration, error) {
	ms, err := e.c.Do(ctx, e.c.B().Pttl().Key(key).Build()).AsInt64()
	return time.Duration(ms) * time.Millisecond, err
}

// Publish says something on a table's channel.
func (e *Engine) Publish(ctx context.Context, table, message string) error {
	return e.c.Do(ctx, e.c.B().Publish().Channel(e.channel(table)).Message(message).Build()).Error()
}
