package providers

import (
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// profile is what was recorded of a provider or system. Addresses in it are those
// of the stage: 10.0.0.1:5060 is ours, 10.0.0.9:5060 the provider's edge.
type profile struct {
	name    string
	facts   []fact // for the reader
	options string // what to set for it
	with    string // what the runs have beside that, and why
	dead    string // what ends a dead call
	notes   string // what else is to be known

	over    string // transport: udp (also if empty), tcp or tls
	calls   []string
	answers []string      // header lines of its INVITE, of its 200; nil where unknown
	rewrite []sipnet.Rule // how it writes header lines
	opts    []middleware.Option

	challenges challenges        // 407, answered with credentials or not at all
	number     uint32            // CSeq before that of its first INVITE
	minSE      int               // 422 to an interval below
	fixed      string            // Session-Expires of each 2xx, whatever was asked
	stripped   bool              // of each 2xx only Require: timer is left
	update     reaction          // to UPDATE
	refresh    sip.RequestMethod // of its own refreshes; empty: it leaves them to us
	never      bool              // and sends no re-INVITE of its own at all
	early      time.Duration     // before the half that they come
	bumps      bool              // with a new version of its session description
	offerless  bool              // with none
	ackSDP     bool              // its ACK has one
	limit      time.Duration     // it ends a call that nobody refreshes in this time, whatever was agreed
	margin     int               // it gives up min(32 s, interval/margin) before expiry; 0 for 3
	jealous    bool              // no answer to a re-INVITE that names another refresher
	repeats    int               // it hangs up on one more re-INVITE that changes nothing; 0: it never does, -1: on the first
	moves      bool              // a later 2xx has another Record-Route
	twice      bool              // its 200 to INVITE comes again after the ACK
}

// challenges are where a 407 comes.
type challenges struct{ first, again, bye bool }

// fact is something known, and from where: t trace, d documentation of the vendor,
// c the peer's own code, s somebody's statement. What no run plays is marked so.
type fact struct{ mark, text string }

const notPlayed = ", not played"

type reaction uint8

const (
	takes reaction = iota
	refuses405
	silent
)

// secret answers the challenges of the profiles.
var secret = middleware.WithCredentials("provider", "us", "secret")

const digest = `Proxy-Authenticate: Digest realm="provider", nonce="5f1a", algorithm=MD5, qop="auth"`
