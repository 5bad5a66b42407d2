package boltregistry

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// inState runs f in a transaction on a new file, in which it is the given time.
func inState(t *testing.T, now int64, f func(s *state)) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.Update(func(tx *bbolt.Tx) error {
		if err := initialize(tx); err != nil {
			return err
		}
		f(&state{tx, now})
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// rawPut stores a value as it is, without a checksum of its own.
func (s *state) rawPut(t *testing.T, bucket []byte, key string, value []byte) {
	t.Helper()
	if err := s.Bucket(bucket).Put([]byte(key), value); err != nil {
		t.Fatal(err)
	}
}

// keys returns the keys of a bucket.
func (s *state) keys(bucket []byte) (all []string) {
	c := s.Bucket(bucket).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		all = append(all, string(k))
	}
	return all
}

func TestSeal(t *testing.T) {
	good := seal([]byte("value"))
	if value, err := unseal(good); err != nil || string(value) != "value" {
		t.Errorf("%q is read as %q, %v", good, value, err)
	}
	if value, err := unseal(seal(nil)); err != nil || len(value) != 0 {
		t.Errorf("an empty value is read as %q, %v", value, err)
	}
	for _, bad := range []string{"", "00000000", string(good) + "x", string(good[:len(good)-1]), "0000000g value", strings.Replace(string(good), "value", "Value", 1)} {
		if value, err := unseal([]byte(bad)); !errors.Is(err, errSeal) {
			t.Errorf("%q is read as %q, %v; want an error", bad, value, err)
		}
	}
}

// A key of the index that is not what was written is no call, and neither is one that is
// kept no longer.
func TestHeld(t *testing.T) {
	const now = 5000
	id := dialogstore.ID{CallID: "c", LocalTag: "l", RemoteTag: "r"}
	name := stored.IDName(id)
	s := &state{now: now}
	value := func(until int64) []byte { return seal(fmt.Appendf(nil, "7 %d", until)) }
	for _, c := range []struct {
		what string
		key  string
		v    []byte
		left time.Duration
		kept bool
	}{
		{"with a timer", hex(now+1500) + name, value(9000), 1500 * time.Millisecond, true},
		{"without a timer", never + name, value(9000), failover.NoTimer, true},
		{"late", hex(now-1500) + name, value(9000), -1500 * time.Millisecond, true},
		{"at the end", hex(now) + name, value(now), 0, true},
		{"after the end", hex(now) + name, value(now - 1), 0, false},
		{"without its checksum", hex(now) + name, []byte("7 9000"), 0, false},
		{"without an epoch", hex(now) + name, seal([]byte("x 9000")), 0, false},
		{"without an end", hex(now) + name, seal([]byte("7")), 0, false},
		{"cut short", hex(now)[1:], value(9000), 0, false},
		{"without a call", hex(now), value(9000), 0, false},
		{"with another deadline", "x" + hex(now)[1:] + name, value(9000), 0, false},
		{"of no call", hex(now) + "c", value(9000), 0, false},
	} {
		h, kept := s.held("node\x00", []byte("node\x00"+c.key), c.v)
		if kept != c.kept || kept && (h.Left != c.left || h.ID != id || h.Epoch != 7) {
			t.Errorf("a call %s: %+v, kept %v; want %v left, %v", c.what, h, kept, c.left, c.kept)
		}
	}
}

// How long a call is kept, from its latest write on, and where it is listed.
func TestKeep(t *testing.T) {
	const now = 1_000_000
	for _, c := range []struct {
		what  string
		call  callRecord
		until time.Duration // after now
		owned string        // deadline in the index; empty if it is in none
	}{
		{"with a timer", callRecord{Owner: "a/1", Deadline: now + 60_000}, time.Minute + failover.KeepExpired, hex(now + 60_000)},
		{"without a timer", callRecord{Owner: "a/1"}, failover.KeepUntimed, never},
		{"ended", callRecord{}, failover.KeepDropped, ""},
	} {
		inState(t, now, func(s *state) {
			old := &callRecord{Owner: "b/1", Deadline: now + 1}
			if err := errors.Join(s.keep("call", old, nil), s.keep("call", &c.call, nil)); err != nil { // the old one is found
				t.Error(err)
			}
			want := now + c.until.Milliseconds()
			if got := s.call("call"); got == nil || got.Until != want || got.Owner != c.call.Owner {
				t.Errorf("%s: %+v, want it until %d", c.what, got, want)
			}
			if got, want := s.keys(bucketUntil), []string{hex(want) + "call"}; !slices.Equal(got, want) {
				t.Errorf("%s: kept until %q, want %q", c.what, got, want)
			}
			var owned []string
			if c.owned != "" {
				owned = []string{"a/1\x00" + c.owned + "call"}
			}
			if got := s.keys(bucketOwned); !slices.Equal(got, owned) {
				t.Errorf("%s: owned as %q, want %q", c.what, got, owned)
			}
			for past, there := range map[int64]bool{want: true, want + 1: false} {
				if got := (&state{s.Tx, past}).call("call") != nil; got != there {
					t.Errorf("%s: there at %d: %v", c.what, past, got)
				}
			}
		})
	}
	if got := hex(-1); got != hex(0) {
		t.Errorf("a time before 1970 is %s", got)
	}
}

// What has been kept for long enough is removed, and an entry of the index that is not that
// of its call goes alone.
func TestSweep(t *testing.T) {
	inState(t, 0, func(s *state) {
		for _, name := range []string{"old", "new"} {
			if err := s.keep(name, &callRecord{Owner: "a/1", Deadline: 1}, nil); err != nil {
				t.Fatal(err)
			}
		}
		until := 1 + failover.KeepExpired.Milliseconds()
		stale := []string{"short", hex(3) + "new", hex(4) + "none"}
		for _, key := range stale {
			s.rawPut(t, bucketUntil, key, seal(nil))
		}
		s.now = until
		if err := s.keep("new", &callRecord{Owner: "a/1", Deadline: until}, s.call("new")); err != nil {
			t.Fatal(err)
		}
		if err := s.sweep(); err != nil {
			t.Error(err)
		}
		if got := s.keys(bucketCalls); !slices.Equal(got, []string{"new", "old"}) {
			t.Errorf("%q are left at the end of one, want both", got)
		}
		if got := s.keys(bucketUntil); !slices.Equal(got, []string{hex(until) + "old", hex(until+failover.KeepExpired.Milliseconds()) + "new", "short"}) {
			t.Errorf("%q are left, want one of each call and what is no time", got)
		}
		s.now++
		if err := s.sweep(); err != nil {
			t.Error(err)
		}
		if calls, owned := s.keys(bucketCalls), s.keys(bucketOwned); !slices.Equal(calls, []string{"new"}) || len(owned) != 1 {
			t.Errorf("%q are left, owned as %q; want the new one", calls, owned)
		}
	})
}

// Nodes that were silent for long are forgotten, unless they own a call. What is not a node
// is left out.
func TestSilentNodes(t *testing.T) {
	silent := failover.KeepSilent.Milliseconds()
	inState(t, silent+10, func(s *state) {
		for name, n := range map[string]nodeRecord{"gone/1": {Heard: 9, Count: 1}, "late/1": {Heard: 10, Count: 2}, "owner/1": {Heard: 9, Count: 3, Left: true}, "no": {Heard: 100}, "new/1": {Heard: 100, Count: 4, Dead: true}} {
			if err := s.put(bucketNodes, name, n); err != nil {
				t.Fatal(err)
			}
		}
		s.rawPut(t, bucketNodes, "torn/1", []byte("torn"))
		s.rawPut(t, bucketNodes, "other/1", seal([]byte("torn")))
		if err := s.keep(stored.IDName(dialogstore.ID{CallID: "c"}), &callRecord{Owner: "owner/1", Epoch: 1}, nil); err != nil {
			t.Fatal(err)
		}
		got, err := s.nodes()
		want := []failover.Beating{
			{Node: failover.Node{Name: "late", Run: "1"}, Count: 2},
			{Node: failover.Node{Name: "new", Run: "1"}, Count: 4, Dead: true},
			{Node: failover.Node{Name: "owner", Run: "1"}, Count: 3, Left: true},
		}
		if err != nil || len(got) != 3 {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
		slices.SortFunc(got, func(a, b failover.Beating) int { return strings.Compare(a.Name, b.Name) })
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%+v, want %+v", got[i], want[i])
			}
		}
		if slices.Contains(s.keys(bucketNodes), "gone/1") {
			t.Error("the one that is gone is still there")
		}
	})
}

// Who may write to a call, by its epoch and its owner.
func TestFence(t *testing.T) {
	c := &callRecord{Owner: "a/1", Epoch: 2}
	for _, w := range []struct {
		me     string
		epoch  uint64
		record *callRecord
		may    bool
	}{
		{"b/1", 1, nil, true}, {"a/1", 2, c, true}, {"b/1", 3, c, true}, {"b/1", 2, c, false}, {"a/1", 1, c, false}, {"a/1", 2, &callRecord{Epoch: 2}, false},
	} {
		err := w.record.fence(w.me, dialogstore.ID{CallID: "c"}, w.epoch)
		var fenced *failover.FencedError
		if w.may != (err == nil) || err != nil && (!errors.As(err, &fenced) || fenced.ID.CallID != "c" || fenced.Epoch != 2) {
			t.Errorf("%s in epoch %d, to %+v: %v, want that it may: %v", w.me, w.epoch, w.record, err, w.may)
		}
	}
}

func TestWrap(t *testing.T) {
	full := errors.New("disk full")
	if err := wrap(nil); err != nil {
		t.Errorf("no error is %v", err)
	}
	if err := wrap(bolterrors.ErrDatabaseNotOpen); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed file is %v", err)
	}
	if err := wrap(full); !errors.Is(err, full) || err.Error() != "boltregistry: disk full" {
		t.Errorf("another error is %v", err)
	}
}

// A file is damaged if a call in it is none, or is not where the indexes have it.
func TestCheckAll(t *testing.T) {
	inState(t, 0, func(s *state) {
		if err := s.keep("c/l/r", &callRecord{Owner: "a/1", Epoch: 1}, nil); err != nil {
			t.Fatal(err)
		}
		until := hex(failover.KeepUntimed.Milliseconds()) + "c/l/r"
		owned := "a/1\x00" + never + "c/l/r"
		if err := checkAll(s.Tx); err != nil {
			t.Errorf("a whole one: %v", err)
		}
		for _, c := range []struct {
			bucket []byte
			key    string
			value  []byte // nil to remove it
			want   string
		}{
			{bucketCalls, "c/l/r", seal([]byte("torn")), `call "c/l/r"`},
			{bucketCalls, "c/l/r", []byte("torn"), `value of calls "c/l/r"`},
			{bucketCalls, "c/l/r", nil, "an index lists calls that do not exist"},
			{bucketUntil, until, nil, "is missing from an index"},
			{bucketOwned, owned, nil, "is missing from an index"},
			{bucketUntil, hex(1) + "other", seal(nil), "an index lists calls that do not exist"},
			{bucketOwned, "a/1\x00" + never + "other", seal([]byte("1 1")), "an index lists calls that do not exist"},
			{bucketAbout, string(keyFormat), []byte("later"), `format "later"`},
		} {
			b := s.Bucket(c.bucket)
			was := slices.Clone(b.Get([]byte(c.key)))
			if c.value == nil {
				if err := b.Delete([]byte(c.key)); err != nil {
					t.Fatal(err)
				}
			} else {
				s.rawPut(t, c.bucket, c.key, c.value)
			}
			wrong := ErrDamaged
			if string(c.bucket) == string(bucketAbout) {
				wrong = ErrForeign
			}
			if err := checkAll(s.Tx); !errors.Is(err, wrong) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q of %s is %q: %v, want %v: %s", c.key, c.bucket, c.value, err, wrong, c.want)
			}
			if was == nil {
				if err := b.Delete([]byte(c.key)); err != nil {
					t.Fatal(err)
				}
			} else {
				s.rawPut(t, c.bucket, c.key, was)
			}
		}
		for _, name := range [][]byte{bucketOwned, bucketAbout} {
			if err := s.DeleteBucket(name); err != nil {
				t.Fatal(err)
			}
			if err := checkAll(s.Tx); err == nil || !strings.Contains(err.Error(), map[bool]string{true: "another program", false: "no bucket"}[&name[0] == &bucketAbout[0]]) {
				t.Errorf("without the bucket %s: %v", name, err)
			}
		}
	})
	if err := check(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is whole")
	}
}
