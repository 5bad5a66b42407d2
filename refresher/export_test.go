package refresher

// Stop and Continue are to the timers of r what SIGSTOP and SIGCONT are to those of
// a process: none goes off between them, and then at once what is due.
func (r *Scheduler) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.alarm != nil {
		r.alarm.Stop()
	}
	if r.look != nil {
		r.look.Stop()
	}
}

func (r *Scheduler) Continue() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.alarm != nil {
		r.alarm.Reset(0)
	}
	if r.look != nil {
		r.look.Reset(0)
	}
}
