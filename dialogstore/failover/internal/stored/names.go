package stored

import (
	"errors"
	"net/url"
	"strings"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Names of nodes and calls are their parts, escaped as in a URL and with slashes between
// them. They stay readable, and have no control character, space or brace.

// NodeName returns the name of a node: NAME/RUN.
func NodeName(n failover.Node) string { return url.PathEscape(n.Name) + "/" + url.PathEscape(n.Run) }

// IDName returns the name of a call: CALL-ID/LOCAL-TAG/REMOTE-TAG.
func IDName(id dialogstore.ID) string {
	return url.PathEscape(id.CallID) + "/" + url.PathEscape(id.LocalTag) + "/" + url.PathEscape(id.RemoteTag)
}

// ErrName is the error for a name that NodeName or IDName cannot have written.
var ErrName = errors.New("invalid name of a node or call")

// ParseNode is the inverse of NodeName.
func ParseNode(name string) (n failover.Node, err error) {
	err = unescape(name, &n.Name, &n.Run)
	return n, err
}

// ParseID is the inverse of IDName.
func ParseID(name string) (id dialogstore.ID, err error) {
	err = unescape(name, &id.CallID, &id.LocalTag, &id.RemoteTag)
	return id, err
}

func unescape(name string, parts ...*string) error {
	escaped := strings.Split(name, "/")
	if len(escaped) != len(parts) {
		return ErrName
	}
	for i := range parts {
		part, err := url.PathUnescape(escaped[i])
		if err != nil {
			return ErrName
		}
		*parts[i] = part
	}
	return nil
}

// Ownership returns who owns a stored call, given the name of its owner, which is empty if
// the call has ended. A name that NodeName cannot have written gives an owner that no node
// is.
func Ownership(owner string, epoch uint64) failover.Ownership {
	o := failover.Ownership{Epoch: epoch}
	if owner == "" {
		return o
	}
	var err error
	if o.Owner, err = ParseNode(owner); err != nil || o.Owner == (failover.Node{}) {
		o.Owner = failover.Node{Name: owner}
	}
	return o
}
