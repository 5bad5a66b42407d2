package sipmsg

import "github.com/emiago/sipgo/sip"

// SetCSeq renumbers a request. The header may be a lazily parsed copy, so it is
// replaced.
func SetCSeq(req *sip.Request, n uint32) {
	if h := req.CSeq(); h != nil && (h.SeqNo != n || h.MethodName != req.Method) {
		req.ReplaceHeader(&sip.CSeqHeader{SeqNo: n, MethodName: req.Method})
	}
}

// NewBranch gives a request a new branch, because it is sent again in a new transaction.
func NewBranch(req *sip.Request) {
	req.Via().Params.Add("branch", sip.GenerateBranchN(16))
}

// Forwarded reports whether the application forwards the request as a proxy: it has a second
// Via.
func Forwarded(req *sip.Request) bool { return Vias(req) > 1 }

// Vias returns the number of Via header fields of a request.
func Vias(req *sip.Request) int {
	vias := 0
	for _, h := range req.Headers() {
		if _, ok := h.(*sip.ViaHeader); ok {
			vias++
		}
	}
	return vias
}

// CompleteContact fills in host and port of a Contact from the Via, as sipgo does for a
// client without a requester.
func CompleteContact(req *sip.Request) {
	contact, via := req.Contact(), req.Via()
	if contact == nil || via == nil || contact.Address.Port != 0 {
		return
	}
	switch contact.Address.Host {
	case "":
		contact.Address.Host, contact.Address.Port = via.Host, via.Port
	case via.Host:
		contact.Address.Port = via.Port
	}
}
