package dialogset

import (
	"context"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"
)

// keptForks bounds how many more answers to one INVITE are remembered.
const keptForks = 8

// fork is a 2xx to an INVITE of ours from another party than the first one.
type fork struct {
	remoteTag string
	join      func(context.Context)
	at        time.Time
	ended     bool // hung up without an ACK
}

// Fork remembers such a 2xx: join makes its dialog if the application takes it
// within 64*T1, as long as whoever sent a 2xx waits (RFC 3261 §13.3.1.4).
func (s *Set) Fork(remoteTag string, join func(context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(remoteTag) != nil || len(s.forks) == keptForks || s.fork(remoteTag) >= 0 {
		return
	}
	s.forks = append(s.forks, fork{remoteTag: remoteTag, join: join, at: time.Now()})
	if len(s.forks) == 1 {
		time.AfterFunc(64*sip.T1, s.forgetForks)
	}
}

// fork finds one. s.mu is held.
func (s *Set) fork(remoteTag string) int {
	return slices.IndexFunc(s.forks, func(f fork) bool { return f.remoteTag == remoteTag })
}

func (s *Set) forgetForks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forks = slices.DeleteFunc(s.forks, func(f fork) bool { return time.Since(f.at) >= 64*sip.T1 })
	if len(s.forks) > 0 {
		time.AfterFunc(64*sip.T1-time.Since(s.forks[0].at), s.forgetForks)
	}
}

// endFork keeps a fork that is hung up from becoming a dialog later. s.mu is held.
func (s *Set) endFork(remoteTag string) {
	if i := s.fork(remoteTag); i >= 0 {
		s.forks[i].ended = true
	}
}

// TakeFork makes the dialog of a fork that the application acknowledges.
func (s *Set) TakeFork(ctx context.Context, remoteTag string) {
	s.mu.Lock()
	i := s.fork(remoteTag)
	if i < 0 || s.forks[i].ended {
		s.mu.Unlock()
		return
	}
	f := s.forks[i]
	s.forks = slices.Delete(s.forks, i, i+1)
	s.mu.Unlock()
	f.join(ctx)
}
