package server

import (
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// E-41, RFC 3261 §8.2.2.3: what the timers answer for the application is refused with 420 if it
// requires what the application has neither listed, nor required itself, nor accepted. Only
// tokens are written back, and none where they would make the response too long.
func TestRefusesExtensions(t *testing.T) {
	for _, c := range []struct {
		name, require string
		unsupported   string // empty for none
		logged        string
		refused       bool
	}{
		{name: "none"},
		{name: "timer", require: "timer"},
		{name: "known ones", require: "listed, required, accepted"},
		{name: "one of them unknown", require: "listed, x-a", unsupported: "x-a", logged: "require=x-a", refused: true},
		{name: "two unknown", require: "x-a, timer, x-b", unsupported: "x-a, x-b", logged: `require="x-a, x-b"`, refused: true},
		{name: "one that is no token", require: "x a, x-b", unsupported: "x-b", logged: `require="x a, x-b"`, refused: true},
		{name: "nothing but that", require: "x a", logged: `require="x a"`, refused: true},
		{name: "too long to be repeated", require: strings.Repeat("x", 1200), logged: "require=xxx", refused: true},
	} {
		d, tx := newDesk(t.Context()), new(keeping)
		var headers []string
		if c.require != "" {
			headers = append(headers, "Require: "+c.require)
		}
		l := &laterRequest{request: request{ServerTransaction: tx, s: d.Server, req: fromPeer(t, "UPDATE", "ours", headers...)}}
		call := dialogstore.Dialog{Origin: dialogstore.Origin{Supported: "listed", Require: "required"}, State: dialogstore.State{Accepted: "accepted"}}
		if got := l.refusesExtensions(call); got != c.refused || (len(tx.sent) == 1) != c.refused {
			t.Errorf("%s: refused %t with %v, want %t", c.name, got, tx.statuses(), c.refused)
			continue
		}
		if !c.refused {
			if d.logs.String() != "" {
				t.Errorf("%s: logged %q", c.name, d.logs)
			}
			continue
		}
		unsupported := ""
		if h := tx.sent[0].GetHeader("Unsupported"); h != nil {
			unsupported = h.Value()
		}
		if tx.sent[0].StatusCode != 420 || tx.sent[0].Reason != "Bad Extension" || unsupported != c.unsupported || unsupported == "" && tx.sent[0].GetHeader("Unsupported") != nil {
			t.Errorf("%s: %d %s, Unsupported: %q; want 420 Bad Extension, %q", c.name, tx.sent[0].StatusCode, tx.sent[0].Reason, unsupported, c.unsupported)
		}
		d.wantLine(t, c.name, "request refused with 420", "level=INFO", "method=UPDATE", c.logged)
	}
}
