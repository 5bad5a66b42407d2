package dialogset

// AckToBeHad returns a channel that is closed when the application has handled the ACK of
// the last INVITE that it accepted; nil if it has handled that already.
func (d *Dialog) AckToBeHad() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unacked == nil {
		return nil
	}
	if d.unacked.had == nil {
		d.unacked.had = make(chan struct{})
	}
	return d.unacked.had
}

// HadAck notes that the application has handled an ACK.
func (d *Dialog) HadAck(cseq uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.unacked
	if p == nil || p.cseq != cseq {
		return
	}
	d.unacked = nil
	if p.had != nil {
		close(p.had)
	}
}
