//go:build unix

package boltregistry_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/boltregistry"
)

const (
	writers    = 4
	callsEach  = 20
	writerPath = "BOLTREGISTRY_TEST_WRITER" // the file, in the process that is killed
	writerFrom = "BOLTREGISTRY_TEST_FROM"   // its first version
)

func TestMain(m *testing.M) {
	if path := os.Getenv(writerPath); path != "" {
		write(path)
		return
	}
	os.Exit(m.Run())
}

// write writes newer and newer states of calls until the process is killed, and prints
// what is stored when a method has returned.
func write(path string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error", 0, 0, err)
			os.Exit(1)
		}
	}
	r, err := boltregistry.Open(path)
	fail(err)
	from, err := strconv.ParseUint(os.Getenv(writerFrom), 10, 64)
	fail(err)
	ctx, end := context.WithTimeout(context.Background(), time.Minute) // should nobody kill it
	defer end()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for version := from; ctx.Err() == nil; version++ {
				errs, err := r.Put(ctx, alice, calls(fmt.Sprint(w, "-"), callsEach, version))
				fail(errors.Join(append(errs, err)...))
				fmt.Println("put", w, version)
				ended := call(ended(w, version), 1)
				errs, err = r.Put(ctx, alice, []failover.Entry{ended})
				fail(errors.Join(append(errs, err)...))
				errs, err = r.Drop(ctx, alice, []failover.Key{ended.Key()})
				fail(errors.Join(append(errs, err)...))
				fmt.Println("drop", w, version)
			}
		})
	}
	all.Wait()
}

func ended(w int, version uint64) string { return fmt.Sprint("ended-", w, "-", version) }

// A process is killed with SIGKILL in the middle of commits, again and again. Nothing that
// a method has returned for is lost, and the file is never damaged.
func TestKilled(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	path, from := newFile(t), uint64(1)
	commits := 0
	for round := range rounds {
		puts, drops := killed(t, path, from, 1+rand.IntN(25))
		r, err := boltregistry.Open(path)
		if err != nil {
			t.Fatalf("kill number %d: %v", round+1, err)
		}
		for w := range writers {
			for i, version := range versions(t, r, calls(fmt.Sprint(w, "-"), callsEach, 1)) {
				if version < puts[w] {
					t.Errorf("kill number %d: of call %d-%d version %d is stored, although Put has returned for %d", round+1, w, i, version, puts[w])
				}
				from = max(from, version+1)
			}
			dropped := call(ended(w, drops[w]), 1)
			owners, err := r.Owner(t.Context(), idsOf([]failover.Entry{dropped}))
			if want := (failover.Ownership{Epoch: 1}); err != nil || drops[w] > 0 && owners[0] != want {
				t.Errorf("kill number %d: a call for which Drop has returned has owner %v, %v, want none", round+1, owners, err)
			}
			commits += int(puts[w])
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if commits == 0 {
		t.Error("no process has stored anything before it was killed")
	}
}

// killed runs a process that writes, and kills it after so many lines. It returns the
// newest versions that are stored for certain.
func killed(t *testing.T, path string, from uint64, lines int) (puts, drops [writers]uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerPath+"="+path, writerFrom+"="+strconv.FormatUint(from, 10))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for scanner, n := bufio.NewScanner(out), 1; scanner.Scan(); n++ {
		var what string
		var w int
		var version uint64
		if _, err := fmt.Sscan(scanner.Text(), &what, &w, &version); err != nil || what == "error" {
			_ = cmd.Process.Kill()
			t.Errorf("the process prints %q", scanner.Text())
		}
		switch what {
		case "put":
			puts[w] = version
		case "drop":
			drops[w] = version
		}
		if n == lines {
			_ = cmd.Process.Kill() // what it has printed by now is read still
		}
	}
	_ = cmd.Wait()
	return puts, drops
}
