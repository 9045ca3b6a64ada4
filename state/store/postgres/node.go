package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNodeTaken says that another process is the node.
var ErrNodeTaken = errors.New("another server is using this database with the node name")

// seat is this process's right to be a node: an advisory lock of a session on a connection of its own. The server frees it
// whenever the session ends, so that after a crash there is nothing to wait for.
type seat struct {
	mu   sync.Mutex      // owns all of it
	cfg  *pgx.ConnConfig // nil: before Hold and after Close
	node string
	conn *pgx.Conn // nil: none
	// The session that last had the lock. The server may keep it for a while after its connection is lost.
	pid   int32
	since time.Time
}

// How often an attempt to take the lock is repeated before another process counts as having it: the session of a
// process that has just been killed takes a moment to end.
const (
	seatTries    = 20
	reseatTries  = 3
	betweenTries = 100 * time.Millisecond
)

// Hold makes this process the node of that name until Close, or refuses with ErrNodeTaken while another process is it. It
// is called once.
func (e *Engine) Hold(ctx context.Context, node string) error {
	cfg, err := pgxpool.ParseConfig(e.dsn) // unlike pgx.ParseConfig it knows the settings of pools, which a dsn may have
	if err != nil {
		return errors.New("postgres: the data source name cannot be understood")
	}
	params := cfg.ConnConfig.RuntimeParams
	params["application_name"] = "ringfence node " + node
	// A machine that lost its power or its network ends no session. The server would keep one for hours.
	params["tcp_keepalives_idle"], params["tcp_keepalives_interval"], params["tcp_keepalives_count"] = "5", "2", "3"
	params["tcp_user_timeout"] = "10000"
	e.seat.mu.Lock()
	defer e.seat.mu.Unlock()
	e.seat.cfg, e.seat.node = cfg.ConnConfig, node
	e.node.Store(&node)
	return e.seat.take(ctx, seatTries)
}

// Held is nil while this process is the node. When its connection is lost it takes the lock again on a new one. It is
// ErrNodeTaken when another process was quicker, which is final; any other error says that it is not known.
func (e *Engine) Held(ctx context.Context) error {
	s := &e.seat
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg == nil {
		return errors.New("postgres: closed")
	}
	if s.conn != nil {
		if s.conn.Ping(ctx) == nil {
			return nil
		}
		s.leave(ctx)
	}
	return s.take(ctx, reseatTries)
}

func (s *seat) take(ctx context.Context, tries int) error {
	var err error
	if s.conn, err = pgx.ConnectConfig(ctx, s.cfg); err != nil {
		s.conn = nil
		return fmt.Errorf("postgres: taking the node name %q: %w", s.node, err)
	}
	for {
		var ours, lingers bool
		if ours, err = s.try(ctx); err == nil && ours {
			return nil
		}
		if err == nil {
			lingers, err = s.endFormer(ctx)
		}
		if !lingers {
			tries--
		}
		if err == nil && tries <= 0 {
			err = fmt.Errorf(`%w %q: give this one another "node", or stop that one`, ErrNodeTaken, s.node)
		}
		if err != nil {
			s.leave(ctx)
			return fmt.Errorf("postgres: %w", err)
		}
		select {
		case <-time.After(betweenTries):
		case <-ctx.Done(): // the next query reports it
		}
	}
}

// try takes the lock if it is free. Stores in different schemas of one database are different stores.
func (s *seat) try(ctx context.Context) (ours bool, err error) {
	const lock = `SELECT pg_try_advisory_lock(hashtextextended('ringfence node ' || current_schema() || '/' || $1, 0))`
	if err := s.conn.QueryRow(ctx, lock, s.node).Scan(&ours); err != nil || !ours {
		return false, err
	}
	const session = `SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()`
	err = s.conn.QueryRow(ctx, session).Scan(&s.pid, &s.since)
	return err == nil, err
}

// endFormer ends the session that had the lock before, if the server still keeps it.
func (s *seat) endFormer(ctx context.Context) (lingers bool, err error) {
	const sql = `SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2`
	err = s.conn.QueryRow(ctx, sql, s.pid, s.since).Scan(&lingers)
	return lingers, err
}

func (s *seat) leave(ctx context.Context) {
	if s.conn != nil {
		_ = s.conn.Close(ctx) // the session ends with the connection even if the orderly close fails
		s.conn = nil
	}
}

// closeSeat frees the lock.
func (e *Engine) closeSeat() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	e.seat.mu.Lock()
	defer e.seat.mu.Unlock()
	e.seat.leave(ctx)
	e.seat.cfg = nil
}
