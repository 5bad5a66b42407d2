package redisregistry

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// tag returns the hash tag of a call. It depends on the ID alone, so that all nodes find
// the call.
func (r *Registry) tag(idName string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(idName))
	return int(h.Sum32() % uint32(r.opts.tags))
}

// place is where the keys of a tag are: in one slot of a cluster.
func (r *Registry) place(tag int) string { return r.opts.prefix + "{" + strconv.Itoa(tag) + "}:" }

func (r *Registry) nodesKey() string { return r.opts.prefix + "nodes" }

func callKey(place, idName string) string { return place + "call:" + idName }

// indexes is the prefix of the indexes in a place.
func indexes(place string) string { return place + "owned:" }

// nodeField is the field of a node in the hash of the nodes.
const nodeField = "node:"

// parseMember reads an entry of an index: epoch/id.
func parseMember(member string) (k failover.Key, err error) {
	epoch, name, _ := strings.Cut(member, "/")
	if k.Epoch, err = strconv.ParseUint(epoch, 10, 64); err != nil {
		return k, err
	}
	k.ID, err = stored.ParseID(name)
	return k, err
}
