package providers

import (
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// systems are what customers and carriers run.
var systems = []*profile{
	{
		name: "Teams Direct Routing",
		facts: []fact{
			{"t", "timers on calls without media bypass; header names in CAPITALS"},
			{"s", "Allow without UPDATE"},
			{"s" + notPlayed, "routes must be names, not addresses"},
			{"s", "hung up on the second re-INVITE that changed nothing"},
		},
		options: "`WithMode(sessiontimer.Accept)` and `WithRefresher(sessiontimer.Peer)`: it refreshes the calls that it makes; for ours we ask for no timer, since the second re-INVITE would end them",
		dead:    "its timer where it calls; where we call, nothing in RFC 4028 does: watch the media",
		calls:   []string{edge, "SUPPORTED: timer", "SESSION-EXPIRES: 1800;refresher=uac", "ALLOW: INVITE,ACK,BYE,CANCEL,OPTIONS"},
		answers: []string{edge, "SUPPORTED: timer", "ALLOW: INVITE,ACK,BYE,CANCEL,OPTIONS"},
		rewrite: []sipnet.Rule{{Pattern: `(?m)^[A-Za-z-]+:`, Upper: true}},
		opts:    []middleware.Option{middleware.WithMode(sessiontimer.Accept), middleware.WithRefresher(sessiontimer.Peer)},
		refresh: sip.INVITE, update: refuses405, repeats: 1,
	},
	{
		name: "BroadWorks",
		facts: []fact{
			{"t", "200 with `Require: timer`, `1800;refresher=uac`, `Supported: timer` and an empty Supported line"},
			{"t", "INVITE with `1801;refresher=uac`, `Min-Se: 180`, CSeq of 5e8, `CSeq:929…` without a space"},
			{"t", "an ACK with a session description"},
		},
		options: "none", dead: "the timer",
		calls:   []string{edge, "Supported:", "Supported: timer", "Session-Expires: 1801;refresher=uac", "Min-Se: 180", noUpdate},
		answers: []string{edge, "Require: timer", "Session-Expires: 1800;refresher=uac", "Supported: timer", "Supported:", noUpdate},
		rewrite: []sipnet.Rule{{Pattern: `(?m)^CSeq: `, To: "CSeq:"}}, number: 5e8,
		refresh: sip.INVITE, ackSDP: true, update: refuses405,
	},
	{
		name: "CUCM",
		facts: []fact{
			{"t", "200 with three Supported lines without timer, `Session-Expires:  1800;refresher=uas` and `Require:  timer`, two spaces each"},
			{"t", "holds by a re-INVITE without a session description"},
		},
		options: "none", dead: "its timer",
		answers: []string{edge, "Supported: replaces", "Supported: X-cisco-srtp-fallback", "Supported: Geolocation",
			"Session-Expires:  1800;refresher=uas", "Require:  timer", noUpdate},
		refresh: sip.INVITE, offerless: true, update: refuses405,
	},
	{
		name:    "Avaya Session Manager",
		facts:   []fact{{"s", "407 to re-INVITE and to BYE within the dialog"}},
		options: "`WithCredentials`, with the realm of its challenges: those given to sipgo or diago for the INVITE cannot be read", dead: "the timer",
		notes:      "sipgo's `Bye` does not answer the 407: the refreshes still stop, and the peer's session expires; an application that cannot wait sends a BYE with credentials itself",
		answers:    []string{edge, "Supported: timer", "Require: timer", "Session-Expires: 1800;refresher=uac", noUpdate},
		opts:       []middleware.Option{secret},
		challenges: challenges{again: true, bye: true}, update: refuses405,
	},
	{
		name:    "Oracle SBC",
		facts:   []fact{{"d", "refreshes by a re-INVITE with the session description sent before, or by an UPDATE without one; Session-Expires unchanged, with Min-SE"}},
		options: "none", dead: "the timer",
		calls:   []string{edge, "Supported: timer", "Session-Expires: 1800;refresher=uac", "Min-SE: 90", update},
		answers: []string{edge, "Supported: timer", "Require: timer", "Session-Expires: 1800;refresher=uas", update},
		refresh: sip.UPDATE,
	},
	{
		name:    "jambonz",
		facts:   []fact{{"c", "strips Session-Expires and keeps Require: a 200 with `Require: timer` and no interval"}},
		options: "none; do not use `WithStrict`, which reads that as no timer", dead: "the timer that we asked for and run alone",
		answers:  []string{edge, "Require: timer", noUpdate},
		stripped: true, update: refuses405, limit: 30 * time.Minute,
	},
	{
		name:    "VOS3000",
		facts:   []fact{{"t", "200 with `600;refresher=uas`, `Supported: timer, linknat`"}},
		options: "none", dead: "its timer",
		answers: []string{edge, "Session-Expires: 600;refresher=uas", "Supported: timer, linknat", noUpdate},
		refresh: sip.INVITE, update: refuses405,
	},
	{
		name:    "Sipwise",
		facts:   []fact{{"d", "if its refresh gets 481 or no answer, both legs end"}},
		options: "none: a refresh that changes nothing is answered here", dead: "the timer",
		calls:   []string{edge, "Supported: timer", "Session-Expires: 300;refresher=uac", "Min-SE: 90", update},
		answers: []string{edge, "Supported: timer", "Require: timer", "Session-Expires: 300;refresher=uas", update},
		refresh: sip.UPDATE,
	},
	{
		name: "LiveKit",
		facts: []fact{
			{"c", "no timers; UPDATE gets 405 without Allow; a re-INVITE gets 200 with the session description of the first answer, whatever direction is offered"},
			{"c", "it takes a CSeq that is not above the last for a new call"},
		},
		options: "none for live calls", dead: "it has no timers: use `WithMode(sessiontimer.Always)`; we then refresh alone, by re-INVITE",
		calls: []string{edge}, answers: []string{edge},
		update: refuses405,
	},
}
