package browsertest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// What counts down does so each second, without news from the server.
func TestCountdown(t *testing.T) {
	s := newSite(t)
	s.call("anna", 30*time.Minute, sessiontimer.Local)
	b := s.open("")
	b.await(`document.querySelector("#state").textContent === "live"`)
	const next = `document.querySelector("td[data-name=Next] time").textContent`
	b.await(next + `.startsWith("in 14:")`)
	first := b.eval(next)
	b.await(next + ` < ` + strconv.Quote(first))
	b.await(`document.querySelector("td[data-name=Age] time").textContent > "0:00"`)
}

// A filter shows the calls that it selects, counts the others, and is live as well. All
// of it works without a mouse.
func TestFilterByKeyboard(t *testing.T) {
	s := newSite(t)
	s.call("anna", 30*time.Minute, sessiontimer.Local)
	s.call("bruno", 100*time.Second, sessiontimer.Local)
	b := s.open("")
	b.await(`document.querySelectorAll("tbody tr").length === 2`)
	if name := b.eval(`document.querySelector("tbody a").textContent`); name != "bruno" {
		t.Errorf("the first call is %s, want bruno, which has less time left", name)
	}
	for range 20 { // tab by tab, to the filter
		if b.eval(`document.activeElement.textContent`) == "due within a minute 1" {
			break
		}
		b.do(chromedp.KeyEvent(kb.Tab))
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	b.await(`location.search === "?filter=due" && document.querySelectorAll("tbody tr").length === 1`)
	if text := b.eval(`document.querySelector("[aria-current=true]").textContent`); text != "due within a minute 1" {
		t.Errorf("the current filter is %q", text)
	}
	b.await(`document.querySelector("#state").textContent === "live"`)
	b.eval(`document.querySelector("tbody a").focus()`)
	s.call("clara", 110*time.Second, sessiontimer.Local)
	b.await(`document.querySelectorAll("tbody tr").length === 2`)
	if name := b.eval(`document.activeElement.textContent`); name != "bruno" {
		t.Errorf("after news %q has the focus, want bruno, as before", name)
	}
	b.do(chromedp.KeyEvent("/"))
	b.await(`document.activeElement.id === "search"`)
	b.eval(`document.activeElement.value = ""`) // the driver types it as well, whatever the page says to that
	b.do(chromedp.KeyEvent("anna" + kb.Enter))
	b.await(`location.search.includes("search=anna") && document.body.innerText.includes("No call matches")`) // anna is not due
}

// A call expires before one's eyes: in the list it goes, and the trouble is told; its own
// page says why it ended, and keeps what was known of it.
func TestExpires(t *testing.T) {
	s := newSite(t)
	s.call("gone", 12*time.Second, sessiontimer.Peer) // we hang up after 8 s
	s.call("anna", 30*time.Minute, sessiontimer.Local)
	list, one := s.open(""), s.open(callPath("gone"))
	for _, b := range []*tab{list, one} {
		b.await(`document.querySelector("#state").textContent === "live"`)
	}
	one.await(`document.body.innerText.includes("sip:gone@127.0.0.1")`)
	x := one.eval(`document.querySelector(".bar .now").getAttribute("x")`)
	one.await(`document.querySelector(".bar .now").getAttribute("x") > ` + x)
	list.await(`document.querySelectorAll("tbody tr").length === 1`)
	list.await(`document.querySelector(".events").textContent.includes("We hang up: nobody refreshed it in time.")`)
	one.await(`document.body.innerText.includes("This call has ended")`)
	one.await(`document.body.innerText.includes("The call ended: nobody refreshed it in time.")`)
	if text := one.eval(`document.body.innerText`); !contains(text, "last heard from", "The timer") {
		t.Errorf("after its end the page lacks what was known of the call:\n%s", text)
	}
}

// No view is wider than the window, on a desk, on a phone or between; light and dark differ,
// and the text stands out from what is behind it (WCAG 2.2, 1.4.3).
func TestLayout(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 4)
	s := newSite(t, middleware.WithFailover(failover.NewMemory(), failover.WithName("node-"+long)))
	s.call("a-rather-long-call-id-"+long+"@switchboard.example.org", 30*time.Minute, sessiontimer.Local)
	s.call("anna", 30*time.Minute, sessiontimer.Peer)
	for _, path := range []string{"", callPath("anna"), "totals", "nodes"} {
		b := s.open(path)
		colours := make(map[string]bool)
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{320, 500, 640, 760, 860, 970, 1200} {
				b.size(width, scheme)
				if w := b.eval(`document.documentElement.scrollWidth`); w != fmt.Sprint(width) {
					t.Errorf("%q in a window of %d is %s wide", path, width, w)
				}
			}
			colours[b.eval(`getComputedStyle(document.body).backgroundColor`)] = true
			if faint := b.eval(faint); faint != "" {
				t.Errorf("%q, %s: hard to read: %s", path, scheme, faint)
			}
		}
		if len(colours) != 2 {
			t.Errorf("%q has the background %v, want one for light and one for dark", path, colours)
		}
	}
}

// faint is the texts whose contrast with what is behind them is below 4.5.
const faint = `(() => {
	const rgb = (c) => c.match(/[\d.]+/g).map(Number);
	const light = (c) => rgb(c).slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (e) => {
		const c = getComputedStyle(e).backgroundColor;
		return rgb(c)[3] === 0 ? behind(e.parentElement) : c;
	};
	const found = [];
	for (const e of document.body.querySelectorAll("*")) {
		if (!Array.from(e.childNodes).some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim())) continue;
		const a = light(getComputedStyle(e).color), b = light(behind(e));
		if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) found.push(e.textContent.trim());
	}
	return found.join("; ");
})()`

// A page that is not seen lets go of its stream, and takes it up again.
func TestHidden(t *testing.T) {
	s := newSite(t)
	b := s.open("")
	b.await(`document.querySelector("#state").textContent === "live"`)
	const seen = `Object.defineProperty(document, "hidden", {configurable: true, value: %t}); document.dispatchEvent(new Event("visibilitychange"))`
	b.eval(`(() => {` + fmt.Sprintf(seen, true) + `})()`)
	b.await(`document.querySelector("#state").textContent === "paused"`)
	s.call("anna", 30*time.Minute, sessiontimer.Local)
	b.eval(`(() => {` + fmt.Sprintf(seen, false) + `})()`)
	b.await(`document.querySelectorAll("tbody tr").length === 1`)
}

// A node dies before one's eyes.
func TestNodeDies(t *testing.T) {
	registry := failover.NewMemory()
	node := func(name string) middleware.Option {
		return middleware.WithFailover(registry, failover.WithName(name), failover.WithLease(2*time.Second))
	}
	s, other := newSite(t, node("here")), newSite(t, node("there"))
	for _, timers := range []*middleware.Timers{s.timers, other.timers} {
		if _, err := timers.NewServer(); err != nil { // from now on it can take calls over
			t.Fatal(err)
		}
	}
	b := s.open("nodes")
	state := func(of string) string {
		return `Array.from(document.querySelectorAll(".nodes tbody tr")).find((r) => r.cells[0].textContent.startsWith("` + of + `"))?.cells[1].textContent`
	}
	b.await(state("here") + ` === "alive" && ` + state("there") + ` === "alive"`)
	_ = other.timers.Close()
	b.await(state("there") + ` === "dead"`)
}
