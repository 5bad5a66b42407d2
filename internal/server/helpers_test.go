package server

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
)

// keeping is a transaction that keeps what it is given, unless it fails.
type keeping struct {
	sip.ServerTransaction
	sent  []*sip.Response
	fails error
}

func (k *keeping) Respond(res *sip.Response) error {
	if k.fails != nil {
		return k.fails
	}
	k.sent = append(k.sent, res)
	return nil
}

func (*keeping) Err() error { return nil }

// statuses are those of the responses that were sent.
func (k *keeping) statuses() (all []int) {
	for _, res := range k.sent {
		all = append(all, res.StatusCode)
	}
	return all
}

// desk is a Server with an empty store, and what comes of its work.
type desk struct {
	*Server
	logs   *transcript.Text
	events []sessiontimer.Event
	proved []dialogstore.ID
	hungUp []sessiontimer.Reason
}

func newDesk(ctx context.Context, change ...func(*calls.Config)) *desk {
	d, config := &desk{logs: new(transcript.Text)}, calls.Config{Policy: sessiontimer.DefaultPolicy()}
	for _, c := range change {
		c(&config)
	}
	config.Log = slog.New(slog.NewTextHandler(d.logs, nil))
	config.OnEvent = func(e sessiontimer.Event) { d.events = append(d.events, e) }
	c := calls.New(ctx, config)
	c.Store = dialogstore.Observe(dialogstore.NewMemory(), c.Observer())
	c.Proved = func(id dialogstore.ID) { d.proved = append(d.proved, id) }
	d.Server = New(c, func(_ context.Context, _ *dialogset.Set, _ string, r sessiontimer.Reason) {
		d.hungUp = append(d.hungUp, r)
	})
	return d
}

// keep puts a dialog into the store.
func (d *desk) keep(t *testing.T, dialog dialogstore.Dialog) {
	t.Helper()
	if err := d.calls.Store.Create(calls.Quietly, dialog); err != nil {
		t.Fatal(err)
	}
}

// kept returns the call as it is stored.
func (d *desk) kept(t *testing.T) dialogstore.Dialog {
	t.Helper()
	dialog, err := d.calls.Store.Load(context.Background(), callID)
	if err != nil {
		t.Fatal(err)
	}
	return dialog
}

// wantLine insists that a line about the call was logged, once, and with each of parts.
func (d *desk) wantLine(t *testing.T, what, message string, parts ...string) {
	t.Helper()
	lines := d.logs.Lines(message)
	for _, part := range append(parts, "call_id=call local_tag=ours remote_tag=theirs") {
		if len(lines) != 1 || !strings.Contains(lines[0], part) {
			t.Errorf("%s: logged %q, want one line %q with %s", what, d.logs, message, part)
			return
		}
	}
}

// callID is the dialog of taggedRequest and fromPeer.
var callID = dialogstore.ID{CallID: "call", LocalTag: "ours", RemoteTag: "theirs"}

// The descriptions that are agreed in the call.
const (
	oursSDP   = "v=0\r\no=us 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
	theirsSDP = "v=0\r\no=peer 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"
	otherSDP  = "v=0\r\no=peer 1 2 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 5002 RTP/AVP 0\r\n"
)

// aCall is the call: the peer began it with CSeq 1, and refreshes it.
func aCall() (d dialogstore.Dialog) {
	d.ID, d.Policy = callID, sessiontimer.DefaultPolicy()
	d.LocalURI, d.RemoteURI = "<sip:us@example.com>;tag=ours", "<sip:peer@example.com>;tag=theirs"
	d.Contact, d.RemoteTarget, d.Transport, d.Source = "<sip:us@10.0.0.2:5060>", "sip:peer@10.0.0.9:5060", "udp", "10.0.0.9:5060"
	d.SDP, d.SDPType, d.PeerSDP, d.PeerSDPType = []byte(oursSDP), "application/sdp", []byte(theirsSDP), "application/sdp"
	d.RemoteCSeq, d.LastMethod = 1, "INVITE"
	d.Session = sessiontimer.Session{Interval: 1800 * time.Second, Refresher: sessiontimer.Peer, Since: time.Now()}
	return d
}

// fromPeer is a request in the call with CSeq 2; with an empty tag of ours it is outside
// dialogs. A header replaces the one of its name, "-Name" removes that, and a last element
// that begins with v=0 is the body.
func fromPeer(t *testing.T, method, ours string, headers ...string) *sip.Request {
	t.Helper()
	to := "To: <sip:us@example.com>"
	if ours != "" {
		to += ";tag=" + ours
	}
	lines := []string{method + " sip:us@10.0.0.2:5060 SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK1", "From: <sip:peer@example.com>;tag=theirs",
		to, "Call-ID: call", "CSeq: 2 " + method, "Contact: <sip:peer@10.0.0.9:5060>"}
	body := ""
	for _, h := range headers {
		if strings.HasPrefix(h, "v=0") {
			body = h
			lines = append(lines, "Content-Type: application/sdp")
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(h, "-"), ":")
		for i, l := range lines {
			if strings.HasPrefix(l, name+":") {
				lines = append(lines[:i], lines[i+1:]...)
				break
			}
		}
		if !strings.HasPrefix(h, "-") {
			lines = append(lines, h)
		}
	}
	m, err := sip.ParseMessage([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	req := m.(*sip.Request)
	if body != "" {
		req.SetBody([]byte(body))
	}
	req.SetTransport("UDP")
	req.SetSource("10.0.0.9:5060")
	return req
}

// taggedRequest is a request in the call "call".
func taggedRequest(method sip.RequestMethod, theirs, ours string) *sip.Request {
	tagged := func(tag string) sip.HeaderParams {
		p := sip.NewParams()
		if tag != "" {
			p.Add("tag", tag)
		}
		return p
	}
	id := sip.CallIDHeader("call")
	req := sip.NewRequest(method, sip.Uri{Scheme: "sip", Host: "h"})
	req.AppendHeader(&sip.FromHeader{Params: tagged(theirs)})
	req.AppendHeader(&sip.ToHeader{Params: tagged(ours)})
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 2, MethodName: method})
	return req
}

// watched shows each response to see before it is sent.
type watched struct {
	see func(*sip.Response)
	*keeping
}

func (w *watched) Respond(res *sip.Response) error {
	w.see(res)
	return w.keeping.Respond(res)
}

// resumed is the call in the store and in flight.
func (d *desk) resumed(t *testing.T, call dialogstore.Dialog) (*dialogset.Set, *dialogset.Dialog) {
	t.Helper()
	d.keep(t, call)
	set, dialog := d.calls.Sets.Resume(&call)
	dialog.Recall(calls.AgreedOf(&call.State))
	return set, dialog
}

// okTo is a 2xx of the application, with body as its description unless that is empty.
func okTo(req *sip.Request, body string, headers ...string) *sip.Response {
	res := sip.NewResponseFromRequest(req, 200, "OK", []byte(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		res.AppendHeader(sip.NewHeader(name, value))
	}
	if body != "" {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	return res
}
