package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/state/store"
)

// facts are a journal of n facts.
type facts int

func (n facts) read(_ context.Context, f store.FactFilter) (out []store.Fact, err error) {
	for seq := f.After + 1; seq <= int64(n) && len(out) < f.Limit; seq++ {
		out = append(out, store.Fact{Seq: seq, At: time.Now().Add(-time.Hour)})
	}
	return out, nil
}

// TestFollower: all facts are taken once and in order, through failures and steps that others took.
func TestFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		var got []int64
		begins, fails, lag := 0, 3, time.Duration(0)
		f := &Follower{
			Name: "test", Every: time.Second, Log: slog.New(slog.NewTextHandler(&said, nil)), Read: facts(2500).read,
			Begin: func(context.Context) (int64, error) {
				if begins++; begins == 1 {
					return 0, errors.New("no store")
				}
				return int64(len(got)), nil
			},
		}
		f.Take = func(_ context.Context, at int64, facts []store.Fact, caughtUp bool) (int64, error) {
			if fails--; fails == 1 {
				return at, ErrAgain
			} else if fails == 0 {
				return at, fmt.Errorf("%w: lost", ErrAgain)
			}
			lag = max(lag, f.Lag())
			for _, x := range facts {
				got = append(got, x.Seq)
			}
			if caughtUp != (len(facts) < Batch) {
				t.Error("caught up with", len(facts))
			}
			return int64(len(got)), nil
		}
		ctx, stop := context.WithCancel(t.Context())
		go f.Run(ctx)
		time.Sleep(time.Minute)
		stop()
		synctest.Wait()
		for i, seq := range got {
			if seq != int64(i)+1 {
				t.Fatalf("fact %d at place %d", seq, i)
			}
		}
		if len(got) != 2500 || begins != 4 || lag < time.Hour || f.Lag() != 0 {
			t.Errorf("%d taken, %d beginnings, lag %s and %s", len(got), begins, lag, f.Lag())
		}
		if n := strings.Count(said.String(), "\n"); n != 4 {
			t.Errorf("logged\n%s", said.String())
		}
	})
}
