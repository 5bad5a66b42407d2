package redisregistry

import (
	"context"
	"strconv"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/bounded"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// do runs commands and makes a result of each of the first n replies.
func do[R any](ctx context.Context, r *Registry, n int, commands []command, result func(i int, reply reply) R) ([]R, error) {
	replies, err := bounded.Do(ctx, r.calls, func(ctx context.Context) ([]reply, error) { return r.run(ctx, commands) })
	if err != nil {
		return nil, err
	}
	results := make([]R, n)
	for i := range results {
		results[i] = result(i, replies[i])
	}
	return results, nil
}

// Put implements failover.Registry.
func (r *Registry) Put(ctx context.Context, me failover.Node, entries []failover.Entry) ([]error, error) {
	commands := make([]command, len(entries))
	for i := range entries {
		c, err := r.put(stored.NodeName(me), &entries[i])
		if err != nil {
			return nil, err
		}
		commands[i] = c
	}
	if left, news := r.stay.tell(); news {
		commands = append(commands, command{stayScript, []string{r.nodesKey()}, []any{left.Milliseconds()}})
	}
	return do(ctx, r, len(entries), commands, func(i int, reply reply) error { return r.fenced(entries[i].Dialog.ID, reply) })
}

func (r *Registry) put(me string, e *failover.Entry) (command, error) {
	hot, cold, err := r.codec.Encode(&e.Dialog)
	if err != nil {
		return command{}, err
	}
	interval := int64(-1)
	if s := e.Dialog.Session; s.Active() {
		interval = s.Interval.Milliseconds()
	}
	r.stay.extend(kept(e.Dialog.Session, e.Age))
	id := stored.IDName(e.Dialog.ID)
	place := r.place(r.tag(id))
	return command{putScript, []string{callKey(place, id), indexes(place) + me},
		[]any{me, number(e.Epoch), number(e.Dialog.Version), id, interval, e.Age.Milliseconds(), hot, cold, indexes(place)}}, nil
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// fenced returns the *FencedError that a reply stands for, or nil.
func (r *Registry) fenced(id dialogstore.ID, reply reply) error {
	if reply.text(0) != "fenced" {
		return nil
	}
	r.codec.Forget(id)
	return &failover.FencedError{ID: id, Ownership: stored.Ownership(reply.text(1), uint64(reply.number(2)))}
}

// Drop implements failover.Registry.
func (r *Registry) Drop(ctx context.Context, me failover.Node, keys []failover.Key) ([]error, error) {
	commands := make([]command, len(keys))
	for i, k := range keys {
		id := stored.IDName(k.ID)
		place := r.place(r.tag(id))
		commands[i] = command{dropScript, []string{callKey(place, id)}, []any{stored.NodeName(me), number(k.Epoch), id, indexes(place)}}
	}
	return do(ctx, r, len(keys), commands, func(i int, reply reply) error {
		r.codec.Forget(keys[i].ID)
		return r.fenced(keys[i].ID, reply)
	})
}

// Claim implements failover.Registry.
func (r *Registry) Claim(ctx context.Context, me, from failover.Node, keys []failover.Key) ([]failover.Claimed, error) {
	commands := make([]command, len(keys))
	tags := make(map[int]bool)
	for i, k := range keys {
		id := stored.IDName(k.ID)
		tag := r.tag(id)
		tags[tag] = true
		place := r.place(tag)
		commands[i] = command{claimScript, []string{callKey(place, id), indexes(place) + stored.NodeName(me), indexes(place) + stored.NodeName(from)},
			[]any{stored.NodeName(me), stored.NodeName(from), number(k.Epoch), id}}
	}
	replies, err := bounded.Do(ctx, r.calls, func(ctx context.Context) ([]reply, error) {
		replies, err := r.run(ctx, commands)
		if err == nil && r.opts.replicas > 0 {
			r.replicate(ctx, tags)
		}
		return replies, err
	})
	if err != nil {
		return nil, err
	}
	claimed := make([]failover.Claimed, len(keys))
	for i := range keys {
		claimed[i] = r.claimed(keys[i], replies[i])
	}
	return claimed, nil
}

func (r *Registry) claimed(k failover.Key, reply reply) failover.Claimed {
	switch reply.text(0) {
	case "claimed":
	case "fenced":
		return failover.Claimed{Err: r.fenced(k.ID, reply)}
	default:
		return failover.Claimed{Err: failover.ErrUnknown}
	}
	d, err := r.codec.Claimed(k.ID, []byte(reply.text(2)), []byte(reply.text(3)))
	if err != nil {
		d, err = dialogstore.Dialog{Origin: dialogstore.Origin{ID: k.ID}}, &failover.CorruptError{ID: k.ID, Reason: err}
	}
	age := time.Duration(reply.number(1)) * time.Millisecond
	r.stay.extend(kept(d.Session, age))
	return failover.Claimed{Entry: failover.Entry{Epoch: k.Epoch + 1, Dialog: d, Age: age}, Err: err}
}
