package boltregistry_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/boltregistry"
)

// A process that starts under the name of one that was there before finds its calls.
func TestRestart(t *testing.T) {
	path := newFile(t)
	first, second := failover.Node{Name: "pbx", Run: "1"}, failover.Node{Name: "pbx", Run: "2"}
	r := open(t, path)
	before := mustBeat(t, r, first)
	mustPut(t, r, first, calls("call-", 10, 1)...)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Beat(t.Context(), first); !errors.Is(err, boltregistry.ErrClosed) {
		t.Errorf("Beat after Close: %v, want ErrClosed", err)
	}
	r = open(t, path)
	after := mustBeat(t, r, second)
	if after.Generation != before.Generation || len(after.Nodes) != 2 {
		t.Errorf("after a restart there are generation %q and nodes %v, want %q and both", after.Generation, after.Nodes, before.Generation)
	}
	held, err := r.Owned(t.Context(), first, 100)
	if err != nil || len(held) != 10 {
		t.Fatalf("Owned = %d calls, %v, want 10", len(held), err)
	}
	claimed, err := r.Claim(t.Context(), second, first, []failover.Key{held[0].Key})
	if err != nil || claimed[0].Err != nil || claimed[0].Epoch != 2 {
		t.Errorf("Claim = %v, %v, want the call in epoch 2", claimed[0].Err, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v, want it for its owner only", info.Mode(), err)
	}
}

// Nothing stays in the file for ever.
func TestFileEmpties(t *testing.T) {
	r := open(t, newFile(t))
	for i := range 5 {
		mustPut(t, r, alice, calls(fmt.Sprint("call-", i, "-"), 100, 1)...)
	}
	mustBeat(t, r, alice)
	r.Advance(10 * failover.KeepUntimed)
	for range 3 { // a write removes a part
		mustBeat(t, r, bob)
	}
	if n := r.Len(); n != 1 {
		t.Errorf("%d keys are left, want the node that beats", n)
	}
}

// A call that is written again after it has expired leaves nothing of before in the indexes,
// although a write removes only a part of what has expired.
func TestWrittenAgainAfterExpiry(t *testing.T) {
	const many = 500
	r := open(t, newFile(t))
	timed := calls("call-", many, 1)
	for i := range timed {
		timed[i].Dialog.Session = sessiontimer.Session{Interval: time.Hour, Refresher: sessiontimer.Local}
	}
	mustPut(t, r, alice, timed...)
	before := r.Len()
	r.Advance(10 * failover.KeepUntimed)
	mustPut(t, r, alice, timed...)
	for range 3 {
		mustBeat(t, r, alice)
	}
	if n := r.Len() - 1; n != before { // the node
		t.Errorf("%d keys, want %d as at first", n, before)
	}
}

func TestInUse(t *testing.T) {
	path := newFile(t)
	r := open(t, path)
	mustPut(t, r, alice, call("call", 1))
	if _, err := boltregistry.Open(path); !errors.Is(err, boltregistry.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a file in use: %v, want ErrInUse with the path", err)
	}
	mustPut(t, r, alice, call("call", 2))
	var config *sessiontimer.ConfigError
	if _, err := boltregistry.Open(""); !errors.As(err, &config) || config.Option != "Open" || config.Allowed != "the path of a file" {
		t.Errorf("Open without a path: %v, want a *ConfigError", err)
	}
	if _, err := boltregistry.Open(filepath.Join(path, "x")); err == nil {
		t.Error("Open in a directory that is none: no error")
	}
}

// database returns the bytes of a file with calls, and these. Both meta pages know them.
func database(t *testing.T) ([]byte, []failover.Entry) {
	t.Helper()
	path, all := newFile(t), calls("call-", 25, 1)
	r := open(t, path)
	for _, e := range all {
		mustPut(t, r, alice, e)
	}
	mustBeat(t, r, alice)
	mustBeat(t, r, alice)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text, all
}

// refused opens a file with the text, and reports whether that is refused: with one of
// the errors, and without a change of the file. Otherwise it must have all the calls.
func refused(t *testing.T, what string, text []byte, all []failover.Entry) bool {
	t.Helper()
	path := newFile(t)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := boltregistry.Open(path)
	if err == nil {
		defer func() { _ = r.Close() }()
		for i, v := range versions(t, r, all) {
			if v != 1 {
				t.Fatalf("%s: the file is opened without call %d, want it refused", what, i)
			}
		}
		return false
	}
	if !errors.Is(err, boltregistry.ErrDamaged) && !errors.Is(err, boltregistry.ErrForeign) {
		t.Errorf("%s: %v, want ErrDamaged or ErrForeign", what, err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, text) {
		t.Errorf("%s: the file that was refused has changed, %v", what, err)
	}
	if left, _ := filepath.Glob(path + "?*"); len(left) > 0 {
		t.Errorf("%s: there are further files: %v", what, left)
	}
	return true
}

func TestTornFile(t *testing.T) {
	text, all := database(t)
	page := os.Getpagesize()
	if refused(t, "whole", text, all) {
		t.Fatal("the whole file is refused")
	}
	for _, size := range []int{0, 1, 16, 100, page - 1, page, page + 1, 2 * page, 2*page + 100, 4 * page, 5*page + 7} {
		if !refused(t, fmt.Sprintf("%d of %d bytes", size, len(text)), text[:size], all) {
			t.Errorf("a file of %d of %d bytes is opened", size, len(text))
		}
	}
	path := newFile(t)
	if err := os.WriteFile(path, text[:4*page], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := boltregistry.Open(path); err == nil || !strings.Contains(err.Error(), fmt.Sprint("the file has ", 4*page, " bytes, want ")) {
		t.Errorf("%v, want the reason that the file is too short", err)
	}
	for size := len(text) - page; size > 0; size -= 3 * page {
		refused(t, fmt.Sprintf("%d of %d bytes", size, len(text)), text[:size], all)
	}
}

// Each page in turn has zeros, other bytes, or one bit that has flipped. A page that is
// not in use does not matter.
func TestDamagedPages(t *testing.T) {
	text, all := database(t)
	page := os.Getpagesize()
	n := 0
	for at := 0; at+page <= len(text); at += page {
		for what, damage := range map[string]func(b []byte){
			"zeros":       func(b []byte) { clear(b) },
			"other bytes": func(b []byte) { copy(b, bytes.Repeat([]byte{0xa5, 0x17, 0xff, 3}, len(b)/4)) },
			"torn":        func(b []byte) { clear(b[len(b)/2:]) },
			"a bit":       func(b []byte) { b[len(b)/3] ^= 4 },
			"a header":    func(b []byte) { b[8] ^= 0x11; b[12] ^= 0x40 },
			"a key fewer": func(b []byte) { b[10] = max(b[10], 1) - 1 },
		} {
			damaged := bytes.Clone(text)
			damage(damaged[at : at+page])
			if refused(t, fmt.Sprintf("%s in page %d", what, at/page), damaged, all) {
				n++
			}
		}
	}
	if n < 20 {
		t.Errorf("%d damaged files are refused, want more", n)
	}
}

func TestForeignFile(t *testing.T) {
	other := newFile(t)
	db, err := bbolt.Open(other, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("users")); return err }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	database2, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	mine, _ := database(t)
	for what, text := range map[string][]byte{
		"text":             []byte("A letter.\n"),
		"a long text":      bytes.Repeat([]byte("A letter.\n"), 10000),
		"another database": append([]byte("SQLite format 3\x00"), make([]byte, 64<<10)...),
		"another bbolt":    database2,
		"a later format":   bytes.ReplaceAll(mine, []byte("sessiontimer failover 1"), []byte("sessiontimer failover 2")),
	} {
		path := newFile(t)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := boltregistry.Open(path); !errors.Is(err, boltregistry.ErrForeign) {
			t.Errorf("%s: %v, want ErrForeign", what, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, text) {
			t.Errorf("%s: the file has changed, %v", what, err)
		}
	}
	if _, err := boltregistry.Open(t.TempDir()); !errors.Is(err, boltregistry.ErrForeign) {
		t.Errorf("a directory: %v, want ErrForeign", err)
	}
}

// What is left of a creation that was killed is removed, and nothing else.
func TestUnfinishedCreation(t *testing.T) {
	path := newFile(t)
	for _, name := range []string{path + ".new-123", path + ".old", path + "x.new-1"} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, path)
	names, _ := filepath.Glob(path + "*")
	if len(names) != 3 {
		t.Errorf("there are %v, want all but the unfinished file", names)
	}
}

// A state that does not parse costs that call alone.
func TestCorruptState(t *testing.T) {
	r := open(t, newFile(t))
	mustPut(t, r, alice, calls("call-", 2, 1)...)
	r.Spoil(calls("call-", 1, 1)[0].Dialog.ID)
	c, err := r.Claim(t.Context(), bob, alice, keysOf(calls("call-", 2, 1)))
	var corrupt *failover.CorruptError
	if err != nil || !errors.As(c[0].Err, &corrupt) || c[0].Epoch != 2 || c[1].Err != nil {
		t.Fatalf("Claim = %v and %v, %v, want a *CorruptError and the other call", c[0].Err, c[1].Err, err)
	}
	if errs, err := r.Drop(t.Context(), bob, []failover.Key{c[0].Key()}); err != nil || errs[0] != nil {
		t.Errorf("Drop = %v, %v, want no error", errs, err)
	}
	if read, err := r.Read(t.Context(), []dialogstore.ID{c[0].Dialog.ID}); err != nil || read[0].Epoch != 0 {
		t.Errorf("Read = epoch %d, %v, want nothing", read[0].Epoch, err)
	}
}
