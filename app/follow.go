package app

import (
	"context"

	"ringfence/flow/watch"
	"ringfence/state/store"
)

// bookFollower begins about the journal's end.
func (a *App) bookFollower() {
	begin := func(ctx context.Context) (int64, error) { return a.store.Cursor(ctx, watch.Stage) }
	a.following = a.book.Follower(a.store.Facts, begin, func(f *store.Fact) { a.door.Followed(f) }, a.log)
}

// followOthers follows the book of the other nodes, where there may be any, until ctx ends.
func (a *App) followOthers(ctx context.Context) {
	if a.config().Store.Engine == "postgres" {
		a.following.Run(ctx)
	}
	<-ctx.Done()
}
