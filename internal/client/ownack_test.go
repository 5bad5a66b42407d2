package client

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// answerTo returns the peer's 2xx to a request, which came from source.
func answerTo(req *sip.Request, contact *sip.Uri, source string) *sip.Response {
	res := sip.NewResponseFromRequest(req, 200, "OK", nil)
	if contact != nil {
		res.AppendHeader(&sip.ContactHeader{Address: *contact})
	}
	res.SetSource(source)
	res.SetTransport("UDP")
	return res
}

// RFC 3261 §13.2.2.4, §22.1: the ACK of our re-INVITE has the CSeq and the credentials of that,
// and goes where the re-INVITE went, else to the Contact of the 2xx. A peer that gets none hangs
// up, so a Contact that leads nowhere is not the last resort.
func TestAcknowledge(t *testing.T) {
	moved := uri(t, "sip:peer@"+elsewhere)
	nowhere := uri(t, "sip:peer@client.invalid")
	for _, c := range []struct {
		name, place string
		contact     *sip.Uri
		source      string
		uri, to     string // empty if none is sent
	}{
		{"no Contact", "", nil, them, "sip:peer@" + them, them},
		{"another Contact", "", &moved, them, "sip:peer@" + elsewhere, elsewhere},
		{"where the re-INVITE went", "10.0.0.7:5060", &moved, them, "sip:peer@" + elsewhere, "10.0.0.7:5060"},
		{"a Contact that leads nowhere", "", &nowhere, elsewhere, "sip:peer@client.invalid", elsewhere},
		{"neither leads anywhere", "", &nowhere, "", "", ""},
		{"where the re-INVITE went leads nowhere", "client.invalid:5060", &moved, them, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCall(t, nil, func(t *testing.T, call *call) {
				invite := call.request(t, sip.INVITE, 12)
				invite.AppendHeader(sip.NewHeader("Authorization", "Digest realm=\"a\""))
				before := call.d
				k := (&attempt{exchange: exchange{r: call.r, req: invite}, d: &call.d, place: c.place}).ack()
				k.acknowledge(answerTo(invite, c.contact, c.source))
				if call.d.RemoteTarget != before.RemoteTarget || call.d.Source != before.Source {
					t.Errorf("the dialog that others use is changed: %+v", call.d.State)
				}
				if c.to == "" {
					if n := len(call.sent()); n != 0 {
						t.Errorf("%d messages have left", n)
					}
					call.wantLog(t, 1, "cannot send the ACK for our re-INVITE", call.d.ID, "status=200", "error=")
					return
				}
				sent := call.last(t)
				ack := sent.SIP.(*sip.Request)
				if !ack.IsAck() || ack.Recipient.String() != c.uri || sent.To != c.to || ack.CSeq().SeqNo != 12 || ack.Via().Host != "10.0.0.1" {
					t.Errorf("sent to %s:\n%s\nwant it to %s", sent.To, ack, c.to)
				}
				if got := ack.GetHeader("Authorization"); got == nil || got.Value() != "Digest realm=\"a\"" {
					t.Errorf("credentials %v, want those of the re-INVITE", got)
				}
				call.wantLog(t, 0, "cannot send", call.d.ID)
			})
		})
	}
}

// On a stream the ACK takes an open connection: to where the re-INVITE went, or if that is
// closed by now, to where the dialog leads.
func TestAcknowledgeOverStream(t *testing.T) {
	for place, to := range map[string]string{elsewhere: elsewhere, "10.0.0.7:5060": "10.0.0.6:5060", "": "10.0.0.6:5060"} {
		stream := func(d *dialogstore.Dialog) {
			d.Transport, d.RemoteTarget = "tcp", "sip:peer@10.0.0.6:5060;transport=tcp"
		}
		inCall(t, stream, func(t *testing.T, c *call) {
			for _, addr := range []string{elsewhere, "10.0.0.6:5060"} {
				_ = c.net.StreamPeer(addr, us, "TCP")
			}
			synctest.Wait()
			invite := c.request(t, sip.INVITE, 12)
			k := &ownAck{c.r, &c.d, invite, place}
			k.acknowledge(answerTo(invite, nil, to))
			if sent := c.last(t); sent.To != to || sent.Transport != "tcp" || !strings.HasPrefix(string(sent.Raw), "ACK ") {
				t.Errorf("to %q: sent to %s over %s: %s", place, sent.To, sent.Transport, sent.Raw)
			}
		})
	}
}
