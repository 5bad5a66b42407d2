package middleware

import "context"

// Left is what t still holds for calls: legs, dialogs that the refresher
// watches, and dialogs in the store.
func (t *Timers) Left() (legs, watched, stored int) {
	for range t.store.All(context.Background()) {
		stored++
	}
	return t.legs.len(), t.refresher.Len(), stored
}

// Remembered is the number of requests that t remembers for its calls.
func (t *Timers) Remembered() int {
	t.legs.mu.Lock()
	defer t.legs.mu.Unlock()
	n := 0
	for _, l := range t.legs.all {
		l.mu.Lock()
		n += len(l.dialogs) + len(l.forks)
		for _, m := range append([]*member{l.called()}, l.dialogs...) {
			n += len(m.count.sent) + len(m.offers) + len(m.localAcks)
		}
		l.mu.Unlock()
	}
	return n
}
