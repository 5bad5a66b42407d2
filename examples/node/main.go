// Node is one node of a cluster: it answers every call, and its calls outlive it. Start
// two of them with the same registry, call the first one and kill it:
//
//	go run ./examples/node -h
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/boltregistry"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// patience is how long a peer may take to answer our BYE, and the registry to accept the
// pending writes.
const patience = 2 * time.Second

// flags are the flags that only this program has.
type flags struct {
	redis, file, name, advertise string
	end                          bool
	beat, lease                  time.Duration
}

func main() {
	cmd := cli.New("node", "answers every call, as a node of a cluster: when it dies, another one keeps its calls up.",
		"go run ./examples/node -redis 127.0.0.1:6379 -name a -unsafe-intervals -session-expires 10s -min-se 10s -lease 1s",
		"127.0.0.1:5060")
	cmd.DurationFlag()
	cmd.RunForFlag()
	f := flags{lease: failover.DefaultLease}
	cmd.Text(&f.redis, "redis", "HOST:PORT", "address of the Redis or Valkey that the nodes share")
	cmd.Text(&f.file, "file", "PATH", "registry in a file instead, for one process that restarts")
	cmd.Text(&f.name, "name", "NAME", "name of this node; a restart with it takes its calls back")
	cmd.Text(&f.advertise, "advertise", "HOST:PORT", "address at which peers reach this node, if each node has its own")
	cli.Choice(cmd, &f.end, "takeover", "keep|end", "what to do with the calls of a dead node", false, true)
	cmd.Seconds(&f.beat, "beat", "DUR", "time between heartbeats of this node; 0 = a twelfth of the lease")
	cmd.Seconds(&f.lease, "lease", "DUR", "silence after which others take its calls over")
	cmd.Closing = "SIGTERM hands the calls over to the other nodes, SIGINT hangs them up.\n" + cmd.Closing
	cmd.Main(func(ctx context.Context) error { return run(ctx, cmd, f) })
}

// run takes calls until ctx ends.
func run(ctx context.Context, cmd *cli.Command, f flags) error {
	planned := make(chan os.Signal, 1)
	signal.Notify(planned, syscall.SIGTERM)
	registry, closeRegistry, err := f.registry()
	if err != nil {
		return err
	}
	defer closeRegistry()
	socket, err := phone.Open(cmd.Transport, cmd.Listen)
	if err != nil {
		return err
	}
	defer socket.Close()
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("node"))
	if err != nil {
		return err
	}
	defer ua.Close()

	// Calls that outlive this process: one more option.
	timers, err := middleware.New(ua, append(cmd.Options(), middleware.WithFailover(registry, f.options()...))...)
	if err != nil {
		return err
	}
	defer timers.Close()
	client, err := timers.NewClient(socket.ClientOptions(phone.Anywhere)...)
	if err != nil {
		return err
	}
	server, err := timers.NewServer()
	if err != nil {
		return err
	}

	calls := &calls{hangUp: make(chan struct{}), cmd: cmd, socket: socket}
	calls.dialogs = sipgo.NewDialogServerCache(client, sip.ContactHeader{Address: socket.URI("node", phone.Anywhere)})
	server.OnInvite(calls.onInvite)
	server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = calls.dialogs.ReadAck(req, tx) })
	server.OnBye(calls.onBye)
	phone.HandleRest(server)
	if err := socket.Serve(server.Server); err != nil {
		return err
	}
	uri := socket.URI("", phone.Anywhere)
	cmd.Say("listening on %s %s; call %s, stop with Ctrl-C", socket.Transport, socket.Addr, uri.String())
	<-ctx.Done()
	select {
	case <-planned:
		leaving, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return timers.Leave(leaving)
	default:
		calls.end()
		return nil
	}
}

// registry opens the registry that the nodes share.
func (f *flags) registry() (r failover.Registry, closeIt func(), err error) {
	switch {
	case (f.redis == "") == (f.file == ""):
		return nil, nil, cli.Misuse("either -redis or -file is needed")
	case f.redis != "":
		client := redis.NewClient(&redis.Options{Addr: f.redis})
		r, err := redisregistry.New(client)
		return r, func() { _ = client.Close() }, err
	}
	file, err := boltregistry.Open(f.file)
	if err != nil {
		return nil, nil, err
	}
	return file, func() { _ = file.Close() }, nil
}

// options returns the failover options of this node.
func (f *flags) options() []failover.Option {
	opts := []failover.Option{failover.WithLease(f.lease)}
	if f.name != "" {
		opts = append(opts, failover.WithName(f.name))
	}
	if f.beat > 0 {
		opts = append(opts, failover.WithBeat(f.beat))
	}
	if f.advertise != "" {
		opts = append(opts, failover.WithAddress(f.advertise))
	}
	if f.end {
		opts = append(opts, failover.WithTakeover(failover.End))
	}
	return opts
}

// calls are the calls that this process has answered. From here on, the code is plain sipgo;
// it does not mention timers or other nodes.
type calls struct {
	hangUp  chan struct{} // closed when the calls are to be hung up
	cmd     *cli.Command
	socket  *phone.Socket
	dialogs *sipgo.DialogServerCache
	board   phone.Board
}

// onInvite answers a call and returns when it is over.
func (c *calls) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if phone.InDialog(req) {
		c.onReInvite(req, tx)
		return
	}
	if !c.board.Begin() {
		phone.Respond(req, tx, sip.StatusServiceUnavailable, "Shutting Down")
		return
	}
	defer c.board.Done()
	call, err := c.dialogs.ReadInvite(req, tx)
	if err != nil {
		phone.Respond(req, tx, sip.StatusBadRequest, "Bad Request")
		return
	}
	peer := req.Source()
	err = call.Respond(sip.StatusOK, "OK", phone.SDP(c.socket.Host(peer)),
		&sip.ContactHeader{Address: c.socket.URI("node", peer)}, sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		return // cancelled, or never acknowledged
	}
	select {
	case <-call.Context().Done(): // the other side hung up, or this process hands its calls over
		return
	case <-c.cmd.AfterDuration():
	case <-c.hangUp:
	}
	bye, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = call.Bye(bye)
}

// onReInvite handles what the timers do not answer: changed session descriptions.
func (c *calls) onReInvite(req *sip.Request, tx sip.ServerTransaction) {
	call, err := c.dialogs.MatchDialogRequest(req)
	if err != nil || call.ReadRequest(req, tx) != nil {
		phone.NoSuchCall(req, tx)
		return
	}
	peer := req.Source()
	phone.Accept(req, tx, c.socket.URI("node", peer), phone.SDP(c.socket.Host(peer)))
}

// onBye ends a call. The BYE is the peer's, or the timers' if the peer is gone.
func (c *calls) onBye(req *sip.Request, tx sip.ServerTransaction) {
	if err := c.dialogs.ReadBye(req, tx); err != nil {
		phone.NoSuchCall(req, tx)
	}
}

// end hangs the calls up and waits for that.
func (c *calls) end() {
	close(c.hangUp)
	if !c.board.Close(patience + time.Second) {
		c.cmd.Say("gave up on calls that would not end")
	}
}
