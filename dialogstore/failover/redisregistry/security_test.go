package redisregistry_test

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// spoiled are ways in which somebody who can write to Redis may change a call: what to
// replace in its two objects, and by what. The log has at most 20 lines of a kind in a second.
var spoiled = map[string][2]string{
	"torn":                 {`,"version"`, ``},
	"later-format":         {`"format":1`, `"format":2`},
	"no-version":           {`"version":1`, `"version":0`},
	"unknown-refresher":    {`"refresher":"local"`, `"refresher":"both"`},
	"negative-interval":    {`"interval":"30m0s"`, `"interval":"-30m0s"`},
	"endless-interval":     {`"interval":"30m0s"`, `"interval":"2000000h0m0s"`},
	"no-target":            {`"remote_target":"sip:peer@10.0.0.2:5060"`, `"remote_target":""`},
	"target-without-uri":   {`"remote_target":"sip:peer@10.0.0.2:5060"`, `"remote_target":"peer at 10.0.0.2"`},
	"header-in-target":     {`"remote_target":"sip:peer@10.0.0.2:5060"`, `"remote_target":"sip:peer@10.0.0.2:5060\r\nX: y"`},
	"header-in-from":       {`"local_uri":"<`, `"local_uri":"\r\nX: y\r\nFrom: <`},
	"from-without-uri":     {`"local_uri":"<sip:answer@example.com>`, `"local_uri":"<>`},
	"contact-without-uri":  {`"contact":"<sip:`, `"contact":"<`},
	"many-routes":          {`"transport"`, `"route_set":[` + strings.Repeat(`"<sip:10.0.0.9;lr>",`, 70) + `"<sip:10.0.0.9;lr>"],"transport"`},
	"route-without-uri":    {`"transport"`, `"route_set":["x"],"transport"`},
	"long-contact":         {`"contact":"<sip:`, `"contact":"<sip:` + strings.Repeat("a", 20_000)},
	"long-description":     {`"sdp":"v=0`, `"sdp":"` + strings.Repeat("a", 70_000)},
	"description-no-text":  {`"sdp":"v=0`, `"sdp":7,"y":"`},
	"policy-without-units": {`"session_expires":"30m0s"`, `"session_expires":1800`},
}

// A node takes over what a dead one had. Each value that does not parse or breaks a bound
// is refused, reported once and removed, and nothing is sent in its call. The one call that
// is as it was goes on.
func TestSpoiledCalls(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := newMini(t)
		entries := []failover.Entry{{Epoch: 1, Dialog: toPeer("healthy")}}
		for name := range spoiled {
			entries = append(entries, failover.Entry{Epoch: 1, Dialog: toPeer(name)})
		}
		mustPut(t, m.Registry, alice, entries...)
		mustBeat(t, m.Registry, alice)
		for name, change := range spoiled {
			m.spoil(t, name, change[0], change[1])
		}

		n, logs := sipnet.New(), new(transcript.Text)
		peer := n.Peer(peerAddr)
		node := sipua.New(t, n, "bob", nodeAddr, "udp", middleware.WithFailover(m.Registry, failover.WithName(bob.Name)),
			middleware.WithLogger(slog.New(slog.NewTextHandler(logs, nil))))
		defer sipua.Stop(n, node)
		time.Sleep(15*time.Minute - time.Second)
		req := peer.ExpectRequest(t, sip.UPDATE)
		peer.Reply(req, 200, "OK", "Require: timer", "Session-Expires: 1800;refresher=uac")
		time.Sleep(time.Minute)
		synctest.Wait()

		if id := req.CallID().Value(); id != "healthy" || len(n.Messages()) != 2 {
			t.Errorf("call %s is refreshed, %d messages in all, want the healthy one and nothing else", id, len(n.Messages()))
		}
		for name := range spoiled {
			if got := len(logs.Lines("call_id=" + name + " ")); got != 1 {
				t.Errorf("%s is in %d lines of the log, want 1\n%s", name, got, logs)
			}
		}
		if s := node.Timers.Stats().Node; s.Kept != 1 || s.Refused != uint64(len(spoiled)) || s.Owned != 1 {
			t.Errorf("%d calls are kept, %d refused, %d owned, want 1, %d and 1", s.Kept, s.Refused, s.Owned, len(spoiled))
		}
		left := slices.DeleteFunc(m.Keys(), func(key string) bool { return !strings.Contains(key, ":call:") })
		if len(left) != 1 || !strings.Contains(left[0], "healthy") {
			t.Errorf("there are still %q, want the healthy call alone", left)
		}
	})
}

// spoil replaces a part of a stored call.
func (m *mini) spoil(t *testing.T, callID, old, by string) {
	t.Helper()
	for _, key := range m.Keys() {
		if !strings.Contains(key, ":call:"+callID+"/") {
			continue
		}
		for _, field := range []string{"hot", "cold"} {
			if text := m.HGet(key, field); strings.Contains(text, old) {
				m.HSet(key, field, strings.Replace(text, old, by, 1))
				return
			}
		}
	}
	t.Fatalf("call %s has no %s", callID, old)
}

// What a node is told in confidence, and what its peer proves itself with, is neither in
// Redis nor in the log.
func TestNoSecretIsStored(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m, n, logs := newMini(t), sipnet.New(), new(transcript.Text)
		peer := n.Peer(peerAddr)
		node := sipua.New(t, n, "bob", nodeAddr, "udp", middleware.WithFailover(m.Registry, failover.WithName(bob.Name)),
			middleware.WithCredentials("example.net", "the-user", "the-password"), middleware.WithCredentialsForIncoming(),
			middleware.WithLogger(slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		defer sipua.Stop(n, node)
		peer.Invite(nodeAddr, "Supported: timer", "Session-Expires: 1800;refresher=uas", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE",
			`Authorization: Digest username="caller", realm="here", nonce="the-nonce", uri="sip:bob@10.0.0.1", response="the-proof"`,
			`Proxy-Authorization: Basic the-proof`)
		peer.Ack(peer.ExpectResponse(t, 200))
		time.Sleep(15*time.Minute - time.Second)
		peer.Reply(peer.ExpectRequest(t, sip.UPDATE), 401, "Unauthorized", `WWW-Authenticate: Digest realm="example.net", nonce="the-nonce"`)
		req := peer.ExpectRequest(t, sip.UPDATE)
		authorization := req.GetHeader("Authorization")
		if authorization == nil {
			t.Fatalf("the challenge is not answered:\n%s", req)
		}
		peer.Reply(req, 200, "OK", "Require: timer", "Session-Expires: 1800;refresher=uac")
		time.Sleep(time.Second)

		_, proof, _ := strings.Cut(authorization.Value(), `response="`)
		proof, _, _ = strings.Cut(proof, `"`)
		written := m.text(t) + logs.String()
		if !strings.Contains(written, `"local_cseq":3`) || !strings.Contains(written, "sip:bob@10.0.0.1") {
			t.Errorf("the refresh is not stored:\n%s", written)
		}
		for _, secret := range []string{"the-user", "the-password", "the-nonce", "the-proof", proof, "Digest"} {
			if strings.Contains(written, secret) {
				t.Errorf("%q is stored or logged:\n%s", secret, written)
			}
		}
	})
}

// text is all that is stored of calls and nodes.
func (m *mini) text(t *testing.T) (text string) {
	for _, key := range m.Keys() {
		text += key + "\n"
		if m.Type(key) == "hash" {
			for field, value := range m.hash(t, key) {
				text += field + " " + value + "\n"
			}
		}
	}
	return text
}

// rights are what a user of Redis needs who is a node and no more. They are in
// docs/failover.md.
const rights = "~sessiontimer:* +eval +evalsha +wait +ping +time +del +hset +hdel +hget +hmget +hgetall +pttl +pexpire +pexpireat " +
	"+zadd +zrem +zcard +zrange +zremrangebyscore"

// A user who may do nothing but what a node does, with its keys alone, is enough.
func TestLeastRights(t *testing.T) {
	s := startServer(t)
	args := []any{"ACL", "SETUSER", "node", "reset", "on", ">secret"}
	for right := range strings.FieldsSeq(rights) {
		args = append(args, right)
	}
	s.do(args...)
	user := func(t testing.TB) *redis.Client {
		return closed(t, redis.NewClient(&redis.Options{Addr: s.addr, Username: "node", Password: "secret"}))
	}
	failovertest.Run(t, func(t *testing.T) failover.Registry {
		flush := func() { s.do("FLUSHALL") }
		flush()
		return flushable{registry(t, user(t)), flush}
	})
	others := map[string][]any{"a key of others": {"SET", "other", "x"}, "a key of others in a script": {"EVAL", "return redis.call('HSET', KEYS[1], 'a', 'b')", 1, "other"},
		"all keys": {"KEYS", "*"}, "the configuration": {"CONFIG", "GET", "*"}, "everything": {"FLUSHALL"}}
	for _, what := range slices.Sorted(maps.Keys(others)) {
		if err := user(t).Do(t.Context(), others[what]...).Err(); err == nil || !strings.Contains(fmt.Sprint(err), "NOPERM") && !strings.Contains(fmt.Sprint(err), "permission") {
			t.Errorf("%s: %v, want it denied", what, err)
		}
	}
}
