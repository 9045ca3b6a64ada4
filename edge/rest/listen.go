package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"

	"ringfence/edge/internal/fair"
)

// listeners is what Start opened and Stop closes.
type listeners struct {
	servers []*http.Server
	tcp     net.Addr
}

// ErrSocketBusy says that another server answers on the socket.
var ErrSocketBusy = errors.New("another server is running on this socket")

// Start opens the unix socket and, if configured, TCP. Failures while serving go to the log.
func (s *Server) Start() error {
	if s.o.Socket != "" {
		l, err := listenUnix(s.o.Socket)
		if err != nil {
			return err
		}
		s.serve(netutil.LimitListener(l, maxConnections), s.guard(socketUser, anyName, s.socketMux()))
	}
	if s.o.Listen.IsValid() {
		l, err := s.listenTCP()
		if err != nil {
			return errors.Join(err, s.Stop(context.Background()))
		}
		s.lists.tcp = l.Addr()
		s.serve(l, s.guard(s.tokenOwner, s.ownName, s.mux))
	}
	return nil
}

// Addr is the TCP address in use, nil if there is none.
func (s *Server) Addr() net.Addr { return s.lists.tcp }

// Stop waits for requests under way until ctx ends, then breaks them off. The socket's file goes.
func (s *Server) Stop(ctx context.Context) error {
	var faults []error
	for _, srv := range s.lists.servers {
		if err := srv.Shutdown(ctx); err != nil {
			faults = append(faults, err, srv.Close())
		}
	}
	s.lists.servers = nil
	return errors.Join(faults...)
}

func (s *Server) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       uploadTimeout, // operations set shorter ones for their bodies
		WriteTimeout:      answerTimeout, // streams set theirs page by page
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.lists.servers = append(s.lists.servers, srv)
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the admin API stopped", "address", l.Addr().String(), "error", err)
		}
	}()
}

// socketMux is the API and what else is served to this machine only.
func (s *Server) socketMux() http.Handler {
	if len(s.o.Extra) == 0 {
		return s.mux
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.mux)
	for pattern, h := range s.o.Extra {
		mux.Handle(pattern, h)
	}
	return mux
}

// listenUnix opens a socket that only this user can use. A file that a killed server left is replaced; one that answers
// is not. The umask makes the file private from its first instant, so that there is no gap before a chmod.
func listenUnix(path string) (net.Listener, error) {
	const longest = 107                   // sockaddr_un
	const inside = len("/.s4294967295/s") // where it is bound first, in the same directory
	if n := max(len(path), len(filepath.Dir(path))+inside); n > longest {
		return nil, fmt.Errorf("the path of the socket %s is %d bytes too long: set a shorter one", path, n-longest)
	}
	if fi, err := os.Lstat(path); err == nil {
		if fi.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s is there and is no socket; remove it or set another path", path)
		}
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			return nil, errors.Join(fmt.Errorf("%w: %s", ErrSocketBusy, path), c.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("removing a stale socket: %w", err)
		}
	}
	// Bound under a private name in a directory of our own and moved into place: umask is the whole process's and
	// would touch files that others make at the same time.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".s") // 0700
	if err != nil {
		return nil, fmt.Errorf("opening the admin socket: %w", err)
	}
	defer os.RemoveAll(dir)
	return bindPrivate(filepath.Join(dir, "s"), path)
}

func bindPrivate(inside, path string) (net.Listener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: inside, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("opening the admin socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(inside, 0o600), os.Rename(inside, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the admin socket: %w", err), l.Close())
	}
	return &unixListener{l, path}, nil
}

// unixListener removes its file when it closes.
type unixListener struct {
	*net.UnixListener
	path string
}

// Close closes the socket and removes its file.
func (l *unixListener) Close() error {
	err := l.UnixListener.Close()
	if rm := os.Remove(l.path); rm != nil && !errors.Is(rm, os.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return err
}

// Accept names the user of this machine behind a connection as its remote address, which outlives every wrapper that
// the HTTP server puts around it.
func (l *unixListener) Accept() (net.Conn, error) {
	c, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return &peerConn{c, peerName(c)}, nil
}

type peerConn struct {
	*net.UnixConn
	name string
}

// RemoteAddr is who opened the connection.
func (c *peerConn) RemoteAddr() net.Addr { return &net.UnixAddr{Name: c.name, Net: "unix"} }

func peerName(c *net.UnixConn) string {
	uid, ok := peerUID(c)
	if !ok {
		return "socket"
	}
	if u, err := user.LookupId(uid); err == nil {
		return u.Username + "@socket"
	}
	return "uid:" + uid + "@socket"
}

func peerUID(c *net.UnixConn) (string, bool) {
	rc, err := c.SyscallConn()
	if err != nil {
		return "", false
	}
	var cred *unix.Ucred
	var credErr error
	err = rc.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err != nil || credErr != nil {
		return "", false
	}
	return strconv.FormatUint(uint64(cred.Uid), 10), true
}

// listenTCP insists on tokens, and on TLS for all but loopback.
func (s *Server) listenTCP() (net.Listener, error) {
	if len(s.o.Tokens) == 0 {
		return nil, errors.New("the admin API over TCP needs tokens: give a tokens file, or leave listen out")
	}
	if s.o.Cert == "" && !s.o.Listen.Addr().IsLoopback() {
		return nil, fmt.Errorf("the admin API on %s needs a certificate; without one only a loopback address is possible", s.o.Listen)
	}
	if err := s.cert.Use(s.o.Cert, s.o.Key); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", s.o.Listen.String())
	if err != nil {
		return nil, fmt.Errorf("opening the admin API: %w", err)
	}
	return s.cert.Listener(fair.Limit(l, fair.Options{Max: maxConnections, PerAddress: maxPerAddress})), nil
}

// UseCertificate reads the certificate from these files, for connections from now on. On an error the old one stays.
func (s *Server) UseCertificate(cert, key string) error { return s.cert.Use(cert, key) }
