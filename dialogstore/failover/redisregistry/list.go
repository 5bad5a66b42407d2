package redisregistry

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/bounded"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// Owned implements failover.Registry.
func (r *Registry) Owned(ctx context.Context, owner failover.Node, limit int) ([]failover.Held, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	return bounded.Do(ctx, r.calls, func(ctx context.Context) ([]failover.Held, error) {
		return r.owned(ctx, stored.NodeName(owner), limit)
	})
}

// owned merges the indexes of all tags. It reads a little more than a fair share from each,
// and reads more from those where that was not enough.
func (r *Registry) owned(ctx context.Context, owner string, limit int) ([]failover.Held, error) {
	parts := make([]part, r.opts.tags)
	count := min(limit, 2*(limit/r.opts.tags)+16)
	short := make([]int, r.opts.tags)
	for tag := range short {
		short[tag] = tag
	}
	for {
		if err := r.first(ctx, owner, short, count, parts); err != nil {
			return nil, err
		}
		all := merge(parts, limit)
		if short = shortOf(parts, all, limit); len(short) == 0 {
			return all, nil
		}
		count = min(limit, 4*min(count, math.MaxInt/4))
	}
}

// part is the beginning of the index of a tag.
type part struct {
	held []failover.Held
	rest bool // there are more
}

// first asks some tags for the first count calls of their indexes.
func (r *Registry) first(ctx context.Context, owner string, tags []int, count int, parts []part) error {
	commands := make([]command, len(tags))
	for i, tag := range tags {
		commands[i] = command{ownedScript, []string{indexes(r.place(tag)) + owner}, []any{count}}
	}
	replies, err := r.run(ctx, commands)
	if err != nil {
		return err
	}
	for i, tag := range tags {
		first := replies[i].list(2)
		parts[tag] = part{heldOf(replies[i].number(0), first), replies[i].number(1) > int64(len(first)/2)}
	}
	return nil
}

// never is the lowest score of calls without a timer; see scripts/common.lua.
const never = 1e15

// heldOf reads members with their scores. It omits members that no registry wrote.
func heldOf(now int64, first reply) []failover.Held {
	held := make([]failover.Held, 0, len(first)/2)
	for i := 0; i+1 < len(first); i += 2 {
		key, err := parseMember(first.text(i))
		score, errScore := scoreOf(first[i+1])
		if err != nil || errScore != nil {
			continue
		}
		left := failover.NoTimer
		if score < never {
			left = time.Duration(int64(score)-now) * time.Millisecond
		}
		held = append(held, failover.Held{Key: key, Left: left})
	}
	return held
}

func scoreOf(v any) (float64, error) { return strconv.ParseFloat(fmt.Sprint(v), 64) }

// merge returns the first calls of all parts.
func merge(parts []part, limit int) []failover.Held {
	var all []failover.Held
	for _, p := range parts {
		all = append(all, p.held...)
	}
	slices.SortFunc(all, func(a, b failover.Held) int {
		// Equally urgent calls by ID, so that simulations repeat.
		return cmp.Or(cmp.Compare(a.Left, b.Left), cmp.Compare(a.CallID, b.CallID),
			cmp.Compare(a.LocalTag, b.LocalTag), cmp.Compare(a.RemoteTag, b.RemoteTag))
	})
	return all[:min(limit, len(all))]
}

// shortOf returns the tags that may have more calls which belong among the first.
func shortOf(parts []part, first []failover.Held, limit int) (tags []int) {
	for tag, p := range parts {
		if !p.rest {
			continue
		}
		if len(first) < limit || len(p.held) == 0 || p.held[len(p.held)-1].Left < first[len(first)-1].Left {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Owner implements failover.Registry.
func (r *Registry) Owner(ctx context.Context, ids []dialogstore.ID) ([]failover.Ownership, error) {
	return do(ctx, r, len(ids), r.each(ownerScript, ids), func(_ int, reply reply) failover.Ownership {
		if len(reply) == 0 {
			return failover.Ownership{}
		}
		return stored.Ownership(reply.text(0), uint64(reply.number(1)))
	})
}

// Read implements failover.Reader.
func (r *Registry) Read(ctx context.Context, ids []dialogstore.ID) ([]failover.Entry, error) {
	return do(ctx, r, len(ids), r.each(readScript, ids), func(i int, reply reply) failover.Entry {
		d, err := stored.Decode(ids[i], []byte(reply.text(2)), []byte(reply.text(3)))
		if err != nil {
			return failover.Entry{}
		}
		return failover.Entry{Epoch: uint64(reply.number(0)), Dialog: d, Age: time.Duration(reply.number(1)) * time.Millisecond}
	})
}

// each is a command for each call.
func (r *Registry) each(s *script, ids []dialogstore.ID) []command {
	commands := make([]command, len(ids))
	for i := range ids {
		id := stored.IDName(ids[i])
		commands[i] = command{s, []string{callKey(r.place(r.tag(id)), id)}, nil}
	}
	return commands
}
