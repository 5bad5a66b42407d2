package dialogstore_test

import (
	"fmt"
	"runtime"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

var sdp = []byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n")

// typicalID returns the ID of the i-th call as a SIP stack makes it, with the usual number of
// hex digits.
func typicalID(i int) dialogstore.ID {
	n := uint64(i) * 0x9e3779b97f4a7c15 // so that they differ everywhere
	return dialogstore.ID{
		CallID:    fmt.Sprintf("%016x%016x", n, ^n),
		LocalTag:  fmt.Sprintf("%016x", n+1),
		RemoteTag: fmt.Sprintf("%016x", n+2),
	}
}

func typicalIDs(n int) []dialogstore.ID {
	ids := make([]dialogstore.ID, n)
	for i := range ids {
		ids[i] = typicalID(i)
	}
	return ids
}

// typical returns the i-th call of a user agent. It shares only its ID and session
// descriptions; all other strings are new.
func typical(id dialogstore.ID, i int) dialogstore.Dialog {
	ours := sip.Uri{Scheme: "sip", User: "pbx", Host: "10.20.30.40", Port: 5060}
	theirs := sip.Uri{Scheme: "sip", User: fmt.Sprintf("+4930%07d", i), Host: "10.20.30.41", Port: 5060}
	caller := sip.Uri{Scheme: "sip", User: fmt.Sprintf("+4940%07d", i), Host: "10.20.30.40", Port: 5060}
	target := sip.Uri{Scheme: "sip", User: "user", Host: "192.0.2.7", Port: 5060}
	from := sip.FromHeader{Address: caller, Params: sip.NewParams()}
	from.Params.Add("tag", id.LocalTag)
	to := sip.ToHeader{Address: theirs, Params: sip.NewParams()}
	to.Params.Add("tag", id.RemoteTag)
	contact := sip.ContactHeader{Address: ours}
	return dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:         id,
			LocalURI:   from.Value(),
			RemoteURI:  to.Value(),
			Transport:  "udp",
			Supported:  "replaces, 100rel",
			OwnsCallID: true,
			Policy:     sessiontimer.DefaultPolicy(),
		},
		State: dialogstore.State{
			Version:      1,
			RemoteTarget: target.String(),
			Contact:      contact.Value(),
			LocalAddr:    "10.20.30.40:5060",
			Source:       "192.0.2.7:5060",
			LocalCSeq:    1,
			SDP:          sdp,
			SDPType:      "application/sdp",
			PeerSDP:      sdp,
			Session:      sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local, Since: time.Now()},
			LastMethod:   "INVITE",
			PeerTimer:    true,
			PeerUpdate:   true,
		},
	}
}

// refreshed returns a dialog after a refresh.
func refreshed(d dialogstore.Dialog) (dialogstore.State, error) {
	d.Version++
	d.LocalCSeq++
	d.Session.Since = d.Session.Since.Add(d.Session.Interval / 2)
	d.Session.RefreshAfter = d.Session.Interval/2 - time.Millisecond
	return d.State, nil
}

// heap returns the live heap.
func heap() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
