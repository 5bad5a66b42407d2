package boltregistry

import (
	"context"
	"encoding/json"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// Beat implements failover.Registry.
func (r *Registry) Beat(ctx context.Context, me failover.Node) (failover.Pulse, error) {
	name := stored.NodeName(me)
	return update(ctx, r, func(s *state) (p failover.Pulse, err error) {
		var n nodeRecord
		s.get(bucketNodes, name, &n)
		n = nodeRecord{Count: n.Count + 1, Buried: n.Buried, Heard: s.now}
		if err := s.put(bucketNodes, name, n); err != nil {
			return p, err
		}
		p.Generation, p.Buried = string(s.Bucket(bucketAbout).Get(keyGeneration)), n.Buried
		p.Nodes, err = s.nodes()
		return p, err
	})
}

// nodes lists the nodes, and removes those that own nothing and were silent for long.
func (s *state) nodes() (all []failover.Beating, err error) {
	var silent [][]byte
	c := s.Bucket(bucketNodes).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		node, err := stored.ParseNode(string(k))
		value, errValue := unseal(v)
		var n nodeRecord
		if err != nil || errValue != nil || json.Unmarshal(value, &n) != nil {
			continue
		}
		if ms(s.now-n.Heard) > failover.KeepSilent && !s.owns(string(k)) {
			silent = append(silent, append([]byte(nil), k...))
			continue
		}
		all = append(all, failover.Beating{Node: node, Count: n.Count, Left: n.Left, Dead: n.Dead})
	}
	for _, k := range silent {
		if err := s.Bucket(bucketNodes).Delete(k); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// owns reports whether a node owns a call.
func (s *state) owns(node string) bool {
	for range s.owned(node) {
		return true
	}
	return false
}

// Leave implements failover.Registry.
func (r *Registry) Leave(ctx context.Context, me failover.Node) error {
	name := stored.NodeName(me)
	_, err := update(ctx, r, func(s *state) (struct{}, error) {
		var n nodeRecord
		s.get(bucketNodes, name, &n)
		n.Left, n.Heard = true, s.now
		return struct{}{}, s.put(bucketNodes, name, n)
	})
	return err
}

// Bury implements failover.Registry.
func (r *Registry) Bury(ctx context.Context, node failover.Node, count uint64) (buried bool, err error) {
	name := stored.NodeName(node)
	return update(ctx, r, func(s *state) (bool, error) {
		var n nodeRecord
		if !s.get(bucketNodes, name, &n) || n.Count != count {
			return false, nil
		}
		if n.Dead {
			return true, nil
		}
		n.Dead, n.Buried = true, n.Buried+1
		return true, s.put(bucketNodes, name, n)
	})
}
