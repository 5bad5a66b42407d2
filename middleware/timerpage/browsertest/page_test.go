package browsertest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sipgo-contrib/sessiontimer"
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
	one.await(`document.body.innerText.includes("This call is over")`)
	one.await(`document.body.innerText.includes("The call ended: nobody refreshed it in time.")`)
	if text := one.eval(`document.body.innerText`); !contains(text, "last heard from", "The timer") {
		t.Errorf("after its end the page lacks what was known of the call:\n%s", text)
	}
}

// No view is wider than the window, on a desk or on a phone; light and dark differ.
func TestLayout(t *testing.T) {
	s := newSite(t)
	s.call("a-rather-long-call-id-0123456789abcdef0123456789abcdef@switchboard.example.org", 30*time.Minute, sessiontimer.Local)
	s.call("anna", 30*time.Minute, sessiontimer.Peer)
	for _, path := range []string{"", callPath("anna"), "totals"} {
		b := s.open(path)
		colours := make(map[string]bool)
		for _, width := range []int64{360, 1200} {
			for _, scheme := range []string{"light", "dark"} {
				b.size(width, scheme)
				if w := b.eval(`document.documentElement.scrollWidth`); w != fmt.Sprint(width) {
					t.Errorf("%q in a window of %d is %s wide", path, width, w)
				}
				colours[b.eval(`getComputedStyle(document.body).backgroundColor`)] = true
			}
		}
		if len(colours) != 2 {
			t.Errorf("%q has the background %v, want one for light and one for dark", path, colours)
		}
	}
}

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
