package dialogstore

import (
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/sipgo-contrib/sessiontimer"
)

// record is a dialog in Memory. It is immutable once stored: an update replaces it. So a
// pointer is a snapshot, and the same pointer means that nothing has changed.
type record struct {
	id      ID
	version uint64
	common  unique.Handle[common]
	contact unique.Handle[string] // not in common: some user agents have one per number
	uris    uris
	routes  *[]string // nil without a route set

	localCSeq, remoteCSeq uint32
	sdp, peerSDP          []byte

	since        time.Time
	refreshAfter time.Duration
	began        int64 // in nanoseconds, as of time.UnixNano; 0 for a zero time
}

// common has the values that many calls of a user agent have in common and few updates
// change. Records with equal values share one.
type common struct {
	transport, localAddr             string
	supported, require, proxyRequire string
	accepted                         string
	sdpType, peerSDPType, lastMethod string
	refresher                        sessiontimer.Refresher
	interval                         time.Duration
	minSE                            time.Duration
	peerSDPBeside                    uint32

	behind, peerTimer, peerUpdate, noUpdate, ownsCallID, sdpOffered bool

	policy sessiontimer.Policy
}

// uris is LocalURI, RemoteURI, RemoteTarget, Destination, Source and Answered in one
// string, which takes less memory than six. The last two are usually a part of the
// others.
type uris struct {
	text             string
	ends             [4]uint32 // of the first four
	source, answered span
}

// span is a part of a string.
type span struct{ from, to uint32 }

func newRecord(d *Dialog) *record {
	r := record{id: d.ID, routes: routes(d.RouteSet), began: nanoseconds(d.Began)}
	return r.with(&d.Origin, &d.State)
}

// with returns the dialog with another state. o is its origin. Equal parts are shared
// with r. The slices have no spare capacity, so that an append to a copy never writes to
// an array that another one sees.
func (r record) with(o *Origin, s *State) *record {
	r.version = s.Version
	r.common = interned(commonOf(o, s), r.common)
	r.contact = interned(s.Contact, r.contact)
	r.uris = joined(o, s, r.uris)
	r.localCSeq, r.remoteCSeq = s.LocalCSeq, s.RemoteCSeq
	r.sdp, r.peerSDP = slices.Clip(s.SDP), slices.Clip(s.PeerSDP)
	r.since, r.refreshAfter = s.Session.Since, s.Session.RefreshAfter
	return &r
}

// dialog returns the Dialog that r was made from.
func (r *record) dialog() (d Dialog) {
	c, u := r.common.Value(), &r.uris
	d.ID = r.id
	d.Version = r.version
	d.LocalURI = u.text[:u.ends[0]]
	d.RemoteURI = u.text[u.ends[0]:u.ends[1]]
	d.RemoteTarget = u.text[u.ends[1]:u.ends[2]]
	d.Destination = u.text[u.ends[2]:u.ends[3]]
	d.Source = u.source.of(u.text)
	d.Answered = u.answered.of(u.text)
	d.Contact = r.contact.Value()
	d.Transport = c.transport
	d.LocalAddr = c.localAddr
	d.Behind = c.behind
	d.LocalCSeq = r.localCSeq
	d.RemoteCSeq = r.remoteCSeq
	d.Supported = c.supported
	d.Require = c.require
	d.ProxyRequire = c.proxyRequire
	d.Accepted = c.accepted
	d.SDP = r.sdp
	d.SDPType = c.sdpType
	d.PeerSDP = r.peerSDP
	d.PeerSDPType = c.peerSDPType
	d.PeerSDPBeside = c.peerSDPBeside
	d.SDPOffered = c.sdpOffered
	d.Session.Interval = c.interval
	d.Session.Refresher = c.refresher
	d.Session.Since = r.since
	d.Session.RefreshAfter = r.refreshAfter
	d.LastMethod = c.lastMethod
	d.MinSE = c.minSE
	d.PeerTimer = c.peerTimer
	d.PeerUpdate = c.peerUpdate
	d.NoUpdate = c.noUpdate
	d.OwnsCallID = c.ownsCallID
	d.Policy = c.policy
	if r.began != 0 {
		d.Began = time.Unix(0, r.began)
	}
	if r.routes != nil {
		d.RouteSet = *r.routes
	}
	return d
}

// nanoseconds returns t as of time.UnixNano, which takes less memory and ends in 2262; 0 for
// the zero time.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func commonOf(o *Origin, s *State) common {
	return common{
		transport:     o.Transport,
		localAddr:     s.LocalAddr,
		supported:     o.Supported,
		require:       o.Require,
		proxyRequire:  o.ProxyRequire,
		accepted:      s.Accepted,
		sdpType:       s.SDPType,
		peerSDPType:   s.PeerSDPType,
		peerSDPBeside: s.PeerSDPBeside,
		sdpOffered:    s.SDPOffered,
		lastMethod:    s.LastMethod,
		refresher:     s.Session.Refresher,
		interval:      s.Session.Interval,
		minSE:         s.MinSE,
		behind:        s.Behind,
		peerTimer:     s.PeerTimer,
		peerUpdate:    s.PeerUpdate,
		noUpdate:      s.NoUpdate,
		ownsCallID:    o.OwnsCallID,
		policy:        o.Policy,
	}
}

// interned returns the handle of v. It avoids the lookup if before, the handle in the
// previous record, has the same value.
func interned[T comparable](v T, before unique.Handle[T]) unique.Handle[T] {
	if before != (unique.Handle[T]{}) && before.Value() == v {
		return before
	}
	return unique.Make(v)
}

func joined(o *Origin, s *State, before uris) uris {
	if before.are(o, s) {
		return before
	}
	texts := [6]string{o.LocalURI, o.RemoteURI, s.RemoteTarget, s.Destination}
	for i, place := range [...]string{s.Source, s.Answered} {
		if !strings.Contains(s.RemoteTarget, place) {
			texts[4+i] = place
		}
	}
	u := uris{text: strings.Join(texts[:], "")}
	end := 0
	for i := range u.ends {
		end += len(texts[i])
		u.ends[i] = uint32(end)
	}
	u.source, u.answered = spanOf(u.text, s.Source), spanOf(u.text, s.Answered)
	return u
}

func (u *uris) are(o *Origin, s *State) bool {
	return u.text[:u.ends[0]] == o.LocalURI && u.text[u.ends[0]:u.ends[1]] == o.RemoteURI &&
		u.text[u.ends[1]:u.ends[2]] == s.RemoteTarget && u.text[u.ends[2]:u.ends[3]] == s.Destination &&
		u.source.of(u.text) == s.Source && u.answered.of(u.text) == s.Answered
}

// spanOf returns where part is in text.
func spanOf(text, part string) span {
	from := strings.Index(text, part)
	return span{uint32(from), uint32(from + len(part))}
}

func (s span) of(text string) string { return text[s.from:s.to] }

func routes(set []string) *[]string {
	if len(set) == 0 {
		return nil
	}
	clipped := slices.Clip(set)
	return &clipped
}
