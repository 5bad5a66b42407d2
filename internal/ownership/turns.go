package ownership

import (
	"sync"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// turns serialize the adoptions and releases of a call for the Host: a node may claim a call
// back while it is releasing it.
type turns struct {
	mu    sync.Mutex
	taken map[dialogstore.ID]chan struct{} // closed when the turn is over
}

// try takes the turn of a call. It returns false if it is taken.
func (t *turns) try(id dialogstore.ID) (done func(), ok bool) {
	done, taken := t.take(id)
	return done, taken == nil
}

// wait takes the turn of a call when it is free.
func (t *turns) wait(id dialogstore.ID) (done func()) {
	for {
		done, taken := t.take(id)
		if taken == nil {
			return done
		}
		<-taken
	}
}

func (t *turns) take(id dialogstore.ID) (done func(), taken chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if taken := t.taken[id]; taken != nil {
		return nil, taken
	}
	if t.taken == nil {
		t.taken = make(map[dialogstore.ID]chan struct{})
	}
	over := make(chan struct{})
	t.taken[id] = over
	return func() {
		t.mu.Lock()
		delete(t.taken, id)
		t.mu.Unlock()
		close(over)
	}, nil
}
