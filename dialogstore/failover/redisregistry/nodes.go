package redisregistry

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/bounded"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// sweepEvery is how often the cluster removes nodes that were silent for too long. One of the
// nodes does it each time.
const sweepEvery = 10 * time.Minute

// schema names the layout of the keys and the number of tags.
func (r *Registry) schema() string { return fmt.Sprintf("1 with %d tags", r.opts.tags) }

// SchemaError means that the nodes of the cluster store their calls differently: with other
// options, or with an incompatible version of this package.
type SchemaError struct{ Theirs, Ours string }

// Error implements error.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("redisregistry: the cluster has schema %q, this node %q", e.Theirs, e.Ours)
}

// nodes runs a script of the nodes.
func (r *Registry) nodes(ctx context.Context, s *script, args ...any) (reply, error) {
	replies, err := r.run(ctx, []command{{s, []string{r.nodesKey()}, args}})
	if err != nil {
		return nil, err
	}
	if replies[0].text(0) == "schema" {
		return nil, &SchemaError{Theirs: replies[0].text(1), Ours: r.schema()}
	}
	return replies[0], nil
}

// Beat implements failover.Registry. It also fails with a *SchemaError.
func (r *Registry) Beat(ctx context.Context, me failover.Node) (failover.Pulse, error) {
	return bounded.Do(ctx, r.calls, func(ctx context.Context) (failover.Pulse, error) {
		left, _ := r.stay.tell()
		reply, err := r.nodes(ctx, beatScript, nodeField+stored.NodeName(me), rand.Text(), r.schema(), left.Milliseconds(), sweepEvery.Milliseconds())
		if err != nil {
			return failover.Pulse{}, err
		}
		pulse, records := pulseOf(me, reply.list(3))
		if reply.number(2) == 1 {
			r.sweep(ctx, reply.number(1), records)
		}
		return pulse, nil
	})
}

// record is a node in the hash of the nodes.
type record struct {
	node   failover.Beating
	buried uint64
	heard  int64 // ms
	text   string
}

// pulseOf reads the hash of the nodes. It omits entries that no registry wrote.
func pulseOf(me failover.Node, fields reply) (pulse failover.Pulse, records []record) {
	for i := 0; i+1 < len(fields); i += 2 {
		field, value := fields.text(i), fields.text(i+1)
		if field == "generation" {
			pulse.Generation = value
			continue
		}
		name, isNode := strings.CutPrefix(field, nodeField)
		if !isNode {
			continue
		}
		rec, err := parseRecord(name, value)
		if err != nil {
			continue
		}
		records = append(records, rec)
		pulse.Nodes = append(pulse.Nodes, rec.node)
		if rec.node.Node == me {
			pulse.Buried = rec.buried
		}
	}
	slices.SortFunc(pulse.Nodes, func(a, b failover.Beating) int { // so that simulations repeat
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Run, b.Run))
	})
	return pulse, records
}

func parseRecord(name, value string) (rec record, err error) {
	rec.text = value
	if rec.node.Node, err = stored.ParseNode(name); err != nil {
		return rec, err
	}
	var left, dead int
	_, err = fmt.Sscanf(value, "count=%d buried=%d left=%d dead=%d heard=%d", &rec.node.Count, &rec.buried, &left, &dead, &rec.heard)
	rec.node.Left, rec.node.Dead = left == 1, dead == 1
	return rec, err
}

// sweep forgets nodes that own nothing and have been silent for long. After a failure it is
// tried again by the next sweep.
func (r *Registry) sweep(ctx context.Context, now int64, records []record) {
	for _, rec := range records {
		owns, err := r.owns(ctx, stored.NodeName(rec.node.Node))
		if err != nil {
			return
		}
		if silent := time.Duration(now-rec.heard) * time.Millisecond; !owns && silent > failover.KeepSilent {
			_, _ = r.nodes(ctx, forgetScript, nodeField+stored.NodeName(rec.node.Node), rec.text)
		}
	}
}

// owns reports whether a node owns calls, and removes calls that are gone from its indexes.
func (r *Registry) owns(ctx context.Context, node string) (bool, error) {
	commands := make([]command, r.opts.tags)
	for tag := range commands {
		commands[tag] = command{ownedScript, []string{indexes(r.place(tag)) + node}, []any{0}}
	}
	replies, err := r.run(ctx, commands)
	for _, reply := range replies {
		if reply.number(1) > 0 {
			return true, nil
		}
	}
	return false, err
}

// Leave implements failover.Registry. It also fails with a *SchemaError.
func (r *Registry) Leave(ctx context.Context, me failover.Node) error {
	_, err := bounded.Do(ctx, r.calls, func(ctx context.Context) (reply, error) {
		left, _ := r.stay.tell()
		return r.nodes(ctx, leaveScript, nodeField+stored.NodeName(me), rand.Text(), r.schema(), left.Milliseconds())
	})
	return err
}

// Bury implements failover.Registry. It also fails with a *SchemaError.
func (r *Registry) Bury(ctx context.Context, node failover.Node, count uint64) (buried bool, err error) {
	reply, err := bounded.Do(ctx, r.calls, func(ctx context.Context) (reply, error) {
		return r.nodes(ctx, buryScript, nodeField+stored.NodeName(node), strconv.FormatUint(count, 10), rand.Text(), r.schema())
	})
	return reply.number(1) == 1, err
}
