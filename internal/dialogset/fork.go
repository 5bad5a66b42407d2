package dialogset

import (
	"context"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"
)

// keptForks is how many further 2xx to one INVITE are remembered.
const keptForks = 8

// fork is a further 2xx to our INVITE, from another party than the first.
type fork struct {
	remoteTag string
	join      func(context.Context)
	at        time.Time
	ended     bool // the application has sent a BYE
}

// Fork remembers a further 2xx. join makes its dialog, and is called if the application
// sends an ACK within 64*T1, for as long as the sender of a 2xx waits for one (RFC 3261
// §13.3.1.4).
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

// fork returns the index of a fork; negative if there is none. s.mu is held.
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

// endFork notes that the application has sent a BYE, so that the fork does not become a
// dialog later. s.mu is held.
func (s *Set) endFork(remoteTag string) {
	if i := s.fork(remoteTag); i >= 0 {
		s.forks[i].ended = true
	}
}

// TakeFork makes the dialog of a fork, because the application sends its ACK.
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
