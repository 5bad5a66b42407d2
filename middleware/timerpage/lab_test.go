package timerpage_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// lab is a bubble with a user agent named alice and a scripted peer.
type lab struct {
	*testing.T
	net   *sipnet.Network
	alice *sipua.UA
	peer  *sipnet.Peer
}

// inLab runs f in a bubble. A goroutine that is left behind fails the test.
func inLab(t *testing.T, f func(l *lab), opts ...middleware.Option) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		l := &lab{T: t, net: n, alice: sipua.New(t, n, "alice", "10.0.0.1:5060", "udp", opts...), peer: n.Peer("10.0.0.9:5060")}
		defer func() {
			synctest.Wait()
			sipua.Stop(n, l.alice)
		}()
		f(l)
	})
}

const (
	ours        = "Session-Expires: 1800;refresher=uac"
	theirs      = "Session-Expires: 1800;refresher=uas"
	allow       = "Allow: INVITE, ACK, BYE, UPDATE"
	allowInvite = "Allow: INVITE, ACK, BYE"
)

// call has alice call the peer, at a number, who answers 200 with the headers.
func (l *lab) call(headers ...string) *sipgo.DialogClientSession {
	l.Helper()
	done := make(chan *sipgo.DialogClientSession, 1)
	go func() {
		d, err := l.alice.TryURI(context.Background(), sip.Uri{Scheme: "sip", User: "+4930123456", Host: "10.0.0.9", Port: 5060})
		if err != nil {
			l.Errorf("alice calls: %v", err)
		}
		done <- d
	}()
	l.peer.Reply(l.peer.ExpectRequest(l, sip.INVITE), 200, "OK", append(headers, "Require: timer")...)
	l.peer.ExpectRequest(l, sip.ACK)
	d := <-done
	synctest.Wait()
	return d
}

// at waits until the given time since the network began.
func (l *lab) at(d time.Duration) {
	l.Helper()
	time.Sleep(d - l.net.Elapsed())
	synctest.Wait()
}

// get asks as a browser on the same machine.
func get(h http.Handler, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, local(target))
	return w
}

func local(target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:40000", "localhost:8028"
	return r
}

// list is calls.json, as far as the tests look at it.
type list struct {
	Total   int
	Counts  map[string]int
	Calls   []row
	More    int
	Trouble []happening
}

type row struct {
	CallID    string `json:"call_id"`
	LocalTag  string `json:"local_tag"`
	RemoteTag string `json:"remote_tag"`
	From, To  string
	Condition struct{ Word string }
	Refresher string
	Method    string
	Next      string
	NextAt    time.Time `json:"next_at"`
	Expires   time.Time
	Slack     float64
	Interval  float64
	Tries     int
	Status    int
	TakenOver string `json:"taken_over_from"`
}

type happening struct {
	CallID string `json:"call_id"`
	Event  string
	Text   string
}

func (r row) query() string {
	return "call_id=" + r.CallID + "&local_tag=" + r.LocalTag + "&remote_tag=" + r.RemoteTag
}

func read[T any](t testing.TB, h http.Handler, target string) (v T) {
	t.Helper()
	w := get(h, target)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s: %v in %s", target, err, w.Body)
	}
	return v
}

// viewer has a page open.
type viewer struct {
	http.ResponseWriter // of the headers
	leave               context.CancelFunc

	mu    sync.Mutex
	text  strings.Builder
	ended bool
}

// look opens a stream. It ends with leave, or by itself.
func look(h http.Handler, target string) *viewer {
	ctx, cancel := context.WithCancel(context.Background())
	v := &viewer{ResponseWriter: httptest.NewRecorder(), leave: cancel}
	go func() {
		h.ServeHTTP(v, local(target).WithContext(ctx))
		v.mu.Lock()
		defer v.mu.Unlock()
		v.ended = true
	}()
	return v
}

// Write implements http.ResponseWriter.
func (v *viewer) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.text.Write(b)
}

// Flush implements http.Flusher.
func (v *viewer) Flush() {}

// seen returns what came since the last time.
func (v *viewer) seen() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := v.text.String()
	v.text.Reset()
	return text
}

func (v *viewer) over() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ended
}
