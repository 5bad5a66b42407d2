package timerpage_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

var _ sip.SIPTracer = (*timerpage.Recorder)(nil)

func text(first, callID string, cseq string, more ...string) []byte {
	return []byte(strings.Join(append([]string{first, "Call-ID: " + callID, "CSeq: " + cseq}, append(more, "", "")...), "\r\n"))
}

// ladder is what the page shows of a call.
func ladder(l *lab, r *timerpage.Recorder, callID string) (rows []string) {
	l.Helper()
	page := timerpage.New(l.alice.Timers, timerpage.WithRecorder(r))
	v := read[struct {
		Ladder []struct {
			Sent         bool
			Label, Timer string
		}
	}](l, page, "/call.json?call_id="+callID)
	for _, m := range v.Ladder {
		rows = append(rows, strings.TrimSpace(fmt.Sprintf("%t %s %s", m.Sent, m.Label, m.Timer)))
	}
	return rows
}

const here, there = "10.0.0.1:5060", "10.0.0.9:5060"

// The ladder has what is sent and received, with what they say about the timer, and
// nothing of their bodies.
func TestLadder(t *testing.T) {
	update := text("UPDATE sip:+49301@x SIP/2.0", "c", "2 UPDATE", "x: 1800;refresher=uac", "Min-SE:90")
	ok := text("SIP/2.0 200 OK", "c", "2 UPDATE", "Session-Expires: 1800", "Content-Length: 4")
	bye := text("BYE sip:x SIP/2.0", "c", "3 BYE", "Reason: SIP;cause=408")
	tests := []struct {
		name string
		do   func(r *timerpage.Recorder)
		want []string
	}{
		{"a request and its answer", func(r *timerpage.Recorder) {
			r.SIPTraceWrite("udp", here, there, update)
			r.SIPTraceRead("udp", here, there, append(ok, "v=0\n"...))
		}, []string{"true UPDATE Session-Expires: 1800;refresher=uac, Min-SE: 90", "false 200 OK Session-Expires: 1800"}},
		{"an answer that is traced before its request", func(r *timerpage.Recorder) {
			r.SIPTraceRead("udp", here, there, ok)
			r.SIPTraceWrite("udp", here, there, update)
		}, []string{"true UPDATE Session-Expires: 1800;refresher=uac, Min-SE: 90", "false 200 OK Session-Expires: 1800"}},
		{"two in a piece of a stream", func(r *timerpage.Recorder) {
			r.SIPTraceRead("tcp", here, there, append(append(ok, "v=0\n"...), bye...))
		}, []string{"false 200 OK Session-Expires: 1800", "false BYE Reason: SIP;cause=408"}},
		{"compact names", func(r *timerpage.Recorder) {
			compact := "SIP/2.0 200 OK\r\ni: c\r\nCSeq: 2 UPDATE\r\nX : 90\r\nl: 4\r\n\r\nv=0\n"
			r.SIPTraceRead("tcp", here, there, append([]byte(compact), bye...))
		}, []string{"false 200 OK Session-Expires: 90", "false BYE Reason: SIP;cause=408"}},
		{"a length that is none", func(r *timerpage.Recorder) {
			for _, length := range []string{"-1", "x", "99999999999999999999"} {
				r.SIPTraceRead("tcp", here, there, text("BYE sip:x SIP/2.0", "c", "3 BYE", "l: "+length))
			}
		}, []string{"false BYE", "false BYE", "false BYE"}},
		{"what to wait for", func(r *timerpage.Recorder) {
			r.SIPTraceRead("udp", here, there, text("SIP/2.0 503 Busy", "c", "2 UPDATE", "RETRY-AFTER: 5"))
		}, []string{"false 503 Busy Retry-After: 5"}},
		{"a long field", func(r *timerpage.Recorder) {
			r.SIPTraceRead("udp", here, there, text("SIP/2.0 200 "+strings.Repeat("K", 200), "c", "2 BYE"))
			r.SIPTraceRead("udp", here, there, text("BYE x SIP/2.0", strings.Repeat("c", 513), "1 BYE"))
		}, []string{"false 200 " + strings.Repeat("K", 128-len("200 "))}},
		{"a piece that begins within a message", func(r *timerpage.Recorder) {
			r.SIPTraceRead("tcp", here, there, ok[20:])
			r.SIPTraceRead("tcp", here, there, ok[:20])
		}, nil},
		{"keep-alives and nonsense", func(r *timerpage.Recorder) {
			for _, s := range []string{"", "\r\n\r\n", "\x00\xff", "SIP/2.0 200 OK\r\n\r\n", "a b c\r\n\r\n"} {
				r.SIPTraceRead("udp", here, there, []byte(s))
			}
			r.SIPTraceRead("udp", here, there, text("BYE x SIP/2.0", strings.Repeat("c", 600), "1 BYE"))
		}, nil},
		{"only one end of a call that has both here", func(r *timerpage.Recorder) {
			r.SIPTraceWrite("udp", here, there, bye)
			r.SIPTraceRead("udp", there, here, bye)
		}, []string{"true BYE Reason: SIP;cause=408", "false BYE Reason: SIP;cause=408"}}, // which end is ours is not known
	}
	inLab(t, func(l *lab) {
		for _, tt := range tests {
			r := timerpage.NewRecorder(10)
			tt.do(r)
			if got := ladder(l, r, "c"); strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				l.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
		}
	})
}

// Where both ends of a call are in this process, the ladder has the messages of ours, also
// when the call has ended.
func TestLadderOfOurEnd(t *testing.T) {
	inLab(t, func(l *lab) {
		r := timerpage.NewRecorder(10)
		page := timerpage.New(l.alice.Timers, timerpage.WithRecorder(r))
		d := l.call(ours, allow)
		one := read[list](l, page, "/calls.json").Calls[0]
		bye := text("BYE x SIP/2.0", one.CallID, "2 BYE")
		want := func(when string, want int) {
			l.Helper()
			v := read[struct{ Ladder []struct{ Sent bool } }](l, page, "/call.json?"+one.query())
			if len(v.Ladder) != want || !v.Ladder[0].Sent {
				l.Errorf("%s: %+v, want %d messages that were sent", when, v.Ladder, want)
			}
		}
		r.SIPTraceWrite("udp", here, there, bye)
		r.SIPTraceRead("udp", there, here, bye)
		want("the call is up", 1)
		go func() { _ = d.Bye(l.Context()) }()
		l.peer.Reply(l.peer.ExpectRequest(l, sip.BYE), 200, "OK")
		synctest.Wait()
		r.SIPTraceWrite("udp", here, there, bye)
		r.SIPTraceRead("udp", there, here, bye)
		want("the call is over", 2)
	})
}

// Calls and their messages are bounded: the oldest make room.
func TestRecorderBounds(t *testing.T) {
	inLab(t, func(l *lab) {
		r := timerpage.NewRecorder(2)
		var all sync.WaitGroup
		for _, id := range []string{"a", "b"} {
			all.Go(func() {
				for i := range 100 {
					r.SIPTraceRead("udp", here, there, text("SIP/2.0 200 "+fmt.Sprint(i), id, "1 INVITE"))
				}
			})
		}
		all.Wait()
		r.SIPTraceRead("udp", here, there, text("BYE x SIP/2.0", "a", "2 BYE"))
		r.SIPTraceRead("udp", here, there, text("BYE x SIP/2.0", "c", "2 BYE"))
		if a := ladder(l, r, "a"); len(a) != 24 || a[23] != "false BYE" || a[22] != "false 200 99" {
			l.Errorf("%q, want the last 24 messages", a)
		}
		if b, c := ladder(l, r, "b"), ladder(l, r, "c"); len(b) != 0 || len(c) != 1 {
			l.Errorf("%d messages of b, %d of c: want the call of b, the oldest, gone", len(b), len(c))
		}
	})
}

func FuzzRecorder(f *testing.F) {
	f.Add([]byte("BYE x SIP/2.0\r\ni: c\r\nl: 99\r\n\r\nSIP/2.0 200 OK\r\nCall-ID:c\r\nl: -5\r\n\r\n"))
	f.Fuzz(func(t *testing.T, piece []byte) {
		r := timerpage.NewRecorder(1)
		r.SIPTraceRead("tcp", here, there, piece)
		r.SIPTraceWrite("tcp", here, there, piece)
	})
}
