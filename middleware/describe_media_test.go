package middleware_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// moved returns the descriptions in the events.
func moved(u *sipua.UA) []string {
	var out []string
	for _, e := range u.Events() {
		if m, ok := e.Event.(sessiontimer.MediaChanged); ok {
			out = append(out, m.Type+" "+m.Description)
		}
	}
	return out
}

func (l *lab) wantMoved(when string, u *sipua.UA, want ...string) {
	l.Helper()
	if got := moved(u); strings.Join(got, "|") != strings.Join(want, "|") {
		l.Errorf("%s: the application was told of %q, want %q", when, got, want)
	}
}

// D-31: if the answer to our refresh has other media, the application gets one event, and
// a host whose media follows gets a re-INVITE.
func TestMediaMovesInAnswer(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		var followed []string
		host := middleware.Host{Bye: func(*sip.Request, sip.ServerTransaction) {}, Methods: func() []string { return nil }}
		host.Media = func(req *sip.Request, tx sip.ServerTransaction) {
			followed = append(followed, field(req, "Content-Type")+" "+string(req.Body()))
			if req.Contact() == nil || field(req, "CSeq") != "0 INVITE" || req.To().Params.GetOr("tag", "") == "" {
				l.Errorf("the re-INVITE lacks something:\n%s", req)
			}
			_ = tx.Respond(sip.NewSDPResponseFromRequest(req, []byte(alice.SDP)))
		}
		acks := 0
		host.Ack = func(*sip.Request, sip.ServerTransaction) { acks++ }
		l.callPeer(alice, p, timerHeader, se1800)
		alice.Timers.SetHost(host)
		other := audioSDP("peer", 2, "10.0.0.77", 4000)
		want := "application/sdp " + other
		l.at(900 * time.Second)
		l.refreshedWith(p, sipnet.SDP)
		l.wantMoved("the same", alice)
		l.at(1800 * time.Second)
		l.refreshedWith(p, strings.Replace(sipnet.SDP, "o=- 1 1", "o=- 1 2", 1))
		l.wantMoved("another version", alice)
		l.at(2700 * time.Second)
		l.refreshedWith(p, other)
		l.wantMoved("elsewhere", alice, want)
		l.at(3600 * time.Second)
		l.refreshedWith(p, other)
		l.wantMoved("and still there", alice, want)
		l.at(4500 * time.Second)
		l.refreshedWith(p, "")
		l.wantMoved("without an answer", alice, want)
		if len(followed) != 1 || followed[0] != want || acks != 1 {
			l.Errorf("the host was given %q, and %d ACKs, want one", followed, acks)
		}
		if d := stored(alice)[0]; string(d.PeerSDP) != other || string(d.SDP) != alice.SDP {
			l.Errorf("agreed on\n%s\n%s", d.SDP, d.PeerSDP)
		}
	})
}

// D-31: the same if the ACK of a re-INVITE without an offer, which was answered here, has
// other media: that ACK is also passed to the application.
func TestMediaMovesInAck(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := peersCall(l)
		var acks []string
		bob.Server.OnAck(func(req *sip.Request, _ sip.ServerTransaction) { acks = append(acks, string(req.Body())) })
		other := audioSDP("peer", 2, "10.0.0.77", 4000)
		for _, c := range []struct {
			answer string
			want   []string
		}{{sipnet.SDP, nil}, {other, []string{other}}, {other, []string{other}}, {"", []string{other}}} {
			p.Request(sip.INVITE, timerHeader, se1800, "")
			res := wantStatus(l, p, "refresh", 200)
			p.Ack(res, c.answer)
			synctest.Wait()
			p.Ack(res, c.answer) // again
			synctest.Wait()
			if string(res.Body()) != bob.SDP || strings.Join(acks, "|") != strings.Join(c.want, "|") {
				l.Errorf("the application has seen the ACKs %q of a refresh that offers\n%s", acks, res.Body())
			}
			var told []string
			for _, sdp := range c.want {
				told = append(told, "application/sdp "+sdp)
			}
			l.wantMoved("the ACK", bob, told...)
		}
		if bob.Taken() != 1 {
			l.Errorf("the application took %d calls, want 1", bob.Taken())
		}
	})
}
