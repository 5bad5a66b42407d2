package client

import (
	"context"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// answered is an offer as its clientTx sees it.
type answered interface {
	negotiation
	// repeated is called for a retransmitted final response and for a further 2xx.
	repeated(res *sip.Response)
}

// clientTx is the transaction that the application gets for an exchange. It delivers all
// responses except those after which the request was sent again.
//
// From the first call of Responses to the final response, a worker passes the responses
// on. During that time only the worker ends the transaction: on TCP, sipgo's own
// transaction ends as soon as it has delivered the final response, and an application that
// selects on Responses and Done must not see the end first.
type clientTx struct {
	responses chan *sip.Response
	done      chan struct{}

	mu               sync.Mutex
	x                *exchange // nil after the end, since sipgo's dialogs keep their INVITE's transaction
	n                answered  // the same as x
	asked            bool      // Responses was called
	pumping          bool      // the worker runs
	ended, stopped   bool
	err              error // nil before the end
	onTerminate      []sip.FnTxTerminate
	onRetransmission []sip.FnTxResponse
}

func newClientTx(x *exchange, n answered) *clientTx {
	return &clientTx{
		x:         x,
		n:         n,
		responses: make(chan *sip.Response),
		done:      make(chan struct{}),
	}
}

// Responses implements sip.ClientTransaction.
func (c *clientTx) Responses() <-chan *sip.Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.asked && !c.stopped && !c.ended {
		c.pumping = true
		x, n := c.x, c.n
		x.r.c.calls.Workers.Run(func() { c.pump(x, n) })
	}
	c.asked = true
	return c.responses
}

// Done implements sip.Transaction.
func (c *clientTx) Done() <-chan struct{} { return c.done }

// Err implements sip.Transaction.
func (c *clientTx) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Terminate implements sip.Transaction.
func (c *clientTx) Terminate() {
	c.mu.Lock()
	x, n, stopped := c.x, c.n, c.stopped
	c.stopped = true
	c.mu.Unlock()
	if stopped || x == nil {
		return
	}
	n.over(nil)
	c.finish(sip.ErrTransactionCanceled, sip.ErrTransactionTerminated)
	x.transaction().Terminate()
}

// OnTerminate implements sip.Transaction.
func (c *clientTx) OnTerminate(f sip.FnTxTerminate) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.onTerminate = append(c.onTerminate, f)
	return true
}

// OnRetransmission implements sip.ClientTransaction.
func (c *clientTx) OnRetransmission(f sip.FnTxResponse) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.onRetransmission = append(c.onRetransmission, f)
	return true
}

// watch registers hooks on tx, one of sipgo's transactions of the exchange, before it
// sends.
func (c *clientTx) watch(tx *sip.ClientTx) {
	x, n := c.x, c.n
	tx.OnRetransmission(func(res *sip.Response) {
		n.repeated(res)
		c.mu.Lock()
		hooks := c.onRetransmission
		c.mu.Unlock()
		for _, f := range hooks {
			f(res)
		}
	})
	tx.OnTerminate(func(_ string, err error) {
		c.mu.Lock()
		pumping := c.pumping
		c.mu.Unlock()
		if !pumping && x.transaction() == tx {
			n.over(nil)
			c.finish(err, err)
		}
	})
}

// pump is the worker: it passes responses on until the final one.
func (c *clientTx) pump(x *exchange, n answered) {
	for {
		tx := x.transaction()
		select {
		case res := <-tx.Responses():
			if x.handle(context.Background(), n, res) {
				if c.isStopped() {
					x.transaction().Terminate()
					return
				}
				continue
			}
			if !c.deliver(x, n, tx, res) {
				return
			}
			if !res.IsProvisional() {
				c.handOver(tx)
				return
			}
		case <-tx.Done():
			n.over(nil)
			c.finish(tx.Err(), tx.Err())
			return
		case <-c.done:
			return
		}
	}
}

// deliver waits until the application takes res, for as long as it needs, as sipgo's own
// transactions do. It returns false if the application will not take it.
func (c *clientTx) deliver(x *exchange, n answered, tx *sip.ClientTx, res *sip.Response) bool {
	lost := tx.Done()
	if !res.IsProvisional() {
		lost = x.r.c.calls.Context.Done() // tx ends by itself after its final response
	}
	select {
	case c.responses <- res:
		return true
	case <-c.done:
		return false
	case <-lost:
	}
	if res.IsProvisional() {
		n.over(nil)
		c.finish(tx.Err(), tx.Err())
		return false
	}
	return c.deliverLast(res)
}

// deliverLast delivers a final response after the timers were closed, if the application
// takes it within 64*T1.
func (c *clientTx) deliverLast(res *sip.Response) bool {
	select {
	case c.responses <- res:
		return true
	case <-c.done:
	case <-time.After(64 * sip.T1):
		c.finish(sip.ErrTransactionTimeout, sip.ErrTransactionTimeout)
	}
	return false
}

// handOver ends the worker: from now on the transaction ends with tx.
func (c *clientTx) handOver(tx *sip.ClientTx) {
	c.mu.Lock()
	c.pumping = false
	c.mu.Unlock()
	select {
	case <-tx.Done():
		c.finish(tx.Err(), tx.Err())
	default:
	}
}

func (c *clientTx) isStopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped
}

// finish ends the transaction. Err returns err from now on, and the OnTerminate hooks get
// cause.
func (c *clientTx) finish(err, cause error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended, c.err = true, err
	hooks, key := c.onTerminate, c.x.transaction().Key()
	c.x, c.n = nil, nil
	close(c.done)
	c.mu.Unlock()
	for _, f := range hooks {
		f(key, cause)
	}
}
