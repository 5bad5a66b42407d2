package timerpage

import (
	"bytes"
	"container/list"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	recordedMessages = 24  // of a call
	recordedLine     = 128 // bytes of a field
	recordedCallID   = 512 // bytes of a Call-ID; the calls of longer ones are not recorded
)

// Recorder keeps the last messages of calls, without bodies and phone numbers, for the
// ladders of a Page. It is a sipgo tracer, of which a process has only one:
//
//	recorder := timerpage.NewRecorder(1000)
//	sip.SIPDebugTracer(recorder) // before the first message
//	sip.SIPDebug = true
//	page := timerpage.New(timers, timerpage.WithRecorder(recorder))
//
// sip.SIPDebug switches recording on and off; while it is off, the recorder costs nothing.
// The methods may be called by any number of goroutines.
type Recorder struct {
	mu    sync.Mutex
	most  int
	calls map[string]*list.Element // of *tape, by Call-ID
	order list.List                // the latest heard first
}

// tape has the recorded messages of a call.
type tape struct {
	callID   string
	local    string // our socket, when the ladder was last shown
	messages []message
}

// message is one message on the wire.
type message struct {
	Time  time.Time `json:"time"`
	Sent  bool      `json:"sent"` // by us
	Local string    `json:"local"`
	Peer  string    `json:"peer"`
	Label string    `json:"label"` // "INVITE", "200 OK"
	CSeq  string    `json:"cseq"`
	Timer string    `json:"timer,omitempty"` // the fields that are about the timer
}

// NewRecorder makes a recorder of up to so many calls, at least one. A new call replaces the
// one that was silent for longest. A call takes about 3 kB.
func NewRecorder(calls int) *Recorder {
	return &Recorder{most: max(1, calls), calls: make(map[string]*list.Element)}
}

// SIPTraceRead implements sip.SIPTracer.
func (r *Recorder) SIPTraceRead(transport, laddr, raddr string, msg []byte) {
	r.record(message{Local: laddr, Peer: raddr}, msg)
}

// SIPTraceWrite implements sip.SIPTracer.
func (r *Recorder) SIPTraceWrite(transport, laddr, raddr string, msg []byte) {
	r.record(message{Local: laddr, Peer: raddr, Sent: true}, msg)
}

// record keeps the message at the beginning of a datagram, or of a piece of a stream. Further
// messages in the same piece are found by the Content-Length; a piece that begins within a
// message is skipped.
func (r *Recorder) record(m message, piece []byte) {
	m.Time = time.Now()
	for range recordedMessages {
		head, rest, ok := bytes.Cut(bytes.TrimLeft(piece, "\r\n"), []byte("\r\n\r\n"))
		if !ok {
			return
		}
		m := m
		callID, length := m.read(string(head))
		if callID == "" || len(callID) > recordedCallID {
			return
		}
		r.keep(callID, m)
		piece = rest[min(len(rest), max(0, length)):]
	}
}

// read extracts the fields to keep from the head of a message.
func (m *message) read(head string) (callID string, length int) {
	first, fields, _ := strings.Cut(head, "\r\n")
	if status, ok := strings.CutPrefix(first, "SIP/2.0 "); ok {
		m.Label = clip(status)
	} else if method, _, ok := strings.Cut(first, " "); ok && strings.HasSuffix(first, " SIP/2.0") {
		m.Label = clip(method)
	} else {
		return "", 0
	}
	var timer []string
	for line := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "call-id", "i":
			callID = value
		case "cseq":
			m.CSeq = clip(value)
		case "content-length", "l":
			length, _ = strconv.Atoi(value)
		case "session-expires", "x":
			timer = append(timer, "Session-Expires: "+clip(value))
		case "min-se":
			timer = append(timer, "Min-SE: "+clip(value))
		case "reason":
			timer = append(timer, "Reason: "+clip(value))
		case "retry-after":
			timer = append(timer, "Retry-After: "+clip(value))
		}
	}
	m.Timer = clip(strings.Join(timer, ", "))
	return callID, length
}

// clip copies a field, so that the message it is from is not kept with it.
func clip(s string) string {
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), recordedLine)]), "�")
}

func (r *Recorder) keep(callID string, m message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.calls[callID]
	if e == nil {
		if len(r.calls) == r.most {
			oldest := r.order.Back()
			delete(r.calls, r.order.Remove(oldest).(*tape).callID)
		}
		callID = strings.Clone(callID)
		e = r.order.PushFront(&tape{callID: callID})
		r.calls[callID] = e
	}
	r.order.MoveToFront(e)
	t := e.Value.(*tape)
	if len(t.messages) == recordedMessages {
		copy(t.messages, t.messages[1:])
		t.messages = t.messages[:recordedMessages-1]
	}
	t.messages = append(t.messages, m)
	// sipgo traces what it has sent, and the answer may have come meanwhile.
	if n := len(t.messages); n > 1 && m.Sent && m.request() {
		if before := t.messages[n-2]; !before.Sent && !before.request() && before.CSeq == m.CSeq && m.Time.Sub(before.Time) < 20*time.Millisecond {
			t.messages[n-2], t.messages[n-1] = m, before
		}
	}
}

// request reports whether m is one: the label of a response begins with its status.
func (m *message) request() bool { return m.Label != "" && m.Label[0] > '9' }

// ladder returns the messages of a call, the oldest first: those of the socket at local, if
// there are any. If the other party is in this process too, each message is recorded twice.
// local is empty for a call that has ended; the previous local is used then.
func (r *Recorder) ladder(callID, local string) []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.calls[callID]
	if e == nil {
		return nil
	}
	t := e.Value.(*tape)
	if local != "" {
		t.local = local
	}
	all := slices.Clone(t.messages)
	ours := slices.DeleteFunc(slices.Clone(all), func(m message) bool { return m.Local != t.local })
	if len(ours) > 0 {
		return ours
	}
	return all
}
