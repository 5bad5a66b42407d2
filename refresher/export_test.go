package refresher

// Stop and Continue act on the timer of s like SIGSTOP and SIGCONT on those of a process: it
// does not fire between them, and fires at once after them if it is due.
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
