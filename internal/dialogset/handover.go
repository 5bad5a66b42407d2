package dialogset

import "context"

// HandOver notes that we are sending a message that changes the dialog. HandedOver must
// follow.
func (d *Dialog) HandOver() {
	d.mu.Lock()
	d.handing++
	d.mu.Unlock()
}

// HandedOver notes that the changes of such a message are committed, or that it failed.
func (d *Dialog) HandedOver() {
	d.mu.Lock()
	d.handing--
	d.mu.Signal()
	d.mu.Unlock()
}

// AwaitCommit waits until no message is between HandOver and HandedOver, or ctx ends.
func (d *Dialog) AwaitCommit(ctx context.Context) {
	_ = d.mu.Await(ctx, func() bool { return d.handing == 0 })
	d.mu.Unlock()
}

// Uncommitted reports whether AwaitCommit would wait.
func (d *Dialog) Uncommitted() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.handing > 0
}
