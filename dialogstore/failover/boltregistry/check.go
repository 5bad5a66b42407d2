package boltregistry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// check reads the whole file without changing it.
func check(path string) (err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: not a regular file", ErrForeign)
	case info.Size() == 0:
		return fmt.Errorf("%w: the file is empty", ErrDamaged)
	}
	db, err := open(path, true)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	defer contain(&err, func() {})
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%w: the file has %d bytes, want %d", ErrDamaged, info.Size(), tx.Size())
		}
		return checkAll(tx)
	})
}

// checkAll reads everything.
func checkAll(tx *bbolt.Tx) error {
	about := tx.Bucket(bucketAbout)
	if about == nil {
		return fmt.Errorf("%w: a bbolt database of another program", ErrForeign)
	}
	if got := string(about.Get(keyFormat)); got != format {
		return fmt.Errorf("%w: format %.60q, want %q", ErrForeign, got, format)
	}
	keys := make(map[string]int)
	for _, name := range [][]byte{bucketNodes, bucketCalls, bucketOwned, bucketUntil} {
		b := tx.Bucket(name)
		if b == nil {
			return fmt.Errorf("%w: no bucket %q", ErrDamaged, name)
		}
		err := b.ForEach(func(k, v []byte) error {
			keys[string(name)]++
			if _, err := unseal(v); err != nil || !bytes.Equal(b.Get(k), v) {
				return fmt.Errorf("%w: unreadable value of %s %.100q", ErrDamaged, name, k)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return checkIndexes(tx, keys)
}

// checkIndexes compares the calls with their indexes: a damaged page may have lost keys. Each
// call must be in bucketUntil and, if it has an owner, in bucketOwned.
func checkIndexes(tx *bbolt.Tx, keys map[string]int) error {
	calls, owned := 0, 0
	err := tx.Bucket(bucketCalls).ForEach(func(k, v []byte) error {
		var c callRecord
		value, _ := unseal(v)
		if err := json.Unmarshal(value, &c); err != nil {
			return fmt.Errorf("%w: call %.100q: %w", ErrDamaged, k, err)
		}
		listed := tx.Bucket(bucketUntil).Get([]byte(hex(c.Until)+string(k))) != nil
		if calls++; c.Owner != "" {
			owned++
			listed = listed && tx.Bucket(bucketOwned).Get(c.ownedKey(string(k))) != nil
		}
		if !listed {
			return fmt.Errorf("%w: call %.100q is missing from an index", ErrDamaged, k)
		}
		return nil
	})
	if err == nil && (calls != keys[string(bucketUntil)] || owned != keys[string(bucketOwned)]) {
		err = fmt.Errorf("%w: an index lists calls that do not exist", ErrDamaged)
	}
	return err
}
