package failovertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// ErrFault is the error of an injected [Fault] that has no error of its own.
var ErrFault = errors.New("failovertest: injected registry fault")

// Fault is what goes wrong with one request. The zero Fault does nothing.
type Fault struct {
	// Down makes the request fail before it reaches the registry.
	Down bool
	// Delay delays the request. The registry still carries it out when its caller has
	// given up meanwhile, as it does with a request that is already on the wire.
	Delay time.Duration
	// Lost loses the reply: the registry carries the request out, and it fails.
	Lost bool
	// Reply delays the reply.
	Reply time.Duration
	// Err is the error of Down and Lost. The default is ErrFault.
	Err error
}

// Faulty is a node's connection to a registry, with faults. Give each node its own Faulty
// around the shared registry. To simulate a registry that is down, set Down for all of them;
// to cut one node off, set Down for that node's. Any number of goroutines may use a Faulty.
type Faulty struct {
	registry failover.Registry
	mu       sync.Mutex
	fault    func(method string) Fault
	pending  sync.WaitGroup
}

var _ failover.Reader = (*Faulty)(nil)

// NewFaulty returns a connection to registry, without faults so far.
func NewFaulty(registry failover.Registry) *Faulty { return &Faulty{registry: registry} }

// Set makes fault choose the Fault of each request from now on, given the name of the method.
// Calls of fault are serialized, and it must not call f. A nil fault ends all faults.
func (f *Faulty) Set(fault func(method string) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// Always is an argument for Set: every request has this fault.
func Always(fault Fault) func(method string) Fault {
	return func(string) Fault { return fault }
}

// Wait waits for delayed requests whose callers have given up. Call it before a bubble of
// testing/synctest ends.
func (f *Faulty) Wait() { f.pending.Wait() }

func (f *Faulty) next(method string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault == nil {
		return Fault{}
	}
	return f.fault(method)
}

// call calls a method of the registry, with the fault chosen for it.
func call[R any](ctx context.Context, f *Faulty, method string, do func(context.Context) (R, error)) (R, error) {
	var none R
	fault := f.next(method)
	err := fault.Err
	if err == nil {
		err = ErrFault
	}
	switch {
	case ctx.Err() != nil:
		return none, ctx.Err()
	case fault.Down:
		return none, err
	}
	result, doneErr := delayed(ctx, f, fault, do)
	if fault.Lost && doneErr == nil {
		return none, err
	}
	return result, doneErr
}

// delayed calls the registry in a goroutine if there is a delay. Wait waits for it.
func delayed[R any](ctx context.Context, f *Faulty, fault Fault, do func(context.Context) (R, error)) (R, error) {
	if fault.Delay <= 0 && fault.Reply <= 0 {
		return do(ctx)
	}
	var result R
	var err error
	answered := make(chan struct{})
	f.pending.Go(func() {
		time.Sleep(fault.Delay)
		result, err = do(context.WithoutCancel(ctx))
		time.Sleep(fault.Reply)
		close(answered)
	})
	select {
	case <-answered:
		return result, err
	case <-ctx.Done():
		var none R
		return none, ctx.Err()
	}
}

// Beat implements failover.Registry.
func (f *Faulty) Beat(ctx context.Context, me failover.Node) (failover.Pulse, error) {
	return call(ctx, f, "Beat", func(ctx context.Context) (failover.Pulse, error) { return f.registry.Beat(ctx, me) })
}

// Leave implements failover.Registry.
func (f *Faulty) Leave(ctx context.Context, me failover.Node) error {
	_, err := call(ctx, f, "Leave", func(ctx context.Context) (struct{}, error) { return struct{}{}, f.registry.Leave(ctx, me) })
	return err
}

// Bury implements failover.Registry.
func (f *Faulty) Bury(ctx context.Context, node failover.Node, count uint64) (bool, error) {
	return call(ctx, f, "Bury", func(ctx context.Context) (bool, error) { return f.registry.Bury(ctx, node, count) })
}

// Put implements failover.Registry.
func (f *Faulty) Put(ctx context.Context, me failover.Node, entries []failover.Entry) ([]error, error) {
	entries = slices.Clone(entries) // a delayed request reads them after its caller has given up
	return call(ctx, f, "Put", func(ctx context.Context) ([]error, error) { return f.registry.Put(ctx, me, entries) })
}

// Drop implements failover.Registry.
func (f *Faulty) Drop(ctx context.Context, me failover.Node, keys []failover.Key) ([]error, error) {
	keys = slices.Clone(keys)
	return call(ctx, f, "Drop", func(ctx context.Context) ([]error, error) { return f.registry.Drop(ctx, me, keys) })
}

// Claim implements failover.Registry.
func (f *Faulty) Claim(ctx context.Context, me, from failover.Node, keys []failover.Key) ([]failover.Claimed, error) {
	keys = slices.Clone(keys)
	return call(ctx, f, "Claim", func(ctx context.Context) ([]failover.Claimed, error) {
		return f.registry.Claim(ctx, me, from, keys)
	})
}

// Owned implements failover.Registry.
func (f *Faulty) Owned(ctx context.Context, owner failover.Node, limit int) ([]failover.Held, error) {
	return call(ctx, f, "Owned", func(ctx context.Context) ([]failover.Held, error) { return f.registry.Owned(ctx, owner, limit) })
}

// Owner implements failover.Registry.
func (f *Faulty) Owner(ctx context.Context, ids []dialogstore.ID) ([]failover.Ownership, error) {
	ids = slices.Clone(ids)
	return call(ctx, f, "Owner", func(ctx context.Context) ([]failover.Ownership, error) { return f.registry.Owner(ctx, ids) })
}

// Read implements failover.Reader. It fails with errors.ErrUnsupported if the registry is not
// a Reader.
func (f *Faulty) Read(ctx context.Context, ids []dialogstore.ID) ([]failover.Entry, error) {
	ids = slices.Clone(ids)
	reader, ok := f.registry.(failover.Reader)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return call(ctx, f, "Read", func(ctx context.Context) ([]failover.Entry, error) { return reader.Read(ctx, ids) })
}
