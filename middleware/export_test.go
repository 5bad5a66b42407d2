package middleware

import "context"

// Left is what t still holds for calls: sets of dialogs in flight, dialogs that the
// refresher watches, and dialogs in the store.
func (t *Timers) Left() (sets, watched, stored int) {
	for range t.store.All(context.Background()) {
		stored++
	}
	return t.sets.Len(), t.refresher.Len(), stored
}

// Remembered is the number of requests that t remembers for its calls.
func (t *Timers) Remembered() int { return t.sets.Remembered() }
