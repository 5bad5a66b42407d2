package phone

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// SDP returns a session description for PCMU at host, on the discard port 9.
func SDP(host string) []byte {
	family := "IP4"
	if strings.Contains(host, ":") {
		family = "IP6"
	}
	at := "IN " + family + " " + host
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 %s\r\ns=-\r\nc=%s\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n", at, at)
}

// Respond answers a request without sipgo's dialogs.
func Respond(req *sip.Request, tx sip.ServerTransaction, status int, reason string, headers ...sip.Header) {
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	_ = tx.Respond(res)
}

// InDialog reports whether a request belongs to a call that is up.
func InDialog(req *sip.Request) bool {
	to := req.To()
	return to != nil && to.Params.Has("tag")
}

// Accept answers a re-INVITE that changes something, such as a hold, with our unchanging
// session description.
func Accept(req *sip.Request, tx sip.ServerTransaction, contact sip.Uri, sdp []byte) {
	res := sip.NewSDPResponseFromRequest(req, sdp)
	res.AppendHeader(&sip.ContactHeader{Address: contact})
	_ = tx.Respond(res)
}

// Handlers is a server of the timers, or of sipgo.
type Handlers interface {
	OnCancel(sipgo.RequestHandler)
	OnOptions(sipgo.RequestHandler)
	RegisteredMethods() []string
}

// HandleRest answers OPTIONS, by which others check that we are there, and a CANCEL that
// comes too late. Register all other handlers first.
func HandleRest(srv Handlers) {
	srv.OnCancel(func(req *sip.Request, tx sip.ServerTransaction) { NoSuchCall(req, tx) })
	methods := append(srv.RegisteredMethods(), sip.OPTIONS.String())
	slices.Sort(methods)
	allow := strings.Join(methods, ", ")
	srv.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
		Respond(req, tx, sip.StatusOK, "OK", sip.NewHeader("Allow", allow),
			sip.NewHeader("Accept", "application/sdp"), sip.NewHeader("Supported", "timer"))
	})
}

// NoSuchCall answers a request within an unknown call.
func NoSuchCall(req *sip.Request, tx sip.ServerTransaction) {
	Respond(req, tx, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
}
