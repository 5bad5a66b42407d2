package ownership

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// eligible returns the keys of the calls that WithEligible allows this node to serve. Calls
// of its earlier runs are always allowed.
func (c *claimer) eligible(e *estate, keys []failover.Key) ([]failover.Key, error) {
	may := c.cfg.Settings.Eligible
	if may == nil || e.how == Earlier {
		return keys, nil
	}
	var left []failover.Key
	for len(keys) > 0 {
		batch := keys[:min(len(keys), claimBatch)]
		keys = keys[len(batch):]
		entries, err := c.read(batch)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			if entries[i].Epoch == batch[i].Epoch && c.mayServe(may, entries[i].Dialog) {
				left = append(left, batch[i])
			}
		}
	}
	return left, nil
}

func (c *claimer) read(keys []failover.Key) ([]failover.Entry, error) {
	ids := idsOf(keys)
	return askAll(c.alive, c.Node, len(ids), func(ctx context.Context) ([]failover.Entry, error) {
		return c.cfg.Registry.(failover.Reader).Read(ctx, ids)
	})
}

func (c *claimer) mayServe(may func(dialogstore.Dialog) bool, d dialogstore.Dialog) (yes bool) {
	defer c.contain(d.ID)
	return may(d)
}
