package calls

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A request in the peer's name goes to our Contact, or to our URI if the application
// sends no Contact.
func TestRequestOfPeer(t *testing.T) {
	for _, c := range []struct{ name, contact, want string }{
		{"to our Contact", "<sip:us@10.0.0.2:5070>;expires=60", "sip:us@10.0.0.2:5070"},
		{"no Contact", "", "sip:us@example.com"},
	} {
		var d dialogstore.Dialog
		d.CallID, d.LocalTag, d.RemoteTag = "call", "ours", "theirs"
		d.LocalURI, d.RemoteURI = "<sip:us@example.com>;tag=ours", "<sip:peer@example.com>;tag=theirs"
		d.Contact, d.RemoteTarget, d.Transport = c.contact, "sip:peer@10.0.0.9:5080", "UDP"
		req, err := requestOfPeer(d, sip.BYE, 17)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := req.Recipient.String(); got != c.want {
			t.Errorf("%s: it goes to %s, want %s", c.name, got, c.want)
		}
		if req.CSeq().SeqNo != 17 || req.From().Params.GetOr("tag", "") != "theirs" || req.To().Params.GetOr("tag", "") != "ours" ||
			req.Source() != "10.0.0.9:5080" {
			t.Errorf("%s: it is not the peer's:\n%s", c.name, req)
		}
	}
}
