package refresher_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// printer is a pipeline to nowhere. The real one sends the request and commits
// what the 2xx settles.
type printer struct{ done chan struct{} }

func (p printer) Refresh(_ context.Context, d dialogstore.Dialog, req *sip.Request) (*sip.Response, error) {
	fmt.Println(req.Method, req.Recipient.String(), "in call", d.CallID)
	return sip.NewResponseFromRequest(req, sip.StatusCallTransactionDoesNotExists, "Gone", nil), nil
}

func (p printer) Hangup(_ context.Context, d dialogstore.Dialog, reason sessiontimer.Reason) error {
	fmt.Println("hang up", d.CallID+":", reason)
	close(p.done)
	return nil
}

// A refresher watches a store. What it sends goes out through a pipeline.
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
		ID:           dialogstore.ID{CallID: "a84b4c76e66710", LocalTag: "1928301774", RemoteTag: "9as888nd"},
		RemoteTarget: "sip:bob@192.0.2.4",
		PeerUpdate:   true,
		Session: sessiontimer.Session{
			Interval:  90 * time.Second,
			Refresher: sessiontimer.Local,
			Since:     time.Now().Add(-45 * time.Second),
		},
	})
	<-p.done
	// Output:
	// UPDATE sip:bob@192.0.2.4 in call a84b4c76e66710
	// sessiontimer.RefreshFailed
	// hang up a84b4c76e66710: Session refresh answered 481
}
