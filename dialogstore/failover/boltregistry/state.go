package boltregistry

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// The buckets. Values begin with a checksum; see seal. Times are milliseconds since 1970,
// as 16 hexadecimal digits where they are in keys.
var (
	bucketAbout = []byte("about") // format and generation
	bucketNodes = []byte("nodes") // node: nodeRecord
	bucketCalls = []byte("calls") // call: callRecord
	bucketOwned = []byte("owned") // node, NUL, deadline, call: epoch and until
	bucketUntil = []byte("until") // until, call: nothing

	keyFormat     = []byte("format")
	keyGeneration = []byte("generation")
)

// format changes when an earlier version must not read the file.
const format = "sessiontimer failover 1"

// callRecord is a call, or one that was dropped.
type callRecord struct {
	Owner    string          `json:"owner"` // empty if it has ended
	Epoch    uint64          `json:"epoch"`
	Version  uint64          `json:"version"`           // of the last Put in this epoch; 0 after a claim
	Since    int64           `json:"since,omitzero"`    // beginning of the session
	Deadline int64           `json:"deadline,omitzero"` // 0 without a timer
	Until    int64           `json:"until"`             // it is kept
	Hot      json.RawMessage `json:"hot,omitempty"`
	Cold     json.RawMessage `json:"cold,omitempty"`
}

// nodeRecord is a node.
type nodeRecord struct {
	Count  uint64 `json:"count"`
	Buried uint64 `json:"buried,omitzero"`
	Left   bool   `json:"left,omitzero"`
	Dead   bool   `json:"dead,omitzero"`
	Heard  int64  `json:"heard"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sealSize = len("00000000 ")

// seal puts a checksum before a value: bbolt's pages have none.
func seal(value []byte) []byte {
	return fmt.Appendf(nil, "%08x %s", crc32.Checksum(value, castagnoli), value)
}

var errSeal = errors.New("wrong checksum")

func unseal(sealed []byte) (value []byte, err error) {
	if len(sealed) < sealSize {
		return nil, errSeal
	}
	value = sealed[sealSize:]
	sum, err := strconv.ParseUint(string(sealed[:sealSize-1]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(value, castagnoli) {
		return nil, errSeal
	}
	return value, nil
}

// state is the contents of the file as seen in one transaction.
type state struct {
	*bbolt.Tx
	now int64
}

// get reads a value. A value with a wrong checksum counts as missing.
func (s *state) get(bucket []byte, key string, v any) (found bool) {
	sealed := s.Bucket(bucket).Get([]byte(key))
	if sealed == nil {
		return false
	}
	value, err := unseal(sealed)
	return err == nil && json.Unmarshal(value, v) == nil
}

func (s *state) put(bucket []byte, key string, v any) error {
	value, err := stored.Marshal(v)
	if err != nil {
		return err
	}
	return s.Bucket(bucket).Put([]byte(key), seal(value))
}

// call returns a call, nil if there is none.
func (s *state) call(name string) *callRecord {
	c := new(callRecord)
	if !s.get(bucketCalls, name, c) || s.now > c.Until {
		return nil
	}
	return c
}

// keep stores a call in place of old, which is nil if there was none, and restarts the
// time for which it is kept.
func (s *state) keep(name string, c, old *callRecord) error {
	switch {
	case c.Owner == "":
		c.Until = s.now + failover.KeepDropped.Milliseconds()
	case c.Deadline != 0:
		c.Until = c.Deadline + failover.KeepExpired.Milliseconds()
	default:
		c.Until = s.now + failover.KeepUntimed.Milliseconds()
	}
	if old == nil { // expired, and not swept yet
		old = new(callRecord)
		if !s.get(bucketCalls, name, old) {
			old = nil
		}
	}
	if err := s.unlist(name, old); err != nil {
		return err
	}
	if err := s.put(bucketCalls, name, c); err != nil {
		return err
	}
	if err := s.Bucket(bucketUntil).Put([]byte(hex(c.Until)+name), seal(nil)); err != nil || c.Owner == "" {
		return err
	}
	value := strconv.FormatUint(c.Epoch, 10) + " " + strconv.FormatInt(c.Until, 10)
	return s.Bucket(bucketOwned).Put(c.ownedKey(name), seal([]byte(value)))
}

// unlist removes a call from the indexes.
func (s *state) unlist(name string, c *callRecord) error {
	if c == nil {
		return nil
	}
	return errors.Join(s.Bucket(bucketUntil).Delete([]byte(hex(c.Until)+name)), s.Bucket(bucketOwned).Delete(c.ownedKey(name)))
}

func hex(ms int64) string { return fmt.Sprintf("%016x", uint64(max(0, ms))) }

const hexSize = 16

// never is the deadline of calls without a timer in keys: it sorts after all others.
const never = "ffffffffffffffff"

func (c *callRecord) ownedKey(name string) []byte {
	deadline := never
	if c.Deadline != 0 {
		deadline = hex(c.Deadline)
	}
	return []byte(ownedPrefix(c.Owner) + deadline + name)
}

func ownedPrefix(node string) string { return node + "\x00" }

// held reads an entry of the index of a node. It reports whether the call is still kept.
func (s *state) held(prefix string, k, v []byte) (h failover.Held, kept bool) {
	rest := strings.TrimPrefix(string(k), prefix)
	value, err := unseal(v)
	if err != nil || len(rest) < hexSize {
		return h, false
	}
	var until int64
	if _, err := fmt.Sscanf(string(value), "%d %d", &h.Epoch, &until); err != nil || s.now > until {
		return h, false
	}
	h.Left = failover.NoTimer
	if rest[:hexSize] != never {
		deadline, err := strconv.ParseInt(rest[:hexSize], 16, 64)
		if err != nil {
			return h, false
		}
		h.Left = ms(deadline - s.now)
	}
	h.ID, err = stored.ParseID(rest[hexSize:])
	return h, err == nil
}

// sweptAtOnce bounds what one transaction removes.
const sweptAtOnce = 200

// sweep removes calls that have been kept for long enough.
func (s *state) sweep() error {
	c := s.Bucket(bucketUntil).Cursor()
	var expired []string
	for k, _ := c.First(); k != nil && len(expired) < sweptAtOnce && string(k[:min(len(k), hexSize)]) < hex(s.now); k, _ = c.Next() {
		expired = append(expired, string(k))
	}
	for _, key := range expired {
		name := key[min(len(key), hexSize):]
		old := new(callRecord)
		if s.get(bucketCalls, name, old) && hex(old.Until)+name == key {
			if err := errors.Join(s.unlist(name, old), s.Bucket(bucketCalls).Delete([]byte(name))); err != nil {
				return err
			}
		} else if err := s.Bucket(bucketUntil).Delete([]byte(key)); err != nil {
			return err
		}
	}
	return nil
}

// fence returns a *FencedError if me must not write to c, which is nil for a missing call.
func (c *callRecord) fence(me string, id dialogstore.ID, epoch uint64) error {
	if c == nil || epoch > c.Epoch || epoch == c.Epoch && me == c.Owner {
		return nil
	}
	return &failover.FencedError{ID: id, Ownership: stored.Ownership(c.Owner, c.Epoch)}
}
