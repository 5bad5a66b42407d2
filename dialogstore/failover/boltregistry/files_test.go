//go:build unix

package boltregistry_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/boltregistry"
)

// A creation that fails leaves nothing behind.
func TestFailedCreation(t *testing.T) {
	path := newFile(t)
	if err := os.Symlink(filepath.Join(t.TempDir(), "none"), path); err != nil {
		t.Fatal(err)
	}
	if r, err := boltregistry.Open(path); !errors.Is(err, os.ErrExist) || r != nil {
		t.Errorf("Open of a link to nothing: %v, want that the name is taken", err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v are left, %v; want the link alone", left, err)
	}
}

// A file that is refused is not kept locked: it is refused again for the same reason, and
// whoever repairs it may lock it. The panics of bbolt are among the reasons.
func TestRefusedIsReleased(t *testing.T) {
	text, _ := database(t)
	page := os.Getpagesize()
	for at := 0; at+page <= len(text); at += page {
		damaged := slices.Clone(text)
		clear(damaged[at : at+page])
		path := newFile(t)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := boltregistry.Open(path)
		if err == nil { // the page is not in use
			_ = r.Close()
			continue
		}
		if _, again := boltregistry.Open(path); again == nil || again.Error() != err.Error() {
			t.Errorf("with page %d empty: %v, and the next time %v", at/page, err, again)
		}
		file, errFile := os.Open(path)
		if errFile != nil {
			t.Fatal(errFile)
		}
		if locked := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); locked != nil {
			t.Errorf("with page %d empty, after %v, the file is still locked: %v", at/page, err, locked)
		}
		_ = file.Close()
	}
}

// What a caller does with its keys after it has given up changes nothing of what it asked
// for.
func TestKeysAreCopied(t *testing.T) {
	r := open(t, newFile(t))
	all := calls("call-", 3, 1)
	mustPut(t, r, alice, all...)
	givenUp := func(write func(ctx context.Context) error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := write(ctx); err != context.DeadlineExceeded {
			t.Errorf("while writes wait: %v, want the error of the context", err)
		}
	}
	var got []failover.Ownership
	want := []failover.Ownership{{Epoch: 1}, {Owner: bob, Epoch: 2}, {Owner: alice, Epoch: 1}}
	for !slices.Equal(got, want) { // again where a slow machine gave up too early; or the test ends by its timeout
		dropped, claimed := keysOf(all[:1]), keysOf(all[1:2])
		release := r.Stall()
		givenUp(func(ctx context.Context) error { _, err := r.Drop(ctx, alice, dropped); return err })
		givenUp(func(ctx context.Context) error { _, err := r.Claim(ctx, bob, alice, claimed); return err })
		dropped[0], claimed[0] = all[2].Key(), all[2].Key()
		release()
		mustBeat(t, r, alice)
		var err error
		if got, err = r.Owner(t.Context(), idsOf(all)); err != nil {
			t.Fatal(err)
		}
		if got[2] != want[2] {
			t.Fatalf("a call that nobody asked for is owned as %+v", got[2])
		}
	}
}
