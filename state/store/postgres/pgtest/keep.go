package pgtest

import "runtime"

// keep starts the server from a thread of its own and stays on it until the server has ended.
func (s *Server) keep(started chan<- error) {
	runtime.LockOSThread()
	err := s.cmd.Start()
	if err != nil {
		close(s.done)
		started <- err
		return
	}
	cmd, done := s.cmd, s.done
	started <- nil
	_ = cmd.Wait() // how it ended is in its log
	close(done)
}
