package middleware_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

// fates are what may happen to an answer.
var fates = []string{"sent", "sent, and slowly", "refused by the transaction", "too long", "too long, then a short one", "refused before", "cancelled before"}

// D-30, E-29, E-30: whatever happens to the answers to the peer's requests, our view of the
// call is that of the last 2xx on the wire.
func TestOnlyWhatWasSentCounts(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprintf("E-29 E-30 seed %d", seed), func(t *testing.T) {
			inLab(t, func(l *lab) {
				c := &fateful{lab: l, random: rand.New(rand.NewPCG(seed, 7)), bob: l.bob(), p: l.peer()}
				l.peerCalls(c.p, c.bob, timerHeader, allow, ourRefresh)
				below(c.bob, sip.INVITE, c.answer, c.respond)
				below(c.bob, sip.UPDATE, c.answer, c.respond)
				for i := range 12 {
					c.step(i)
				}
			})
		})
	}
}

// fateful is a call in which answers may fail.
type fateful struct {
	*lab
	random *rand.Rand
	bob    *sipua.UA
	p      *sipnet.Peer
	fate   string
	sdp    string // of the application's next answer
}

func (c *fateful) answer(req *sip.Request, tx sip.ServerTransaction) {
	respond := func(status int, body string) {
		res := sip.NewSDPResponseFromRequest(req, []byte(body))
		res.StatusCode = status
		res.AppendHeader(&sip.ContactHeader{Address: bobURI})
		_ = tx.Respond(res)
	}
	switch c.fate {
	case "too long", "too long, then a short one":
		respond(200, c.sdp+strings.Repeat("a=fill\r\n", 200))
	case "refused before":
		respond(488, "")
	case "cancelled before":
		respond(180, "")
		time.Sleep(time.Second)
	}
	if c.fate != "too long" {
		respond(200, c.sdp)
	}
}

func (c *fateful) respond(tx sip.ServerTransaction, res *sip.Response) error {
	switch {
	case !res.IsSuccess():
	case c.fate == "sent, and slowly":
		return slowWrite(tx, res)
	case c.fate == "refused by the transaction":
		return errors.New("no route to host")
	}
	return tx.Respond(res)
}

// step is a request of the peer, and the view of the call expected after it.
func (c *fateful) step(i int) {
	c.Helper()
	want := stored(c.bob)[0]
	c.fate, c.sdp = fates[c.random.IntN(len(fates))], sipua.SDP("bob", fmt.Sprint(i+2))
	method := []sip.RequestMethod{sip.INVITE, sip.UPDATE}[c.random.IntN(2)]
	if c.fate == "cancelled before" {
		method = sip.INVITE
	}
	body := []string{"", string(want.PeerSDP), strings.Replace(sipnet.SDP, "o=- 1 1", fmt.Sprintf("o=- 1 %d", i+2), 1)}[c.random.IntN(3)]
	target := fmt.Sprintf("sip:peer@10.0.0.9:%d", 5060+c.random.IntN(3))
	se := fmt.Sprintf("Session-Expires: %d;refresher=%s", 600+c.random.IntN(1200), []string{"uac", "uas"}[c.random.IntN(2)])
	what := fmt.Sprintf("step %d: %s, %s, %d bytes", i, method, c.fate, len(body))

	start, began := c.net.Elapsed(), time.Now()
	req := c.p.Request(method, timerHeader, se, "Contact: <"+target+">", body)
	synctest.Wait()
	if c.fate == "cancelled before" && c.final(req) == nil {
		c.p.Cancel()
		synctest.Wait()
	}
	m := c.final(req)
	if m != nil && method == sip.INVITE {
		answer := "" // of an offer in the 200
		if body == "" && m.SIP.(*sip.Response).IsSuccess() {
			answer = string(want.PeerSDP)
		}
		c.p.Ack(m.SIP.(*sip.Response), answer)
	}
	c.at(start + 5*time.Second)
	if got := c.final(req); m == nil && got != nil {
		c.Fatalf("%s: %s comes late", what, sipnet.Label(got.SIP))
	}

	if m != nil && m.SIP.(*sip.Response).IsSuccess() {
		res := m.SIP.(*sip.Response)
		settled, err := sessiontimer.ParseSessionExpires(field(res, "Session-Expires"))
		if err != nil {
			c.Fatalf("%s: the 200 says %v", what, err)
		}
		want.Session = sessiontimer.Session{Interval: settled.Interval, Refresher: sessiontimer.Peer, Since: began}
		if settled.Refresher == sessiontimer.UAS {
			want.Session.Refresher = sessiontimer.Local
		}
		want.RemoteTarget, want.LastMethod = target, string(method)
		switch {
		case body != "":
			want.SDP, want.PeerSDP, want.SDPOffered = res.Body(), []byte(body), false
		case method == sip.INVITE: // answered in the ACK
			want.SDP, want.SDPOffered = res.Body(), true
		}
	}
	if c.wantAsBefore(c.bob, []dialogstore.Dialog{want}); c.Failed() {
		c.Fatal(what)
	}
}

// final is the first final response to req on the wire; nil if there is none.
func (c *fateful) final(req *sip.Request) *sipnet.Message {
	for _, m := range c.net.Messages() {
		res, ok := m.SIP.(*sip.Response)
		if ok && m.From == bobAddr && res.StatusCode >= 200 && res.CSeq().Value() == req.CSeq().Value() {
			return &m
		}
	}
	return nil
}
