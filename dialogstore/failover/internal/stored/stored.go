// Package stored defines how registries write a dialog: as two JSON objects, one with the
// members that refreshes change and one with the rest. The modules of the registries use
// this package, so its functions keep their meaning.
//
// A version of this package reads dialogs that earlier and later versions wrote. Members
// that it does not know come from a later version: it ignores them, and writes them again
// with the dialog. A format that it does not know is refused: see Format.
package stored

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Format is raised when earlier versions must not read what this one writes, but not for a
// new member that they may ignore.
const Format = 1

// hot has the members that a refresh may change.
type hot struct {
	Format     int      `json:"format"`
	Version    uint64   `json:"version"`
	LocalCSeq  uint32   `json:"local_cseq,omitzero"`
	RemoteCSeq uint32   `json:"remote_cseq,omitzero"`
	Session    session  `json:"session,omitzero"`
	LastMethod string   `json:"last_method,omitzero"`
	MinSE      duration `json:"min_se,omitzero"`
	Source     string   `json:"source,omitzero"`
	Behind     bool     `json:"behind,omitzero"`
	Answered   string   `json:"answered,omitzero"`
}

// session is a sessiontimer.Session without Since, which the registry keeps by its clock.
type session struct {
	Interval     duration               `json:"interval,omitzero"`
	Refresher    sessiontimer.Refresher `json:"refresher,omitzero"`
	RefreshAfter duration               `json:"refresh_after,omitzero"`
}

// cold has the other members.
type cold struct {
	Began         time.Time `json:"began,omitzero"`
	LocalURI      string    `json:"local_uri,omitzero"`
	RemoteURI     string    `json:"remote_uri,omitzero"`
	RemoteTarget  string    `json:"remote_target,omitzero"`
	RouteSet      []string  `json:"route_set,omitempty"`
	Contact       string    `json:"contact,omitzero"`
	Transport     string    `json:"transport,omitzero"`
	LocalAddr     string    `json:"local_addr,omitzero"`
	Destination   string    `json:"destination,omitzero"`
	Supported     string    `json:"supported,omitzero"`
	Require       string    `json:"require,omitzero"`
	ProxyRequire  string    `json:"proxy_require,omitzero"`
	Accepted      string    `json:"accepted,omitzero"`
	SDP           text      `json:"sdp,omitempty"`
	SDPType       string    `json:"sdp_type,omitzero"`
	PeerSDP       text      `json:"peer_sdp,omitempty"`
	PeerSDPType   string    `json:"peer_sdp_type,omitzero"`
	PeerSDPBeside uint32    `json:"peer_sdp_beside,omitzero"`
	SDPOffered    bool      `json:"sdp_offered,omitzero"`
	PeerTimer     bool      `json:"peer_timer,omitzero"`
	PeerUpdate    bool      `json:"peer_update,omitzero"`
	NoUpdate      bool      `json:"no_update,omitzero"`
	OwnsCallID    bool      `json:"owns_call_id,omitzero"`
	Policy        policy    `json:"policy,omitzero"`
}

// policy is a sessiontimer.Policy.
type policy struct {
	Mode           sessiontimer.Mode      `json:"mode,omitzero"`
	SessionExpires duration               `json:"session_expires,omitzero"`
	MinSE          duration               `json:"min_se,omitzero"`
	Refresher      sessiontimer.Refresher `json:"refresher,omitzero"`
	Method         sessiontimer.Method    `json:"method,omitzero"`
	MaxInterval    duration               `json:"max_interval,omitzero"`
	MaxMinSE       duration               `json:"max_min_se,omitzero"`
	Strict         bool                   `json:"strict,omitzero"`
	Unsafe         bool                   `json:"unsafe,omitzero"`
}

func encode(d *dialogstore.Dialog) (hotJSON, coldJSON []byte, err error) {
	h := hot{
		Format: Format, Version: d.Version, LocalCSeq: d.LocalCSeq, RemoteCSeq: d.RemoteCSeq,
		Session:    session{duration(d.Session.Interval), d.Session.Refresher, duration(d.Session.RefreshAfter)},
		LastMethod: d.LastMethod, MinSE: duration(d.MinSE), Source: d.Source, Behind: d.Behind, Answered: d.Answered,
	}
	p := &d.Policy
	c := cold{
		Began: d.Began.UTC(), LocalURI: d.LocalURI, RemoteURI: d.RemoteURI, RemoteTarget: d.RemoteTarget, RouteSet: d.RouteSet, Contact: d.Contact,
		Transport: d.Transport, LocalAddr: d.LocalAddr, Destination: d.Destination,
		Supported: d.Supported, Require: d.Require, ProxyRequire: d.ProxyRequire, Accepted: d.Accepted,
		SDP: d.SDP, SDPType: d.SDPType, PeerSDP: d.PeerSDP, PeerSDPType: d.PeerSDPType, PeerSDPBeside: d.PeerSDPBeside, SDPOffered: d.SDPOffered,
		PeerTimer: d.PeerTimer, PeerUpdate: d.PeerUpdate, NoUpdate: d.NoUpdate, OwnsCallID: d.OwnsCallID,
		Policy: policy{p.Mode, duration(p.SessionExpires), duration(p.MinSE), p.Refresher, p.Method,
			duration(p.MaxInterval), duration(p.MaxMinSE), p.Strict, p.Unsafe},
	}
	if hotJSON, err = Marshal(&h); err != nil {
		return nil, nil, err
	}
	coldJSON, err = Marshal(&c)
	return hotJSON, coldJSON, err
}

// Marshal is json.Marshal that leaves the angle brackets of URIs readable.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Decode returns the dialog id as it was encoded. It checks everything that could make a
// node misbehave except control characters: see dialogstore.Dialog.Check.
func Decode(id dialogstore.ID, hotJSON, coldJSON []byte) (dialogstore.Dialog, error) {
	d, _, err := decode(id, hotJSON, coldJSON)
	return d, err
}

// The bounds of what is read.
const (
	mostBytes   = 1 << 20 // of both objects
	mostRoutes  = 70      // RFC 3261 §8.1.1.6
	maxInterval = math.MaxUint32 * time.Second
)

func decode(id dialogstore.ID, hotJSON, coldJSON []byte) (d dialogstore.Dialog, more unknown, err error) {
	var h hot
	var c cold
	if n := len(hotJSON) + len(coldJSON); n > mostBytes {
		return d, more, fmt.Errorf("%d bytes, more than %d", n, mostBytes)
	}
	if more.hot, err = unmarshal(hotJSON, &h); err != nil {
		return d, more, err
	}
	if h.Format < 1 || h.Format > Format {
		return d, more, fmt.Errorf("format %d, want 1 to %d", h.Format, Format)
	}
	if more.cold, err = unmarshal(coldJSON, &c); err != nil {
		return d, more, err
	}
	d = h.and(&c)
	d.ID = id
	return d, more, check(&d)
}

// and returns the dialog of h and c.
func (h *hot) and(c *cold) dialogstore.Dialog {
	p := &c.Policy
	return dialogstore.Dialog{
		Origin: dialogstore.Origin{
			OwnsCallID: c.OwnsCallID, Began: c.Began,
			Policy: sessiontimer.Policy{Mode: p.Mode, SessionExpires: time.Duration(p.SessionExpires), MinSE: time.Duration(p.MinSE),
				Refresher: p.Refresher, Method: p.Method, MaxInterval: time.Duration(p.MaxInterval), MaxMinSE: time.Duration(p.MaxMinSE),
				Strict: p.Strict, Unsafe: p.Unsafe},
			LocalURI: c.LocalURI, RemoteURI: c.RemoteURI, RouteSet: c.RouteSet, Transport: c.Transport,
			Supported: c.Supported, Require: c.Require, ProxyRequire: c.ProxyRequire,
		},
		State: dialogstore.State{
			Version:      h.Version,
			RemoteTarget: c.RemoteTarget, Contact: c.Contact, LocalAddr: c.LocalAddr,
			Destination: c.Destination, Source: h.Source, Behind: h.Behind, Answered: h.Answered,
			LocalCSeq: h.LocalCSeq, RemoteCSeq: h.RemoteCSeq, Accepted: c.Accepted,
			SDP: c.SDP, SDPType: c.SDPType, PeerSDP: c.PeerSDP, PeerSDPType: c.PeerSDPType, PeerSDPBeside: c.PeerSDPBeside, SDPOffered: c.SDPOffered,
			Session: sessiontimer.Session{Interval: time.Duration(h.Session.Interval), Refresher: h.Session.Refresher,
				RefreshAfter: time.Duration(h.Session.RefreshAfter)},
			LastMethod: h.LastMethod, MinSE: time.Duration(h.MinSE), PeerTimer: c.PeerTimer, PeerUpdate: c.PeerUpdate, NoUpdate: c.NoUpdate,
		},
	}
}

func check(d *dialogstore.Dialog) error {
	switch s := d.Session; {
	case s.Interval < 0 || s.Interval > maxInterval:
		return fmt.Errorf("interval %v, want 0 to 2^32-1 s", s.Interval)
	case s.RefreshAfter < 0 || s.RefreshAfter > maxInterval:
		return fmt.Errorf("refresh_after %v, want 0 to 2^32-1 s", s.RefreshAfter)
	case d.MinSE < 0 || d.MinSE > maxInterval:
		return fmt.Errorf("min_se %v, want 0 to 2^32-1 s", d.MinSE)
	case d.Version < 1:
		return errors.New("version 0")
	case len(d.RouteSet) > mostRoutes:
		return fmt.Errorf("%d routes, more than %d", len(d.RouteSet), mostRoutes)
	}
	return nil
}
