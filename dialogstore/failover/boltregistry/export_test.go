package boltregistry

import (
	"time"

	"go.etcd.io/bbolt"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// Advance implements failovertest.Clock.
func (r *Registry) Advance(by time.Duration) { r.ahead.Add(int64(by)) }

// Flush implements failovertest.Flusher.
func (r *Registry) Flush() {
	err := r.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketAbout, bucketNodes, bucketCalls, bucketOwned, bucketUntil} {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
		}
		return initialize(tx)
	})
	if err != nil {
		panic(err)
	}
}

// Len returns how many keys there are.
func (r *Registry) Len() (n int) {
	_ = r.db.View(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketNodes, bucketCalls, bucketOwned, bucketUntil} {
			n += tx.Bucket(name).Stats().KeyN
		}
		return nil
	})
	return n
}

// Spoil makes the stored state of a call one that does not parse.
func (r *Registry) Spoil(id dialogstore.ID) {
	err := r.db.Update(func(tx *bbolt.Tx) error {
		s, name := &state{tx, r.now()}, stored.IDName(id)
		c := s.call(name)
		c.Hot = []byte(`{"format":2}`)
		return s.put(bucketCalls, name, c)
	})
	if err != nil {
		panic(err)
	}
}

// Stall keeps writes waiting, as a disk that hangs does.
func (r *Registry) Stall() (release func()) {
	tx, err := r.db.Begin(true)
	if err != nil {
		panic(err)
	}
	return func() { _ = tx.Rollback() }
}
