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
