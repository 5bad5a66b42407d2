package redisregistry_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
	"github.com/sipgo-contrib/sessiontimer/internal/freeport"
)

// server is a redis-server of a test, on a free port of loopback and in a directory of its
// own. It ends with the test.
type server struct {
	t    testing.TB
	addr string
	file string // of its configuration; empty without
	args []string
	cmd  *exec.Cmd
	done chan struct{}
}

func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed; see .ci/redis")
		}
		t.Skip("redis-server is not installed: apt-get install redis-server")
	}
	return startServerWith(t, "", args...)
}

// startServerWith starts one that is configured by a file.
func startServerWith(t testing.TB, file string, args ...string) *server {
	t.Helper()
	s := &server{t: t, file: file, args: append([]string{"--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no"}, args...)}
	t.Cleanup(s.kill)
	for range 5 { // somebody else may be faster to use a free port
		s.addr = freeport.Addr(t)
		if s.start() {
			return s
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

// start starts the server, at its address, and reports whether it accepts connections.
func (s *server) start(args ...string) bool {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	args = append(append([]string{"--port", port}, s.args...), args...)
	if s.file != "" {
		args = append([]string{s.file}, args...)
	}
	cmd := exec.Command("redis-server", args...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	s.cmd, s.done = cmd, done
	started := false
	eventually(s.t, "redis-server starts or ends", func() bool {
		select {
		case <-done:
			return true
		default:
		}
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = c.Close()
			started = true
		}
		return started
	})
	return started
}

// kill ends the server as a crash does.
func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.done
		s.cmd = nil
	}
}

func (s *server) port() int {
	_, port, _ := net.SplitHostPort(s.addr)
	n, _ := strconv.Atoi(port)
	return n
}

// client returns a client of the server for the test's own commands.
func (s *server) client() *redis.Client {
	return closed(s.t, redis.NewClient(&redis.Options{Addr: s.addr, ReadTimeout: 20 * time.Second}))
}

// registry returns a Registry on the server.
func (s *server) registry(opts ...redisregistry.Option) *redisregistry.Registry {
	s.t.Helper()
	return registry(s.t, s.client(), opts...)
}

// do sends a command that must succeed.
func (s *server) do(args ...any) any {
	s.t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.addr})
	defer func() { _ = c.Close() }()
	v, err := c.Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return v
}

func closed[C interface{ Close() error }](t testing.TB, client C) C {
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// eventually waits for another process.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("after a minute it is still not so: %s", what)
		}
	}
}

func (s *server) String() string { return fmt.Sprintf("redis-server at %s", s.addr) }
