package providers

import (
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const edge = "Contact: <sip:10.0.0.9:5060>"

// carriers are other carriers.
var carriers = []*profile{
	{
		name:    "CALLR",
		facts:   []fact{{"s", "200 with `1800;refresher=uas` to an INVITE that does not list timer, Allow without UPDATE; its re-INVITE 896 s after the answer; BYE if nobody answers that"}},
		options: "none", dead: "its timer, in every mode but `Off`",
		with:    "`WithMode(sessiontimer.Accept)`: our INVITE lists timer, but asks for none",
		answers: []string{edge, "Session-Expires: 1800;refresher=uas", noUpdate},
		opts:    []middleware.Option{middleware.WithMode(sessiontimer.Accept)},
		update:  refuses405, refresh: sip.INVITE, early: 4 * time.Second,
	},
	{
		name:    "Bandwidth",
		facts:   []fact{{"s", "sometimes 200 with `Session-Expires: 30`, below the 90 s of RFC 4028: the call ends at 30 s where nobody refreshes at 15 s"}},
		options: "none; do not use `WithStrict`, which ignores such an interval", dead: "the timer",
		answers: []string{edge, "Supported: timer", "Session-Expires: 30;refresher=uac", update},
		fixed:   "30;refresher=uac",
	},
	{
		name: "Meta, WhatsApp",
		facts: []fact{
			{"t", "INVITE without timers"},
			{"t", "200 to an INVITE with timers: `Supported: timer`, neither Session-Expires nor Require; Allow without UPDATE; 407 to the first INVITE; two Content-Type and two Content-Length lines"},
			{"s", "a re-INVITE fails the call"},
		},
		options:    "`WithMode(sessiontimer.Accept)`: it runs no timer; otherwise a re-INVITE of its own that lists timer would get one from us, and then re-INVITEs",
		dead:       "nothing in RFC 4028: watch the media. `Always` would end live calls",
		calls:      []string{edge, noUpdate},
		answers:    []string{edge, "Supported: timer", noUpdate},
		rewrite:    []sipnet.Rule{{Pattern: `(?m)^(Content-Type: .*\n)`, To: "$1$1"}, {Pattern: `(?m)^(Content-Length: .*\n)`, To: "$1$1"}},
		challenges: challenges{first: true}, update: refuses405, repeats: -1, opts: []middleware.Option{middleware.WithMode(sessiontimer.Accept)},
	},
	{
		name:    "An operator behind NIXI",
		facts:   []fact{{"s", "422 with `Min-SE: 14400` to 1800 s; a retry with two Min-SE is refused again"}},
		options: "none: `WithMaxMinSE` allows 24 h by default", dead: "the timer, within 2 h 32 s: we refresh every 2 h",
		answers: []string{edge, "Supported: timer", "Require: timer", "Session-Expires: {asked};refresher=uac", update},
		minSE:   14400,
	},
	{
		name:    "RingCentral",
		facts:   []fact{{"d", "INVITE with `14400;refresher=uac`"}},
		options: "none: the 200 lowers 4 h to `WithSessionExpires`", dead: "the timer",
		calls:   []string{edge, "Supported: timer", "Session-Expires: 14400;refresher=uac", noUpdate},
		refresh: sip.INVITE, update: refuses405,
	},
	{
		name: "NTT NGN",
		facts: []fact{
			{"t", "200 to 1800 s: `x: 300;refresher=uas`, `Require: timer`, `k: 100rel` without timer, all compact"},
			{"t", "always answers to port 5060"},
		},
		options: "none; listen on port 5060", dead: "its timer",
		answers: []string{edge, "x: 300;refresher=uas", "Require: timer", "k: 100rel", noUpdate},
		rewrite: []sipnet.Rule{
			{Pattern: `(?m)^Via: `, To: "v: "}, {Pattern: `(?m)^From: `, To: "f: "}, {Pattern: `(?m)^To: `, To: "t: "}, {Pattern: `(?m)^Call-ID: `, To: "i: "},
			{Pattern: `(?m)^Contact: `, To: "m: "}, {Pattern: `(?m)^Content-Type: `, To: "c: "}, {Pattern: `(?m)^Content-Length: `, To: "l: "},
			{Pattern: `(?m)^Session-Expires: `, To: "x: "},
		},
		refresh: sip.INVITE, update: refuses405,
	},
	{
		name:    "Deutsche Telekom",
		facts:   []fact{{"t", "INVITE with `Session-Expires: 1800`, `Min-Se: 900` (spelled so), four Supported lines"}},
		options: "none; the interval is 900 s or more", dead: "the timer",
		calls: []string{edge, "Session-Expires: 1800", "Min-Se: 900", "Supported: 100rel", "Supported: timer", "Supported: replaces",
			"Supported: histinfo", update},
		refresh: sip.UPDATE,
	},
	{
		name:    "TDC",
		facts:   []fact{{"t", "INVITE with `CSeq: 1       INVITE`, seven spaces"}},
		options: "none; sipgo does not understand those spaces in a response (docs/upstream.md)", dead: "the timer that we add, or that it asks for",
		calls:   []string{edge, "Supported: timer", "Session-Expires: 1800;refresher=uac", noUpdate},
		rewrite: []sipnet.Rule{{Pattern: `(?m)^(CSeq: \d+) (INVITE|UPDATE|BYE|ACK)`, To: "$1       $2", Requests: true}},
		refresh: sip.INVITE, update: refuses405,
	},
	{
		name:    "Localphone (Sonus)",
		facts:   []fact{{"t", "200 with `600;refresher=uas`, `Supported: timer`, no Require"}},
		options: "none", dead: "its timer",
		answers: []string{edge, "Session-Expires: 600;refresher=uas", "Supported: timer", noUpdate},
		refresh: sip.INVITE, update: refuses405,
	},
	{
		name:    "Exotel",
		facts:   []fact{{"s", "Record-Route over TCP, Contact over TLS on a port that refuses"}},
		options: "none: requests go to the Record-Route", dead: "`WithMode(sessiontimer.Always)`, or its timer if it names one",
		over: "tcp",
		answers: []string{"Record-Route: <sip:10.0.0.9:5060;transport=tcp;lr>", "Contact: <sip:10.0.0.66:5061;transport=tls>", "Supported: timer",
			"Session-Expires: 1800;refresher=uac", noUpdate},
		calls:  []string{"Record-Route: <sip:10.0.0.9:5060;transport=tcp;lr>", "Contact: <sip:10.0.0.66:5061;transport=tls>", noUpdate},
		update: refuses405,
	},
	{
		name:    "BulkVS",
		facts:   []fact{{"s", "re-INVITE at 20 min, with nearly the same session description"}},
		options: "none. The description is not quite the same, so the re-INVITE reaches the application's INVITE handler", dead: "its timer, if it agrees on one",
		calls:   []string{edge, "Supported: timer", "Session-Expires: 1800;refresher=uac", noUpdate},
		refresh: sip.INVITE, early: -5 * time.Minute, bumps: true, update: refuses405,
	},
	{
		name:    "A PSTN peer",
		facts:   []fact{{"s", "Allow without UPDATE, and no answer at all to UPDATE"}},
		options: "none: a re-INVITE goes out at once. Do not use `WithMethod(sessiontimer.MethodUpdate)`, which costs an UPDATE and up to 24 s", dead: "the timer",
		with:    "`WithMethod(sessiontimer.MethodUpdate)`, and 90 s, where that costs most; the call still lives",
		answers: []string{edge, "Supported: timer", "Session-Expires: 90;refresher=uac", noUpdate},
		opts:    []middleware.Option{middleware.WithMethod(sessiontimer.MethodUpdate)},
		update:  silent,
	},
}
