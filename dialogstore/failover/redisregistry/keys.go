package redisregistry

import (
	"errors"
	"hash/fnv"
	"net/url"
	"strconv"
	"strings"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Parts of names are escaped as in a URL, so that they stay readable and none has a brace
// or slash.

func nodeName(n failover.Node) string { return url.PathEscape(n.Name) + "/" + url.PathEscape(n.Run) }

func idName(id dialogstore.ID) string {
	return url.PathEscape(id.CallID) + "/" + url.PathEscape(id.LocalTag) + "/" + url.PathEscape(id.RemoteTag)
}

var errName = errors.New("redisregistry: a name that this version did not write")

func unescape(name string, parts ...*string) error {
	escaped := strings.Split(name, "/")
	if len(escaped) != len(parts) {
		return errName
	}
	for i := range parts {
		part, err := url.PathUnescape(escaped[i])
		if err != nil {
			return errName
		}
		*parts[i] = part
	}
	return nil
}

func parseNode(name string) (n failover.Node, err error) {
	err = unescape(name, &n.Name, &n.Run)
	return n, err
}

// parseMember reads an entry of an index: epoch/id.
func parseMember(member string) (k failover.Key, err error) {
	epoch, name, _ := strings.Cut(member, "/")
	if k.Epoch, err = strconv.ParseUint(epoch, 10, 64); err != nil {
		return k, errName
	}
	err = unescape(name, &k.CallID, &k.LocalTag, &k.RemoteTag)
	return k, err
}

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
