package timerpage_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/inside"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

// A row says who calls whom, who refreshes, what is due next and when all is over.
func TestCalls(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		if v := read[list](l, page, "/calls.json"); v.Total != 0 || v.Calls == nil {
			l.Errorf("without calls: %+v, want an empty list", v)
		}
		l.call(ours, allow)
		l.call(theirs)
		l.at(2 * time.Second) // a survey serves for a second
		v := read[list](l, page, "/calls.json")
		if v.Total != 2 || v.Counts["all"] != 2 || len(v.Calls) != 2 || v.More != 0 {
			l.Fatalf("%+v, want two calls", v)
		}
		we, peer := v.Calls[0], v.Calls[1]
		if we.Refresher != "local" || we.Method != "UPDATE" || we.Next != "UPDATE" || we.Interval != 1800 || we.Condition.Word != "healthy" {
			l.Errorf("the first: %+v, want one that we refresh by UPDATE, with less slack", we)
		}
		if at := we.NextAt.Sub(l.start()).Round(time.Second); at != 900*time.Second || we.Slack < 1760 || we.Slack > 1763 {
			l.Errorf("the next refresh is at %v, slack %v, want 900 s and 35.2 s before the expiry", at, we.Slack)
		}
		if !strings.HasPrefix(we.From, "sip:alice@") && !strings.Contains(we.From, "alice") || we.To != "sip:+4930123456@10.0.0.9" {
			l.Errorf("from %q to %q", we.From, we.To)
		}
		if peer.Refresher != "peer" || peer.Next != "hang up, unless refreshed" {
			l.Errorf("the second: %+v, want one that the peer refreshes", peer)
		}
		if html := get(page, "/call?"+peer.query()).Body.String(); !strings.Contains(html, "<td>the peer’s choice</td>") {
			l.Errorf("the view of the second does not leave the method to the peer:\n%s", html)
		}
	})
}

func (l *lab) start() time.Time { return time.Now().Add(-l.net.Elapsed()) }

// The filters: due within a minute, failed, and peers that should have been heard.
func TestFilters(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		l.call(ours, allow)
		l.call(theirs, allow)
		counts := func(due, failed, silent int) {
			l.Helper()
			for name, want := range map[string]int{"due": due, "failed": failed, "silent": silent, "taken-over": 0} {
				v := read[list](l, page, "/calls.json?filter="+name)
				if v.Counts[name] != want || len(v.Calls) != want {
					l.Errorf("at %v: %d calls are %s, %d listed, want %d", l.net.Elapsed(), v.Counts[name], name, len(v.Calls), want)
				}
			}
		}
		l.at(800 * time.Second)
		counts(0, 0, 0)
		l.at(850 * time.Second)
		counts(1, 0, 0)
		l.at(900 * time.Second)
		l.peer.Reply(l.peer.ExpectRequest(l, sip.UPDATE), 503, "Service Unavailable", "Retry-After: 60")
		l.at(903 * time.Second)
		counts(1, 1, 0)
		v := read[list](l, page, "/calls.json?filter=failed")
		if c := v.Calls[0]; c.Tries != 1 || c.Status != 503 || c.Condition.Word != "failed, 503" || c.Next != "try again" {
			l.Errorf("%+v, want one try that failed with 503", c)
		}
		l.at(963 * time.Second)
		l.peer.Reply(l.peer.ExpectRequest(l, sip.UPDATE), 200, "OK", ours)
		l.at(1100 * time.Second)
		counts(0, 0, 1) // the peer is late, a tenth of the interval behind its half
		if w := get(page, "/calls?filter=other"); w.Code != http.StatusNotFound {
			l.Errorf("an unknown filter: %d, want 404", w.Code)
		}
	})
}

// One call: the milestones of its session, what was asked and agreed, and its events in
// words, which say why a method was taken and why the call ended.
func TestCall(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers, timerpage.WithHistory())
		synctest.Wait()
		l.call(ours, allowInvite, "Record-Route: <sip:10.0.0.9;lr>")
		one := read[list](l, page, "/calls.json").Calls[0].query()
		l.at(900 * time.Second)
		l.peer.Reply(l.peer.ExpectRequest(l, sip.INVITE), 200, "OK", ours, allowInvite)
		l.peer.ExpectRequest(l, sip.ACK)
		synctest.Wait()
		html := get(page, "/call?"+one).Body.String()
		for _, want := range []string{
			"<td>re-INVITE, because the peer&#39;s Allow lacks UPDATE</td>",
			"Refreshed by re-INVITE, because the peer&#39;s Allow lacks UPDATE.",
			"The call began, with a timer of 30 min that we refresh.",
			"sip:10.0.0.9", "last chance for a refresh", "the peer gives up", "expiry",
		} {
			if !strings.Contains(html, want) {
				l.Errorf("the view lacks %q:\n%s", want, html)
			}
		}
		type milestones struct {
			Bar []struct {
				Name string
				At   time.Time
			}
			Wire struct {
				RouteSet []string `json:"route_set"`
			}
		}
		v := read[milestones](l, page, "/call.json?"+one)
		var at []time.Duration
		for _, m := range v.Bar {
			at = append(at, m.At.Sub(v.Bar[0].At).Round(100*time.Millisecond))
		}
		if got, want := fmt.Sprint(at), "[0s 15m0s 29m24.8s 29m28s 30m0s]"; got != want || len(v.Wire.RouteSet) != 1 {
			l.Errorf("milestones at %s, routes %v, want %s and one", got, v.Wire.RouteSet, want)
		}
		l.at(3 * time.Hour) // nobody answers any more
		html = get(page, "/call?"+one).Body.String()
		for _, want := range []string{"This call has ended", "re-INVITE was not answered in time.", "The call ended: its refresh was not answered."} {
			if !strings.Contains(html, want) {
				l.Errorf("the view after the end lacks %q:\n%s", want, html)
			}
		}
		if v := read[list](l, page, "/calls.json"); len(v.Trouble) == 0 || v.Trouble[0].Event != "expired" {
			l.Errorf("trouble: %+v, want the newest first, which is the end of the call", v.Trouble)
		}
	})
}

// However many calls there are, a hundred are listed: those with the least slack.
func TestManyCalls(t *testing.T) {
	inLab(t, func(l *lab) {
		l.call(ours, allow)
		page := timerpage.New(l.alice.Timers)
		store := inside.StoreOf(l.alice.Timers)
		var d dialogstore.Dialog
		for d = range store.All(l.Context()) {
			break
		}
		const many = 1234
		for i := range many {
			d.ID = dialogstore.ID{CallID: fmt.Sprintf("call-%04d", i), LocalTag: "a", RemoteTag: "b"}
			d.Session.Since = l.start().Add(-time.Duration(i*7%many) * 100 * time.Millisecond)
			if err := store.Create(l.Context(), d); err != nil {
				l.Fatal(err)
			}
		}
		v := read[list](l, page, "/calls.json")
		if v.Total != many+1 || v.Counts["all"] != many+1 || len(v.Calls) != 100 || v.More != many+1-100 {
			l.Fatalf("%d calls, %d counted, %d listed, %d more", v.Total, v.Counts["all"], len(v.Calls), v.More)
		}
		for i, c := range v.Calls {
			var n int
			_, _ = fmt.Sscanf(c.CallID, "call-%d", &n)
			if want := many - 1 - i; n*7%many != want {
				l.Fatalf("place %d has %s, want the call that began as number %d from the end", i, c.CallID, i)
			}
		}
		v = read[list](l, page, "/calls.json?search=CALL-10")
		if len(v.Calls) != 100 || v.More != 0 {
			l.Errorf("%d found and %d more, want the hundred from call-1000 on", len(v.Calls), v.More)
		}
		v = read[list](l, page, "/calls.json?search=call-")
		if len(v.Calls) != 100 || v.More != many-100 || v.Calls[0].CallID != fmt.Sprintf("call-%04d", 705) {
			l.Errorf("%d found and %d more, first %s; want a hundred of %d, the one with the least slack first", len(v.Calls), v.More, v.Calls[0].CallID, many)
		}
	})
}

// What peers chose is text and never markup.
func TestEscapes(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		l.call(ours, allow)
		store := inside.StoreOf(l.alice.Timers)
		var d dialogstore.Dialog
		for d = range store.All(l.Context()) {
			break
		}
		const evil = `"><script>alert(1)</script>&call_id=x`
		d.ID = dialogstore.ID{CallID: evil, LocalTag: evil, RemoteTag: evil}
		d.RemoteURI, d.RouteSet, d.PeerSDP = `"`+evil+`" <sip:x@y>`, []string{evil}, []byte(evil)
		if err := store.Create(l.Context(), d); err != nil {
			l.Fatal(err)
		}
		html := get(page, "/").Body.String()
		_, link, _ := strings.Cut(html, `href="call?call_id=%22`)
		link, _, _ = strings.Cut(`call?call_id=%22`+link, `"`)
		one := get(page, "/"+strings.ReplaceAll(link, "&amp;", "&")).Body.String()
		if strings.Contains(html+one, "<script>alert") || !strings.Contains(one, "lists timer") {
			l.Errorf("the link %s leads to\n%s", link, one)
		}
	})
}

// The page works under any path, and nothing is found under other names.
func TestMount(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		mux := http.NewServeMux()
		mux.Handle("/", page)
		mux.Handle("/deep/in/", page)
		mux.Handle("/strip/", http.StripPrefix("/strip", page))
		mux.Handle("/bare", http.StripPrefix("/bare", page))
		for _, base := range []string{"/", "/deep/in/", "/strip/"} {
			for name, kind := range map[string]string{"": "text/html", "calls": "text/html", "totals": "text/html", "call?call_id=x": "text/html",
				"calls.json": "application/json", "totals.json": "application/json", "call.json": "application/json",
				"page.css": "text/css", "page.js": "text/javascript"} {
				w := get(mux, base+name)
				if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
					l.Errorf("%s%s: %d %s, want 200 %s", base, name, w.Code, w.Header().Get("Content-Type"), kind)
				}
			}
		}
		for _, name := range []string{"/nodes", "/nodes.json", "/nodes.events", "/other", "/calls.xml", "/page.html", "/calls.events?search=x"} {
			if w := get(mux, name); w.Code != http.StatusNotFound {
				l.Errorf("%s: %d, want 404", name, w.Code)
			}
		}
		if w := get(mux, "/bare?filter=due"); w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "bare/" {
			l.Errorf("/bare: %d to %q, want 301 to bare/", w.Code, w.Header().Get("Location"))
		}
		w, r := httptest.NewRecorder(), local("/")
		r.Method = http.MethodPost
		if page.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			l.Errorf("POST: %d, want 405", w.Code)
		}
	})
}

// Totals have the counts of Stats, and lines for as long as somebody looked.
func TestTotals(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		l.call(ours, allow)
		type totals struct {
			Lines []struct {
				Name   string
				Value  float64
				Points []struct{ Value float64 }
			}
			Tables []struct {
				Name string
				Rows []struct{ Values []uint64 }
			}
		}
		if v := read[totals](l, page, "/totals.json"); len(v.Lines) != 6 || len(v.Lines[0].Points) != 0 || v.Lines[0].Value != 1 || v.Tables[0].Rows[0].Values[0] != 1 {
			l.Errorf("before anybody looked: %+v, want one call, and no line", v)
		}
		viewer := look(page, "/totals.events")
		l.at(time.Minute)
		l.call(ours, allow)
		l.at(2 * time.Minute)
		v := read[totals](l, page, "/totals.json")
		if n := len(v.Lines[0].Points); n < 55 || n > 60 || v.Lines[0].Points[0].Value != 1 || v.Lines[0].Points[n-1].Value != 2 {
			l.Errorf("after two minutes: %+v, want a point every two seconds", v.Lines[0])
		}
		viewer.leave()
		l.at(20 * time.Minute)
		if v := read[totals](l, page, "/totals.json"); len(v.Lines[0].Points) != 0 {
			l.Errorf("long after: %d points, want none that is older than five minutes", len(v.Lines[0].Points))
		}
	})
}

// Where calls are shared there is a view of the nodes, and the page leads to it.
func TestNodes(t *testing.T) {
	registry := failover.NewMemory()
	inLab(t, func(l *lab) {
		other := sipua.New(l, l.net, "bob", "10.0.0.2:5060", "udp", middleware.WithFailover(registry, failover.WithName("b")))
		page := timerpage.New(l.alice.Timers)
		l.call(ours, allow)
		type nodes struct {
			Live, Owned, More int
			LeaseAge          *float64 `json:"lease_age"`
			Nodes             []struct {
				Name  string
				Self  bool
				Seen  time.Time
				State struct{ Word string }
			}
		}
		want := func(live int, want string) {
			l.Helper()
			v := read[nodes](l, page, "/nodes.json")
			if v.Live != live || v.Owned != 1 || v.LeaseAge == nil || v.More != 0 {
				l.Errorf("%+v, want %d nodes that live, and a heartbeat of this one, which has one call", v, live)
			}
			var got []string
			for _, n := range v.Nodes {
				got = append(got, fmt.Sprintf("%s %s %t", n.Name, n.State.Word, n.Self))
				if n.State.Word == "alive" && time.Since(n.Seen) > time.Second {
					l.Errorf("%s was seen at %v, want less than two beats ago", n.Name, n.Seen)
				}
			}
			if text := strings.Join(got, ", "); text != want {
				l.Errorf("the nodes: %s; want %s", text, want)
			}
		}
		l.at(10 * time.Second)
		want(2, "a alive true, b alive false")
		other.Kill()
		l.at(30 * time.Second)
		want(1, "a alive true, b dead false")
		other = sipua.New(l, l.net, "bob", "10.0.0.2:5060", "udp", middleware.WithFailover(registry, failover.WithName("b")))
		defer other.Kill()
		l.at(40 * time.Second)
		want(2, "a alive true, b alive false, b restarted false")
		if err := other.Timers.Leave(l.Context()); err != nil {
			l.Fatal(err)
		}
		l.at(42 * time.Second)
		want(1, "a alive true, b left false, b dead false")
		if html := get(page, "/").Body.String(); !strings.Contains(html, `href="nodes"`) || !strings.Contains(html, "taken over") {
			l.Error("the page does not lead to the nodes and the calls that were taken over")
		}
		if html := get(page, "/nodes").Body.String(); !strings.Contains(html, "reachable") || !strings.Contains(html, "this node") {
			l.Errorf("nodes: %s", html)
		}
		for i := range 150 {
			if _, err := registry.Beat(l.Context(), failover.Node{Name: fmt.Sprint("c", i), Run: "1"}); err != nil {
				l.Fatal(err)
			}
		}
		l.at(43 * time.Second)
		v := read[nodes](l, page, "/nodes.json")
		if first, last := v.Nodes[0], v.Nodes[len(v.Nodes)-1]; len(v.Nodes) != 100 || v.More != 53 || !first.Self || last.State.Word != "alive" {
			l.Errorf("%d nodes are listed, from %+v to %+v, and %d more; want 100 and 53, this one first and then those that live", len(v.Nodes), first, last, v.More)
		}
	}, middleware.WithFailover(registry, failover.WithName("a")))
}

// A call that another node had is among those taken over, and its events say from where.
func TestTakenOver(t *testing.T) {
	registry := failover.NewMemory()
	inLab(t, func(l *lab) {
		l.call(ours, allow)
		l.at(10 * time.Second)
		l.alice.Kill()
		next := sipua.New(l, l.net, "alice", "10.0.0.2:5060", "udp", middleware.WithFailover(registry, failover.WithName("b")))
		defer next.Kill()
		page := timerpage.New(next.Timers, timerpage.WithHistory())
		l.at(30 * time.Second)
		v := read[list](l, page, "/calls.json?filter=taken-over")
		if len(v.Calls) != 1 || v.Calls[0].TakenOver != "a" || v.Counts["taken-over"] != 1 {
			l.Fatalf("%+v, want the call of node a", v)
		}
		if html := get(page, "/call?"+v.Calls[0].query()).Body.String(); !strings.Contains(html, "Taken over from node a.") {
			l.Errorf("the events lack the takeover:\n%s", html)
		}
		if html := get(page, "/nodes").Body.String(); !strings.Contains(html, "still up, from a") {
			l.Errorf("the node view lacks the call:\n%s", html)
		}
	}, middleware.WithFailover(registry, failover.WithName("a")))
}
