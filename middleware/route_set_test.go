package middleware_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

// Two proxies between the user agent under test and the peer; near is the one
// next to it.
const (
	nearAddr = "10.0.0.7:5060"
	farAddr  = "10.0.0.8:5060"
	target   = "sip:peer@10.0.0.9:5060"
)

type routing struct {
	name, near, far string   // as they record themselves
	uri             string   // of requests to the peer
	route           []string // of the same
}

// routes are the route sets that the proxies can make, seen from the user agent
// under test.
var routes = []routing{
	{"loose", "<sip:10.0.0.7:5060;lr>", "<sip:10.0.0.8:5060;lr>", target,
		[]string{"<sip:10.0.0.7:5060;lr>", "<sip:10.0.0.8:5060;lr>"}},
	{"strict", "<sip:10.0.0.7:5060>", "<sip:10.0.0.8:5060>", "sip:10.0.0.7:5060",
		[]string{"<sip:10.0.0.8:5060>", "<" + target + ">"}},
	{"loose, then strict", "<sip:10.0.0.7:5060;lr>", "<sip:10.0.0.8:5060>", target,
		[]string{"<sip:10.0.0.7:5060;lr>", "<sip:10.0.0.8:5060>"}},
	{"strict, then loose", "<sip:10.0.0.7:5060>", "<sip:10.0.0.8:5060;lr>", "sip:10.0.0.7:5060",
		[]string{"<sip:10.0.0.8:5060;lr>", "<" + target + ">"}},
}

// D-16, J-14: refreshes, the ACK of one and the BYE at the end go through the
// proxies that recorded themselves at first, whatever a later message records.
func TestRouteSet(t *testing.T) {
	for _, way := range routes {
		for _, caller := range []bool{true, false} {
			for _, r := range refreshes {
				name := "D-16 " + way.name + ", callee, " + string(r.method)
				if caller {
					name = "D-16 " + way.name + ", caller, " + string(r.method)
				}
				t.Run(name, func(t *testing.T) {
					inLab(t, func(l *lab) { l.throughProxies(way, caller, r.method, r.allow) })
				})
			}
		}
	}
}

// wantRoute checks where a request goes.
func (l *lab) wantRoute(req *sip.Request, uri string, route []string) {
	l.Helper()
	if got := req.Recipient.String(); got != uri {
		l.Errorf("%s has Request-URI %s, want %s", req.Method, got, uri)
	}
	if diff := cmp.Diff(route, values(req, "Route")); diff != "" {
		l.Errorf("Route of %s (-want +got):\n%s", req.Method, diff)
	}
}

func (l *lab) throughProxies(way routing, caller bool, method sip.RequestMethod, allow string) {
	near, far := l.net.Peer(nearAddr), l.net.Peer(farAddr)
	us, p := l.routedCall(caller, far, way, allow)
	if caller {
		near.ExpectRequest(l, sip.ACK) // the application's
	}
	const other = "Record-Route: <sip:10.0.0.66:5060;lr>"
	for _, at := range []time.Duration{900, 1800} {
		l.at(at * time.Second)
		req := near.ExpectRequest(l, method)
		l.wantRoute(req, way.uri, way.route)
		if got := field(req, "Max-Forwards"); got != "70" {
			l.Errorf("a refresh has Max-Forwards %q, want 70", got)
		}
		near.Reply(req, 200, "OK", ours, "Contact: <"+target+">", other)
		if method == sip.INVITE {
			ack := near.ExpectRequest(l, sip.ACK) // D-24
			l.wantRoute(ack, way.uri, way.route)
		}
		synctest.Wait()
	}

	// J-14, E-30: a request of the peer changes the target, but not the route.
	l.at(2000 * time.Second)
	p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uas", "Contact: <sip:peer@10.0.0.9:6000>", other)
	if caller { // whose INVITE recorded nothing for the peer
		wantStatus(l, p, "the peer's UPDATE", 200)
	} else {
		pass(far, us)
		wantStatus(l, far, "the peer's UPDATE", 200)
	}
	uri, route := way.uri, slices.Clone(way.route)
	if uri == target {
		uri = "sip:peer@10.0.0.9:6000"
	} else {
		route[len(route)-1] = "<sip:peer@10.0.0.9:6000>"
	}
	l.at(2900 * time.Second)
	req := near.ExpectRequest(l, method)
	l.wantRoute(req, uri, route)
	near.Reply(req, 481, "Gone")
	if method == sip.INVITE {
		near.ExpectRequest(l, sip.ACK)
	}
	bye := near.ExpectRequest(l, sip.BYE)
	l.wantRoute(bye, uri, route)
	near.Reply(bye, 481, "Gone")
	l.wantNothingLeft(us)
}

// routedCall is a call of a user agent, as caller or callee, and the scripted
// peer behind two proxies; the user agent refreshes it.
func (l *lab) routedCall(caller bool, proxy *sipnet.Peer, way routing, allow string) (*sipua.UA, *sipnet.Peer) {
	l.Helper()
	p := l.peer()
	if !caller {
		bob := l.bob()
		p.Invite(bob.Addr, timerHeader, allow, "Session-Expires: 1800;refresher=uas",
			"Record-Route: "+way.near, "Record-Route: "+way.far, "Contact: <"+target+">")
		p.Ack(p.ExpectResponse(l, 200))
		pass(proxy, bob)
		return bob, p
	}
	alice := l.alice()
	done := make(chan error, 1)
	go func() {
		_, err := alice.Try(&sipua.UA{Addr: peerAddr})
		done <- err
	}()
	p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours, allow, "Record-Route: "+way.far+", "+way.near, "Contact: <"+target+">")
	if err := <-done; err != nil {
		l.Fatalf("the call fails: %v", err)
	}
	synctest.Wait()
	return alice, p
}

// pass sends a request of the peer to u through the far proxy, which gets the answer.
func pass(far *sipnet.Peer, u *sipua.UA) {
	if msg, ok := far.RecvAny(time.Second); ok {
		far.Send(u.Addr, msg.String())
	}
	synctest.Wait()
}

// values returns the values of all header fields of a name.
func values(m sip.Message, name string) []string {
	var out []string
	for _, h := range m.GetHeaders(name) {
		out = append(out, h.Value())
	}
	return out
}
