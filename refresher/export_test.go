package refresher

// Stop and Continue are to the timer of s what SIGSTOP and SIGCONT are to those of a
// process: it does not go off between them, and then at once if it is due.
func (s *Scheduler) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alarm.stop()
}

func (s *Scheduler) Continue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alarm.timer.Reset(0)
}
