package timerpage_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

// By default the page is for browsers on the same machine, that asked for it by the name
// of that machine, without a proxy between.
func TestLoopbackOnly(t *testing.T) {
	tests := []struct {
		from, host, proxied string
		want                int
	}{
		{"127.0.0.1:1000", "localhost:8028", "", 200},
		{"127.0.0.1:1000", "LOCALHOST", "", 200},
		{"[::1]:1000", "[::1]:8028", "", 200},
		{"[::1]:1000", "[::1]", "", 200},
		{"[::ffff:127.0.0.1]:1000", "127.9.9.9:8028", "", 200},
		{"10.0.0.1:1000", "localhost:8028", "", 403},
		{"[2001:db8::1]:1000", "localhost", "", 403},
		{"127.0.0.1:1000", "evil.example:8028", "", 403}, // its name leads to 127.0.0.1
		{"127.0.0.1:1000", "localhost.evil.example", "", 403},
		{"127.0.0.1:1000", "", "", 403},
		{"127.0.0.1:1000", "localhost", "X-Forwarded-For", 403},
		{"127.0.0.1:1000", "localhost", "Forwarded", 403},
		{"@", "localhost", "", 403},
		{"", "localhost", "", 403},
	}
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers, timerpage.WithAccess(nil))
		for _, tt := range tests {
			for _, path := range []string{"/", "/calls.json", "/page.js", "/totals.events"} {
				if tt.want == 200 && path == "/totals.events" {
					continue
				}
				w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
				r.RemoteAddr, r.Host = tt.from, tt.host
				if tt.proxied != "" {
					r.Header.Set(tt.proxied, "203.0.113.1")
				}
				if page.ServeHTTP(w, r); w.Code != tt.want {
					l.Errorf("%s from %s for %s %s: %d, want %d", path, tt.from, tt.host, tt.proxied, w.Code, tt.want)
				}
			}
		}
	})
}

// Whoever may not see numbers gets them in no view, no form and no search.
func TestWithoutNumbers(t *testing.T) {
	inLab(t, func(l *lab) {
		access := timerpage.WithoutNumbers
		page := timerpage.New(l.alice.Timers, timerpage.WithAccess(func(*http.Request) timerpage.Access { return access }), timerpage.WithHistory())
		synctest.Wait()
		l.call(ours, allow, "Record-Route: <sip:+4930123456@10.0.0.9;lr;number=4930123456>")
		one := read[list](l, page, "/calls.json").Calls[0]
		secrets := []string{"4930123456", "alice@", "v=0"}
		paths := []string{"/", "/calls.json", "/call?" + one.query(), "/call.json?" + one.query(), "/totals", "/totals.json"}
		for _, path := range paths {
			for _, secret := range secrets {
				if text := get(page, path).Body.String(); strings.Contains(text, secret) {
					l.Errorf("%s has %q in it:\n%s", path, secret, text)
				}
			}
		}
		if v := read[list](l, page, "/calls.json?search=4930123456"); len(v.Calls) != 0 {
			l.Error("a search finds a number that may not be seen")
		}
		viewer := look(page, "/calls.events")
		synctest.Wait()
		viewer.leave()
		if text := viewer.seen(); strings.Contains(text, "4930123456") || !strings.Contains(text, one.CallID) {
			l.Errorf("the stream: %s", text)
		}
		access = timerpage.Everything
		text := get(page, paths[3]).Body.String()
		for _, secret := range secrets {
			if !strings.Contains(text, secret) {
				l.Errorf("with all access %q is missing in\n%s", secret, text)
			}
		}
		if v := read[list](l, page, "/calls.json?search=4930123456"); len(v.Calls) != 1 {
			l.Errorf("a search for a number finds %d calls, want 1", len(v.Calls))
		}
		for _, access = range []timerpage.Access{timerpage.Nothing, 77} {
			if w := get(page, "/"); w.Code != http.StatusForbidden {
				l.Errorf("access %d: %d, want 403", access, w.Code)
			}
		}
	})
}

// Each answer forbids the browser to load from elsewhere, to be framed, to keep it, to take it
// for another type, and to tell where it leads from.
func TestGuard(t *testing.T) {
	inLab(t, func(l *lab) {
		page := timerpage.New(l.alice.Timers)
		for _, path := range []string{"/", "/calls.json", "/page.js", "/other"} {
			h := get(page, path).Header()
			if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none';") || !strings.Contains(csp, "frame-ancestors 'none'") {
				l.Errorf("%s: policy %q", path, csp)
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
				l.Errorf("%s: %v", path, h)
			}
			if path != "/other" && h.Get("Cache-Control") != "no-store" {
				l.Errorf("%s may be kept: %v", path, h)
			}
		}
	})
}
