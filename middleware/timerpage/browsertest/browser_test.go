package browsertest

import (
	"context"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/inside"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

// patience is for a busy machine: nothing here depends on how fast it is.
const patience = time.Minute

// browser is one Chromium for all tests.
var browser context.Context

func TestMain(m *testing.M) {
	flag.Parse()
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	ctx, stop := chromedp.NewContext(context.Background(), chromedp.WithAllocatorOptions(allocator))
	browser = ctx
	status := m.Run()
	stop()
	os.Exit(status)
}

// allocator: Chromium's sandbox does not work for root.
func allocator(a *chromedp.ExecAllocator) {
	if os.Geteuid() == 0 {
		chromedp.NoSandbox(a)
	}
}

// needBrowser skips a test where there is none, but not in CI.
func needBrowser(t *testing.T) {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if _, err := exec.LookPath(name); err == nil {
			return
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("Chromium is not installed: apt-get install chromium")
	}
	t.Skip("Chromium is not installed: apt-get install chromium")
}

// site is a page with calls, mounted below a path.
type site struct {
	*testing.T
	timers *middleware.Timers
	url    string
}

func newSite(t *testing.T, opts ...middleware.Option) *site {
	t.Helper()
	needBrowser(t)
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ua.Close() })
	timers, err := middleware.New(ua, append(opts, middleware.WithJitter(0), middleware.WithLogger(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = timers.Close() })
	if _, err := timers.NewClient(sipgo.WithClientHostname("127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/some/where/", timerpage.New(timers))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return &site{t, timers, server.URL + "/some/where/"}
}

// call stores a call that has just begun.
func (s *site) call(name string, interval time.Duration, who sessiontimer.Refresher) {
	s.Helper()
	now := time.Now()
	err := inside.StoreOf(s.timers).Create(s.Context(), dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:       dialogstore.ID{CallID: name, LocalTag: "local", RemoteTag: "remote"},
			LocalURI: "<sip:switchboard@127.0.0.1>;tag=local", RemoteURI: "<sip:" + name + "@127.0.0.1>;tag=remote",
			Transport: "udp", OwnsCallID: true, Began: now, Policy: sessiontimer.DefaultPolicy(),
		},
		State: dialogstore.State{
			RemoteTarget: "sip:" + name + "@127.0.0.1:9", Contact: "<sip:switchboard@127.0.0.1>",
			LocalCSeq: 1, LastMethod: "INVITE", PeerTimer: true, PeerUpdate: true, SDP: []byte("v=0\r\n"), SDPType: "application/sdp",
			Session: sessiontimer.Session{Interval: interval, Refresher: who, Since: now},
		},
	})
	if err != nil {
		s.Fatal(err)
	}
}

// tab is a page in the browser.
type tab struct {
	*testing.T
	ctx context.Context
}

// open opens a tab. At the end of the test there must be no error in its console, and
// nothing that it asked another host for.
func (s *site) open(path string) *tab {
	s.Helper()
	ctx, shut := chromedp.NewContext(browser)
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	b := &tab{s.T, ctx}
	listening, stop := context.WithCancel(ctx)
	console, requests := chromedp.Console(listening), chromedp.Events(listening, network.RequestWillBeSent)
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		s.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for m, err := range console {
			if err != nil {
				return
			}
			s.Errorf("console: %v %s", m, m.URL)
		}
	})
	asked := 0
	all.Go(func() {
		for e, err := range requests {
			if err != nil {
				return
			}
			if asked++; !strings.HasPrefix(e.Request.URL, s.url) && !strings.HasPrefix(e.Request.URL, "data:") {
				s.Errorf("the page asks for %s", e.Request.URL)
			}
		}
	})
	s.Cleanup(func() {
		b.eval("0") // what the browser has to tell comes before the answer
		stop()
		all.Wait()
		if asked < 3 {
			s.Errorf("%d requests were seen, want those of the page, its style and its script at least", asked)
		}
		cancel()
		shut()
	})
	b.do(chromedp.Navigate(s.url + path))
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// eval returns what an expression is.
func (b *tab) eval(expression string) string {
	b.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// await waits until an expression is true, through navigations.
func (b *tab) await(expression string) {
	b.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end) && b.ctx.Err() == nil; {
		_, err = chromedp.Run(b.ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(time.Until(end)), chromedp.WithPollingInterval(50*time.Millisecond)))
		if err == nil {
			return
		}
	}
	b.Fatalf("never true: %s: %v; the page reads\n%s", expression, err, b.eval("document.body.innerText"))
}

// size makes the window as large as that of a phone or a desk, light or dark.
func (b *tab) size(width int64, scheme string) {
	b.Helper()
	b.do(chromedp.EmulateViewport(width, 900))
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if err != nil {
		b.Fatal(err)
	}
}

func callPath(name string) string {
	return "call?" + url.Values{"call_id": {name}, "local_tag": {"local"}, "remote_tag": {"remote"}}.Encode()
}
