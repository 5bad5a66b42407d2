package dialogstore

import (
	"slices"
	"time"
	"unique"

	"github.com/sipgo-contrib/sessiontimer"
)

// record is what Memory keeps of a dialog. It is never written to once it is
// stored: an update puts another record in its place. So a pointer is a
// snapshot, and whoever finds the same pointer again knows that nothing has
// changed.
type record struct {
	id      ID
	version uint64
	common  unique.Handle[common]
	uris    uris

	routeSet              []string
	localCSeq, remoteCSeq uint32
	sdp, peerSDP          []byte
	since                 time.Time
	refreshAfter          time.Duration
}

// common is what many calls of a user agent have in common and few updates
// change. All records with the same share one.
type common struct {
	contact, transport, localAddr    string
	supported, require, proxyRequire string
	sdpType, lastMethod              string
	interval, minSE                  time.Duration
	refresher                        sessiontimer.Refresher

	peerTimer, peerUpdate, noUpdate, ownsCallID bool

	policy sessiontimer.Policy
}

// uris is LocalURI, RemoteURI, RemoteTarget and Destination in one text, which
// takes less than four.
type uris struct {
	text                  string
	local, remote, target uint32 // where each ends
}

// newRecord is d as it is to be stored, in the place of old if that is not nil.
// What an update leaves as it was is kept once. The slices have no spare
// capacity, so that an append to a copy never writes to what another one sees.
func newRecord(d *Dialog, old *record) *record {
	r := &record{
		id:           d.ID,
		version:      d.Version,
		routeSet:     slices.Clip(d.RouteSet),
		localCSeq:    d.LocalCSeq,
		remoteCSeq:   d.RemoteCSeq,
		sdp:          slices.Clip(d.SDP),
		peerSDP:      slices.Clip(d.PeerSDP),
		since:        d.Session.Since,
		refreshAfter: d.Session.RefreshAfter,
	}
	if old != nil && old.uris.are(d) {
		r.uris = old.uris
	} else {
		r.uris = joined(d)
	}
	if c := commonOf(d); old != nil && old.common.Value() == c {
		r.common = old.common
	} else {
		r.common = unique.Make(c)
	}
	return r
}

// dialog is the Dialog that r was made of.
func (r *record) dialog() Dialog {
	c, u := r.common.Value(), &r.uris
	return Dialog{
		ID:           r.id,
		Version:      r.version,
		LocalURI:     u.text[:u.local],
		RemoteURI:    u.text[u.local:u.remote],
		RemoteTarget: u.text[u.remote:u.target],
		RouteSet:     r.routeSet,
		Contact:      c.contact,
		Transport:    c.transport,
		LocalAddr:    c.localAddr,
		Destination:  u.text[u.target:],
		LocalCSeq:    r.localCSeq,
		RemoteCSeq:   r.remoteCSeq,
		Supported:    c.supported,
		Require:      c.require,
		ProxyRequire: c.proxyRequire,
		SDP:          r.sdp,
		SDPType:      c.sdpType,
		PeerSDP:      r.peerSDP,
		Session: sessiontimer.Session{
			Interval:     c.interval,
			Refresher:    c.refresher,
			Since:        r.since,
			RefreshAfter: r.refreshAfter,
		},
		LastMethod: c.lastMethod,
		MinSE:      c.minSE,
		PeerTimer:  c.peerTimer,
		PeerUpdate: c.peerUpdate,
		NoUpdate:   c.noUpdate,
		OwnsCallID: c.ownsCallID,
		Policy:     c.policy,
	}
}

func commonOf(d *Dialog) common {
	return common{
		contact:      d.Contact,
		transport:    d.Transport,
		localAddr:    d.LocalAddr,
		supported:    d.Supported,
		require:      d.Require,
		proxyRequire: d.ProxyRequire,
		sdpType:      d.SDPType,
		lastMethod:   d.LastMethod,
		interval:     d.Session.Interval,
		minSE:        d.MinSE,
		refresher:    d.Session.Refresher,
		peerTimer:    d.PeerTimer,
		peerUpdate:   d.PeerUpdate,
		noUpdate:     d.NoUpdate,
		ownsCallID:   d.OwnsCallID,
		policy:       d.Policy,
	}
}

func joined(d *Dialog) uris {
	u := uris{text: d.LocalURI + d.RemoteURI + d.RemoteTarget + d.Destination}
	u.local = uint32(len(d.LocalURI))
	u.remote = u.local + uint32(len(d.RemoteURI))
	u.target = u.remote + uint32(len(d.RemoteTarget))
	return u
}

// are reports whether u is what joined would make of d.
func (u *uris) are(d *Dialog) bool {
	return u.text[:u.local] == d.LocalURI && u.text[u.local:u.remote] == d.RemoteURI &&
		u.text[u.remote:u.target] == d.RemoteTarget && u.text[u.target:] == d.Destination
}
