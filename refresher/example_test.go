package refresher_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// printer is a pipeline that only prints. The real one sends the request and stores what the
// 2xx settles.
type printer struct{ done chan struct{} }

func (p printer) Refresh(_ context.Context, id dialogstore.ID, _ refresher.Attempt) refresher.Outcome {
	fmt.Println("UPDATE in call", id.CallID)
	return refresher.Outcome{Method: sessiontimer.MethodUpdate, Status: 481}
}

func (p printer) End(_ context.Context, id dialogstore.ID, _ sessiontimer.Session, reason sessiontimer.Reason) (func(context.Context), error) {
	fmt.Println("hang up", id.CallID+":", reason)
	close(p.done)
	return nil, nil
}

// A Scheduler observes a store and sends through a pipeline.
func Example() {
	r := refresher.New()
	defer r.Close()
	store := dialogstore.Observe(dialogstore.NewMemory(), r)
	p := printer{make(chan struct{})}
	r.Configure(refresher.Config{
		Store:    store,
		Pipeline: p,
		Event:    func(e sessiontimer.Event) { fmt.Printf("%T\n", e) },
		Logger:   slog.New(slog.DiscardHandler),
	})

	// Half of the 90 s are over.
	_ = store.Create(context.Background(), dialogstore.Dialog{
		Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "a84b4c76e66710", LocalTag: "1928301774", RemoteTag: "9as888nd"}},
		State: dialogstore.State{Session: sessiontimer.Session{
			Interval:  90 * time.Second,
			Refresher: sessiontimer.Local,
			Since:     time.Now().Add(-45 * time.Second),
		}},
	})
	<-p.done
	// Output:
	// UPDATE in call a84b4c76e66710
	// sessiontimer.RefreshFailed
	// hang up a84b4c76e66710: Session refresh answered 481
}
