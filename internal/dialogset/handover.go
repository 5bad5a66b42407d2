package dialogset

import "context"

// HandOver notes that a message goes out which settles something, until HandedOver.
func (d *Dialog) HandOver() {
	d.mu.Lock()
	d.handing++
	d.mu.Unlock()
}

// HandedOver notes that what the message settled is committed, or that nothing was.
func (d *Dialog) HandedOver() {
	d.mu.Lock()
	d.handing--
	d.mu.Signal()
	d.mu.Unlock()
}

// AwaitCommit waits until what we sent is committed.
func (d *Dialog) AwaitCommit(ctx context.Context) {
	_ = d.mu.Await(ctx, func() bool { return d.handing == 0 })
	d.mu.Unlock()
}

// Uncommitted reports whether there is something to wait for.
func (d *Dialog) Uncommitted() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.handing > 0
}
