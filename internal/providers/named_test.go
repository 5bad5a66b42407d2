package providers

import (
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const (
	noUpdate = "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE"
	update   = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY"
)

// named are the providers that most users ask for.
var named = []*profile{
	{
		name: "SignalWire",
		facts: []fact{
			{"t", "INVITE over TLS with `Supported: timer, path, replaces`, `Session-Expires: 600;refresher=uac`, `Min-SE: 90`, UPDATE in Allow"},
			{"t" + notPlayed, "the same header fields in the INVITE after a 407"},
			{"t", "`Record-Route` with `;transport=tls;lr;ftag=…;nat=yes`, Contact `sip:mod_sofia@…;transport=tls;swrad=ip~port~3`"},
			{"c", "sofia-sip, when it waits for refreshes: BYE 32 s before expiry, or a tenth of the interval if that is less, with `Reason: SIP;cause=408;text=\"Session timeout\"`"},
			{"s", "its refresh is a re-INVITE at 300 s; if that fails the call ends with 503"},
			{"s", "wants the caller to refresh; a re-INVITE that names another refresher may never be answered"},
		},
		options: "none: the caller refreshes by default. Leave `WithRefresher` at `Auto`",
		dead:    "the timer, in every mode but `Off`",
		over:    "tls",
		calls: []string{
			"Record-Route: <sip:10.0.0.9:5060;transport=tls;lr;ftag=tag-10.0.0.9-5060;nat=yes>",
			"Contact: <sip:mod_sofia@10.10.1.5:35181;transport=tls;swrad=10.10.1.5~35181~3>",
			"Supported: timer, path, replaces", "Session-Expires: 600;refresher=uac", "Min-SE: 90", update,
		},
		answers: []string{
			"Record-Route: <sip:10.0.0.9:5060;transport=tls;lr;ftag=them;nat=yes>",
			"Contact: <sip:mod_sofia@10.10.1.5:35181;transport=tls;swrad=10.10.1.5~35181~3>",
			"Supported: timer, path, replaces", "Require: timer", "Session-Expires: 600;refresher=uac", update,
		},
		refresh: sip.INVITE, margin: 10, jealous: true,
	},
	{
		name: "Twilio, trunk",
		facts: []fact{
			{"t", "INVITE with neither Supported nor Session-Expires nor Min-SE, Allow without UPDATE, two `Record-Route` with `r2=on`, a private Contact with `;transport=udp` although the edge is TLS"},
			{"t", "200 to a caller without timers: no Supported, Session-Expires or Require; Contact with a plus before the address, `Record-Route` with `;twnat=sip:…`"},
			{"t", "a request within the dialog that lacks its Route: 481"},
			{"s", "a later 2xx has a `Record-Route` with another port; a client that takes it for the route set gets 408 to its BYE"},
			{"s", "a CSeq that was used before: 408"},
			{"d", "an ACK off its route: BYE after 20 to 30 s"},
			{"s" + notPlayed, "TLS closed after about 120 s without a message"},
		},
		options: "none for live calls",
		dead:    "it has no timers: use `WithMode(sessiontimer.Always)`; we then refresh alone, by re-INVITE",
		notes:   "over TLS dial the edge by name, or keep the connection open: the certificate of a new connection by address does not verify [s]",
		over:    "tls",
		calls: []string{
			"Record-Route: <sip:10.0.0.9:5060;transport=tls;r2=on;lr>", "Record-Route: <sip:172.25.10.1:5060;r2=on;lr>",
			"Contact: <sip:+15550100@172.25.0.5:5060;transport=udp>", noUpdate,
		},
		answers: []string{
			"Record-Route: <sip:10.0.0.9:5060;transport=tls;lr;twnat=sip:10.0.0.1:5060>", "Contact: <sip:+172.25.0.5:5060>", noUpdate,
		},
		update: refuses405, moves: true,
	},
	{
		name: "Twilio, SIP domain",
		facts: []fact{
			{"t", "INVITE with `Supported: timer`, `Min-SE: 120` and no Session-Expires, Allow without UPDATE"},
			{"t", "otherwise like the trunk"},
		},
		options: "none: the timer that we add is 120 s or more, and we refresh it by re-INVITE",
		with:    "`WithSessionExpires(90 * time.Second)`, which its Min-SE raises to 120 s. By default the timer is 1800 s",
		dead:    "the timer that we add, in the modes from `Offer` on",
		over:    "tls",
		calls: []string{
			"Record-Route: <sip:10.0.0.9:5060;transport=tls;r2=on;lr>", "Record-Route: <sip:172.25.10.1:5060;r2=on;lr>",
			"Contact: <sip:alice@172.25.0.5:5060;transport=udp>", "Supported: timer", "Min-SE: 120", noUpdate,
		},
		update: refuses405, moves: true,
		opts: []middleware.Option{middleware.WithSessionExpires(90 * time.Second)},
	},
	{
		name: "Telnyx",
		facts: []fact{
			{"t", "INVITE over TCP in compact and long forms without a space after the colon: `k:timer,path`, `m:`, `f:`, `t:`, `i:`, `c:`, `l:`, `v:` beside a long Via; no Session-Expires or Min-SE; UPDATE in Allow"},
			{"t", "three `Record-Route`: public (`;transport=tcp;r2=on`), then two private hops; Contact `mod_sofia@` a private address, without a transport although the signalling is TCP"},
			{"t", "200: private Contact `;transport=tcp`, the private hop first in `Record-Route`"},
			{"t", "an ACK to the wrong place: hang-up after 30 to 32 s"},
			{"s", "it repeats its 200 after the first ACK"},
			{"s", "the edge refuses new connections while the open one still works"},
		},
		options: "none",
		dead:    "the timer that we add where it calls, in the modes from `Offer` on; where we call, its own if it names one, otherwise `WithMode(sessiontimer.Always)`",
		over:    "tcp",
		calls: []string{
			"Record-Route: <sip:10.0.0.9:5060;transport=tcp;r2=on;lr>", "Record-Route: <sip:192.168.40.2:5060;transport=tcp;r2=on;lr>",
			"Record-Route: <sip:192.168.40.7:5060;r2=on;lr>", "Contact: <sip:mod_sofia@192.168.41.9:6000>", "Supported: timer,path", update,
		},
		rewrite: []sipnet.Rule{
			{Pattern: `(?m)^(Via: .*branch=)(.*\n)`, To: "$1$2${1}inner-$2", Requests: true}, {Pattern: `(?m)^Via: (.*inner)`, To: "v:$1"},
			{Pattern: `(?m)^Supported: `, To: "k:"}, {Pattern: `(?m)^From: `, To: "f:"}, {Pattern: `(?m)^To: `, To: "t:"}, {Pattern: `(?m)^Call-ID: `, To: "i:"}, {Pattern: `(?m)^Contact: `, To: "m:"},
			{Pattern: `(?m)^Content-Type: `, To: "c:"}, {Pattern: `(?m)^Content-Length: `, To: "l:"},
		},
		answers: []string{
			"Record-Route: <sip:192.168.40.2:5060;transport=tcp;r2=on;lr>", "Record-Route: <sip:10.0.0.9:5060;transport=tcp;r2=on;lr>",
			"Contact: <sip:mod_sofia@192.168.41.9:6000;transport=tcp>", "Supported: timer,path", update,
		},
		refresh: sip.INVITE, twice: true,
	},
	{
		name: "Vonage",
		facts: []fact{
			{"d", "RFC 4028 if the customer asks for it; the customer's side refreshes, Vonage never does"},
			{"d", "middleboxes rewrite `refresher=uas` to `uac`"},
			{"d" + notPlayed, "middleboxes force the direction to sendrecv"},
			{"d", "digest on every INVITE"},
		},
		options:    "`WithRefresher(sessiontimer.Local)`, `WithCredentials`, and `WithCredentialsForIncoming` for the calls that it makes: it challenges every re-INVITE",
		dead:       "the timer, as long as we refresh",
		notes:      "if a middlebox rewrote `refresher=uas` in a re-INVITE of Vonage's, the refreshes would become its task; it would send none, and the call would end 32 s before expiry",
		calls:      []string{edge, "Supported: timer", noUpdate},
		answers:    []string{edge, "Supported: timer", "Require: timer", "Session-Expires: {asked};refresher=uas", noUpdate},
		rewrite:    []sipnet.Rule{{Pattern: `refresher=uas`, To: "refresher=uac"}},
		opts:       []middleware.Option{middleware.WithRefresher(sessiontimer.Local), secret, middleware.WithCredentialsForIncoming()},
		challenges: challenges{first: true, again: true}, update: refuses405, never: true,
	},
}
