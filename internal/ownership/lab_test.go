package ownership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
)

// lab is some nodes on one registry, in virtual time.
type lab struct {
	*testing.T
	registry *failover.Memory
	start    time.Time
	nodes    []*labNode
}

func inLab(t *testing.T, run func(l *lab)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		l := &lab{T: t, registry: failover.NewMemory(), start: time.Now()}
		defer func() {
			for _, n := range l.nodes {
				n.stop()
			}
		}()
		run(l)
	})
}

// at waits until so long after the start.
func (l *lab) at(d time.Duration) {
	time.Sleep(time.Until(l.start.Add(d)))
	synctest.Wait()
}

// pass waits.
func (l *lab) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// labNode is a node with its way to the registry, and what its host is told.
type labNode struct {
	*Node
	lab  *lab
	way  *way
	logs *transcript.Text

	mu       sync.Mutex
	adopted  []*Adoption
	at       []time.Duration // since the start of the lab
	released []*Release
	host     []string       // see hostTold
	slowly   func(*Release) // what Release waits for; may be nil
	stopped  bool
}

// node starts a node.
func (l *lab) node(name string, opts ...failover.Option) *labNode {
	l.Helper()
	n := l.prepare(name, opts...)
	n.Start()
	return n
}

func (l *lab) prepare(name string, opts ...failover.Option) *labNode {
	l.Helper()
	s, err := failover.Configure(append([]failover.Option{failover.WithName(name)}, opts...)...)
	if err != nil {
		l.Fatal(err)
	}
	n := &labNode{lab: l, way: &way{Memory: l.registry, lab: l}, logs: new(transcript.Text)}
	n.Node = New(Config{Registry: n.way, Settings: s, Host: n, Usable: (*dialogstore.Dialog).Check, Policy: sessiontimer.DefaultPolicy(),
		Logger: slog.New(slog.NewTextHandler(n.logs, nil))})
	l.nodes = append(l.nodes, n)
	return n
}

// stop ends the node as a crash would: nothing more of it reaches the registry.
func (n *labNode) stop() {
	n.lab.Helper()
	if n.stopped {
		return
	}
	n.stopped = true
	n.way.cut()
	if left := n.Close(time.Minute); left > 0 {
		n.lab.Errorf("%s: %d goroutines are left", n.me.Name, left)
	}
}

// Expect implements Host.
func (n *labNode) Expect(a *Adoption) (forget func()) {
	n.told("expect", a.Dialog.ID)
	return func() { n.told("forget", a.Dialog.ID) }
}

// Adopt implements Host.
func (n *labNode) Adopt(_ context.Context, a *Adoption) {
	n.told("adopt", a.Dialog.ID)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.adopted, n.at = append(n.adopted, a), append(n.at, time.Since(n.lab.start))
}

// Release implements Host.
func (n *labNode) Release(r *Release) {
	if n.slowly != nil {
		n.slowly(r)
	}
	n.told("release", r.Dialog.ID)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.released = append(n.released, r)
}

// told notes what the host is told, and whether the call is in the store then.
func (n *labNode) told(what string, id dialogstore.ID) {
	if _, err := n.Load(context.Background(), id); err == nil {
		what += " stored"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.host = append(n.host, what)
}

// hostTold is what the host was told so far, with "stored" if the call was in the store.
func (n *labNode) hostTold() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.host, ", ")
}

// took is what was adopted so far, and when.
func (n *labNode) took() []*Adoption {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.adopted)
}

func (n *labNode) tookAt() []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.at)
}

// letGo is what was released so far.
func (n *labNode) letGo() []*Release {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.released)
}

// exceptions is how many calls are held otherwise than those that begin here.
func (n *labNode) exceptions() int {
	n.Node.mu.Lock()
	defer n.Node.mu.Unlock()
	return len(n.held)
}

// calls begins that many calls of the node; each is a second older than the next one.
func (n *labNode) calls(many int) (ids []dialogstore.ID) {
	n.lab.Helper()
	for i := range many {
		d := call(fmt.Sprintf("%s-%d", n.me.Name, i))
		d.Session.Since = time.Now().Add(-time.Duration(many-i) * 10 * time.Millisecond)
		n.create(d)
		ids = append(ids, d.ID)
	}
	return ids
}

func (n *labNode) create(d dialogstore.Dialog) {
	n.lab.Helper()
	if err := n.Create(context.Background(), d); err != nil {
		n.lab.Fatal(err)
	}
}

// refresh is what a refresh makes of a call.
func (n *labNode) refresh(id dialogstore.ID) {
	n.lab.Helper()
	_, _, err := n.Update(context.Background(), id, func(d dialogstore.Dialog) (dialogstore.State, error) {
		d.Version++
		d.LocalCSeq++
		d.Session.Since = time.Now()
		return d.State, nil
	})
	if err != nil {
		n.lab.Error(err)
	}
}

// call is a call that we began.
func call(callID string) dialogstore.Dialog {
	return dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:         dialogstore.ID{CallID: callID, LocalTag: "l", RemoteTag: "r"},
			OwnsCallID: true,
			Policy:     sessiontimer.DefaultPolicy(),
		},
		State: dialogstore.State{
			Version:      1,
			RemoteTarget: "sip:peer@192.0.2.7",
			Contact:      "<sip:us@192.0.2.1>",
			LocalCSeq:    10,
			SDP:          []byte("v=0"),
			SDPType:      "application/sdp",
			Session:      sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local, Since: time.Now()},
		},
	}
}

// owner is the name of the node that owns a call; empty if none does.
func (l *lab) owner(id dialogstore.ID) string { return l.ownership(id).Owner.Name }

func (l *lab) ownership(id dialogstore.ID) failover.Ownership {
	l.Helper()
	o, err := l.registry.Owner(context.Background(), []dialogstore.ID{id})
	if err != nil {
		l.Fatal(err)
	}
	return o[0]
}

// stored is a call as the registry has it.
func (l *lab) stored(id dialogstore.ID) failover.Entry {
	l.Helper()
	e, err := l.registry.Read(context.Background(), []dialogstore.ID{id})
	if err != nil {
		l.Fatal(err)
	}
	return e[0]
}

// ownedBy counts the calls by the names of their owners.
func (l *lab) ownedBy(ids []dialogstore.ID) map[string]int {
	l.Helper()
	by := make(map[string]int)
	for _, id := range ids {
		by[l.owner(id)]++
	}
	return by
}

// way is a node's way to the registry, with its faults. Each is set by a test.
type way struct {
	*failover.Memory
	lab *lab

	mu     sync.Mutex
	down   bool                           // nothing gets there
	slow   time.Duration                  // how long each answer takes
	lose   func(method string) bool       // whether what was done gets no answer
	fail   func(method string) bool       // whether a request is lost
	stuck  time.Time                      // until when nothing is done of what gets there
	deaf   bool                           // it looks at no context
	spoilt string                         // Call-ID of one that cannot be read
	torn   string                         // Call-ID of one whose stored state does not parse
	asked  []request                      // in order
	watch  func(method string, calls int) // is told of what gets there
}

type request struct {
	method string
	calls  int
	at     time.Duration // since the start of the lab
}

var errDown = errors.New("connection refused")

func (w *way) cut()                   { w.set(func() { w.down = true }) }
func (w *way) heal()                  { w.set(func() { w.down = false }) }
func (w *way) slowBy(d time.Duration) { w.set(func() { w.slow = d }) }

func (w *way) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// all are the requests so far.
func (w *way) all() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// requests are those of a method so far.
func (w *way) requests(method string) (all []request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.asked {
		if r.method == method {
			all = append(all, r)
		}
	}
	return all
}

// through is a call of the registry.
func through[T any](ctx context.Context, w *way, method string, calls int, do func() (T, error)) (T, error) {
	var none T
	w.mu.Lock()
	w.asked = append(w.asked, request{method, calls, time.Since(w.lab.start)})
	down := w.down || w.fail != nil && w.fail(method)
	slow, stuck, lost, deaf, watch := w.slow, time.Until(w.stuck), w.lose != nil && w.lose(method), w.deaf, w.watch
	w.mu.Unlock()
	if down {
		return none, errDown
	}
	if watch != nil {
		watch(method, calls)
	}
	done := ctx.Done()
	if deaf {
		done = nil
	}
	if !wait(stuck, done) {
		return none, ctx.Err()
	}
	v, err := do()
	if lost {
		return none, errors.New("connection reset")
	}
	if !wait(slow, done) {
		return none, ctx.Err()
	}
	return v, err
}

// wait reports whether d has passed before done.
func wait(d time.Duration, done <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-late.C:
		return true
	case <-done:
		return false
	}
}

func (w *way) Beat(ctx context.Context, me failover.Node) (failover.Pulse, error) {
	return through(ctx, w, "Beat", 0, func() (failover.Pulse, error) { return w.Memory.Beat(ctx, me) })
}

func (w *way) Leave(ctx context.Context, me failover.Node) error {
	_, err := through(ctx, w, "Leave", 0, func() (int, error) { return 0, w.Memory.Leave(ctx, me) })
	return err
}

func (w *way) Bury(ctx context.Context, node failover.Node, count uint64) (bool, error) {
	return through(ctx, w, "Bury", 0, func() (bool, error) { return w.Memory.Bury(ctx, node, count) })
}

func (w *way) Put(ctx context.Context, me failover.Node, entries []failover.Entry) ([]error, error) {
	return through(ctx, w, "Put", len(entries), func() ([]error, error) { return w.Memory.Put(ctx, me, entries) })
}

func (w *way) Drop(ctx context.Context, me failover.Node, keys []failover.Key) ([]error, error) {
	return through(ctx, w, "Drop", len(keys), func() ([]error, error) { return w.Memory.Drop(ctx, me, keys) })
}

func (w *way) Claim(ctx context.Context, me, from failover.Node, keys []failover.Key) ([]failover.Claimed, error) {
	return through(ctx, w, "Claim", len(keys), func() ([]failover.Claimed, error) { return w.claim(ctx, me, from, keys) })
}

func (w *way) claim(ctx context.Context, me, from failover.Node, keys []failover.Key) (all []failover.Claimed, err error) {
	for _, k := range keys {
		if k.CallID == w.spoilt {
			all = append(all, failover.Claimed{Err: errors.New("cannot be decoded")})
			continue
		}
		one, err := w.Memory.Claim(ctx, me, from, []failover.Key{k})
		if err != nil {
			return nil, err
		}
		if k.CallID == w.torn && one[0].Err == nil {
			one[0].Dialog = dialogstore.Dialog{Origin: dialogstore.Origin{ID: k.ID}}
			one[0].Err = &failover.CorruptError{ID: k.ID, Reason: errors.New("unexpected end of JSON input")}
		}
		all = append(all, one...)
	}
	return all, nil
}

func (w *way) Owned(ctx context.Context, owner failover.Node, limit int) ([]failover.Held, error) {
	return through(ctx, w, "Owned", limit, func() ([]failover.Held, error) { return w.Memory.Owned(ctx, owner, limit) })
}

func (w *way) Owner(ctx context.Context, ids []dialogstore.ID) ([]failover.Ownership, error) {
	return through(ctx, w, "Owner", len(ids), func() ([]failover.Ownership, error) { return w.Memory.Owner(ctx, ids) })
}

// names are the Call-IDs of what was adopted, in order.
func (n *labNode) names() (all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.adopted {
		all = append(all, a.Dialog.CallID)
	}
	return all
}

func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return names
}

// answering is a registry with some answers of its own.
type answering struct {
	failover.Registry
	put  func(n int) []error
	read func(ids []dialogstore.ID) ([]failover.Entry, error)
}

// Put implements failover.Registry.
func (a answering) Put(_ context.Context, _ failover.Node, entries []failover.Entry) ([]error, error) {
	return a.put(len(entries)), nil
}

// Read implements failover.Reader.
func (a answering) Read(_ context.Context, ids []dialogstore.ID) ([]failover.Entry, error) {
	return a.read(ids)
}
