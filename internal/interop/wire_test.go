//go:build interop

package interop

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// party is one of the two ends of a call.
type party string

const (
	theSubject party = "subject"
	thePeer    party = "peer"
)

func (p party) other() party {
	if p == thePeer {
		return theSubject
	}
	return thePeer
}

// wire is what passed between the two, in order.
type wire struct {
	mu      sync.Mutex
	start   time.Time
	msgs    []sipnet.Message
	changed chan struct{}
}

func newWire(t *testing.T) *wire {
	w := &wire{start: time.Now(), changed: make(chan struct{})}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("on the wire:\n%s\n%s", w.ladder("peer"), w.dump())
		}
	})
	return w
}

// add records a message as its sender wrote it.
func (w *wire) add(transport string, from party, data []byte) {
	if !bytes.Contains(data, []byte("SIP/2.0")) {
		return // keep-alives
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	m := sipnet.Message{At: time.Since(w.start), From: string(from), To: string(from.other()),
		Transport: transport, Raw: bytes.Clone(data)}
	if msg, err := sip.ParseMessage(m.Raw); err == nil {
		m.SIP = msg
	}
	w.msgs = append(w.msgs, m)
	close(w.changed)
	w.changed = make(chan struct{})
}

// messages are all so far.
func (w *wire) messages() []sipnet.Message {
	msgs, _ := w.read()
	return msgs
}

func (w *wire) read() ([]sipnet.Message, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.msgs), w.changed
}

// await waits until enough has passed for ok to be content.
func (w *wire) await(t *testing.T, what string, limit time.Duration, ok func([]sipnet.Message) bool) {
	t.Helper()
	over := time.After(limit)
	for {
		msgs, changed := w.read()
		if ok(msgs) {
			return
		}
		select {
		case <-changed:
		case <-over:
			t.Fatalf("not seen within %v: %s", limit, what)
		}
	}
}

// sleepUntil waits for a moment on the wire's clock.
func (w *wire) sleepUntil(at time.Duration) {
	time.Sleep(time.Until(w.start.Add(at)))
}

// ladder draws what passed, without retransmissions, between two columns.
func (w *wire) ladder(peer string) string {
	var b bytes.Buffer
	l := sipnet.NewLadder(&b, "sessiontimer", peer)
	l.Alias(string(theSubject), "sessiontimer")
	l.Alias(string(thePeer), peer)
	for _, m := range w.messages() {
		l.Message(m)
	}
	return b.String()
}

// dump is every message in full.
func (w *wire) dump() string {
	var b strings.Builder
	for _, m := range w.messages() {
		b.WriteString(strconv.FormatFloat(m.At.Seconds(), 'f', 3, 64) + " from the " + m.From + "\n" + string(m.Raw) + "\n")
	}
	return program.Tail(strings.ReplaceAll(b.String(), "\r", ""), 16000)
}

// header is a header's value as it stands in the message, or empty.
func header(m sip.Message, name string) string {
	holder, ok := m.(interface{ Headers() []sip.Header })
	if !ok {
		return ""
	}
	var values []string
	for _, h := range holder.Headers() {
		if strings.EqualFold(h.Name(), name) {
			values = append(values, h.Value())
		}
	}
	return strings.Join(values, ", ")
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
