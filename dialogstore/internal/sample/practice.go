package sample

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Practice returns a typical state of a call, of usual size. States differ by their CSeq.
func Practice(callID string, version uint64) dialogstore.Dialog {
	sdp := []byte("v=0\r\no=- 4711 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0 101\r\n" +
		"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n")
	return dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:        dialogstore.ID{CallID: callID, LocalTag: "1928301774", RemoteTag: "a6c85cf"},
			LocalURI:  "<sip:answer@example.com>;tag=1928301774",
			RemoteURI: `"Alice" <sip:alice@example.net>;tag=a6c85cf`,
			RouteSet:  []string{"<sip:p1.example.net;lr>"},
			Transport: "udp",
			Policy:    sessiontimer.DefaultPolicy(),
		},
		State: dialogstore.State{
			Version:      version,
			RemoteTarget: "sip:alice@192.0.2.7:5062",
			Contact:      "<sip:answer@192.0.2.1:5060>",
			LocalAddr:    "192.0.2.1:5060",
			LocalCSeq:    uint32(version),
			SDP:          sdp,
			SDPType:      "application/sdp",
			PeerSDP:      sdp,
			PeerSDPType:  "application/sdp",
			Session:      sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local},
		},
	}
}
