package middleware

import (
	"log/slog"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/client"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// Option configures New. Options only assign; New validates and returns a
// *sessiontimer.ConfigError for a value out of range.
type Option func(*options)

// PolicyFunc chooses the policy of one call when its first INVITE is sent or
// received. base is the policy set by the options; return it, changed or not. With
// Mode Off the call has no timer, whatever the peer asks for later. If the result is
// invalid or the function panics, that is logged and base is used. PolicyFunc is
// called concurrently and must neither change nor keep invite.
//
// For an incoming call, invite.Source() is the address that it came from, as
// host:port. If the application challenges an incoming call, PolicyFunc is called
// again for the INVITE with the credentials. An outgoing INVITE that is sent again
// after a challenge keeps its first policy, unless that was Off.
type PolicyFunc func(invite *sip.Request, outgoing bool, base sessiontimer.Policy) sessiontimer.Policy

// CredentialsFunc returns the username and password of one call for a realm, or false
// if it has none. d has the parties of the call and the addresses that requests go to;
// what it points to is read-only. CredentialsFunc is called concurrently, each time that
// a refresh or BYE of the timers is challenged; that request waits for the result. A
// panic is logged and counts as false.
type CredentialsFunc func(d dialogstore.Dialog, realm string) (username, password string, ok bool)

type options struct {
	policy         sessiontimer.Policy
	minSE          *time.Duration // nil until set
	policyFunc     PolicyFunc
	failover       *sharing // nil for none
	logger         *slog.Logger
	onEvent        func(sessiontimer.Event) // nil if nobody listens
	statsBy        func(dialogstore.Dialog) string
	credentials    client.Credentials
	answerUpdate   bool
	answerReInvite *bool
	offerUpdate    *bool
	jitter         float64
	limits         refresher.Limits
}

func defaultOptions() options {
	return options{
		policy: sessiontimer.DefaultPolicy(),
		logger: sip.DefaultLogger().With("caller", "SessionTimer"),
		jitter: 0.1,
		limits: refresher.Limits{PerSecond: 5000, Unanswered: 5000},
	}
}

// validate returns a *sessiontimer.ConfigError for the first value out of range.
func (o *options) validate() error {
	switch {
	case !(o.jitter >= 0 && o.jitter <= 0.5):
		return &sessiontimer.ConfigError{Option: "Jitter", Value: o.jitter, Allowed: "0 to 0.5"}
	case o.limits.PerSecond < 10:
		return &sessiontimer.ConfigError{Option: "RefreshLimits", Value: o.limits.PerSecond, Allowed: "10 or more per second"}
	case o.limits.Unanswered < 1:
		return &sessiontimer.ConfigError{Option: "RefreshLimits", Value: o.limits.Unanswered, Allowed: "1 or more unanswered"}
	}
	if err := o.credentials.Validate(); err != nil {
		return err
	}
	if err := o.policy.Validate(); err != nil || o.failover == nil {
		return err
	}
	return o.failover.validate(o.policy.MinSE)
}

// WithSessionExpires sets the session interval to ask for (RFC 4028 §4). Whole
// seconds, not below WithMinSE. The default is 1800 s, as recommended.
func WithSessionExpires(d time.Duration) Option {
	return func(o *options) { o.policy.SessionExpires = d }
}

// WithMinSE sets the smallest interval to accept (RFC 4028 §5): a peer that supports
// timers and asks for less gets a 422. The default, and the minimum, is 90 s.
func WithMinSE(d time.Duration) Option {
	return func(o *options) { o.minSE = &d }
}

// WithRefresher sets the side that should refresh (RFC 4028 §7.1, §9):
// sessiontimer.Local, sessiontimer.Peer, or Auto, the default: the caller, if it
// supports timers. This is a preference; the peer may decide otherwise.
func WithRefresher(r sessiontimer.Refresher) Option {
	return func(o *options) { o.policy.Refresher = r }
}

// WithMode sets whether calls get timers: sessiontimer.Off, Accept, Offer (the default),
// Require (the INVITE carries Require: timer, RFC 4028 §7.1) or Always (if the peer does
// not support timers, we run one alone, §7.2).
func WithMode(m sessiontimer.Mode) Option {
	return func(o *options) { o.policy.Mode = m }
}

// WithMethod sets the method of our refreshes (RFC 4028 §7.4): MethodUpdate,
// MethodReInvite, or MethodAuto, the default: UPDATE if the peer allows it, else
// re-INVITE.
func WithMethod(m sessiontimer.Method) Option {
	return func(o *options) { o.policy.Method = m }
}

// WithMaxInterval limits how far apart a peer can push our refreshes (RFC 4028
// §11.1): if it sets a longer interval, we refresh at half of d. The default is 24 h;
// not below WithSessionExpires.
func WithMaxInterval(d time.Duration) Option {
	return func(o *options) { o.policy.MaxInterval = d }
}

// WithMaxMinSE sets the highest Min-SE in a 422 that we accept and retry with (RFC
// 4028 §7.3, §11.1). A 422 that asks for more goes to the application. The default is
// 24 h; not below WithMinSE.
func WithMaxMinSE(d time.Duration) Option {
	return func(o *options) { o.policy.MaxMinSE = d }
}

// WithJitter spreads refreshes, so that calls that began together are not refreshed
// together. A refresh is due at half the interval (RFC 4028 §7.2, §10); it is sent
// earlier by up to this share of that time, and never later. A call is always early by
// the same share. The range is 0 (exactly half) to 0.5; the default is 0.1, which is up
// to 90 s of 900 s.
func WithJitter(share float64) Option {
	return func(o *options) { o.jitter = share }
}

// WithRefreshLimits limits the refreshes and BYEs of the timers, so that many calls
// due at once, or a network that comes back, cause no storm. perSecond is how many may
// start in a second. unanswered is how many refreshes may wait for their answer, and
// how many BYEs may be on their way out. The rest waits: first refreshes, by deadline,
// then BYEs. The application learns at once that a session has expired, even if the
// BYE has to wait.
//
// A refresh at its last chance to reach the peer (RFC 4028 §10) may exceed unanswered,
// as long as other refreshes are still being answered, and perSecond up to four times.
// The defaults are 5000 and 5000, the minimums 10 and 1.
func WithRefreshLimits(perSecond, unanswered int) Option {
	return func(o *options) { o.limits = refresher.Limits{PerSecond: perSecond, Unanswered: unanswered} }
}

// WithUnsafeIntervals lowers the smallest interval, and the default of WithMinSE, from
// 90 s to 1 s. RFC 4028 §4 forbids that: use it in labs and tests only.
func WithUnsafeIntervals() Option {
	return func(o *options) { o.policy.Unsafe = true }
}

// WithStrict follows RFC 4028 §4, §7.2, §9 to the letter when the peer makes mistakes. An
// interval longer than requested counts as the requested one. There is no timer if the
// interval is below 90 s, if a 2xx lacks the refresher, or if it has Require: timer
// but no Session-Expires. A malformed header field counts as absent. A refresh without
// Session-Expires ends the timer. By default, such mistakes are interpreted so that the
// call stays refreshed.
func WithStrict() Option {
	return func(o *options) { o.policy.Strict = true }
}

// WithCredentials answers digest challenges for realm to the refreshes and BYEs of the
// timers (RFC 3261 §22), in calls that this user agent began; for other calls, see
// WithCredentialsForIncoming. Give it once for each realm, of the peer and of the
// proxies in between. The realm must match exactly, letter case included. No
// argument may be empty. Without credentials, the default, a challenged refresh fails:
// the timers cannot read the credentials that the application gave to sipgo for its
// INVITE, and cannot reuse the answer to that challenge.
func WithCredentials(realm, username, password string) Option {
	return func(o *options) {
		o.credentials.Realms = append(o.credentials.Realms, client.RealmCredentials{Realm: realm, Username: username, Password: password})
	}
}

// WithCredentialsFunc calls f for the credentials of a call and a realm, in calls that
// this user agent began. If f returns false, those of WithCredentials are used. The
// default is nil: no function.
func WithCredentialsFunc(f CredentialsFunc) Option {
	return func(o *options) { o.credentials.Ask = f }
}

// WithCredentialsForIncoming uses the credentials in calls that the peer began as well.
// A trunk that challenges our requests in the calls that it sends needs this. It is off
// by default because the challenger chooses the realm, the nonce and, by its Contact,
// the URI that a digest is computed for: anyone who can call could collect digests and
// use them elsewhere.
func WithCredentialsForIncoming() Option {
	return func(o *options) { o.credentials.Incoming = true }
}

// WithPolicyFunc chooses the policy of each call, for instance by trunk. The default is
// nil: every call has the policy set by the options.
func WithPolicyFunc(f PolicyFunc) Option {
	return func(o *options) { o.policyFunc = f }
}

// WithFailover shares the calls, through a registry, with the other nodes of a cluster
// or with the next run of this process: when this node dies, another one refreshes its
// calls, or ends them, before their peers give up. The options of package failover name
// the node, and set how long it may be silent and what a takeover does. By default the
// timers of a call end with the process. The registry must not be nil.
//
// No SIP message waits for the registry, and no registry error ends a call. An incoming
// call is shared once a request from the peer, usually the ACK, proves that the peer is
// there. In a call that was taken over, the timers answer the peer's requests, because
// the application has no dialog for it: BYE, UPDATE and a re-INVITE that changes
// nothing with 200, a re-INVITE that changes something with 488, others with 405.
func WithFailover(registry failover.Registry, opts ...failover.Option) Option {
	return func(o *options) {
		settings, err := failover.Configure(opts...)
		o.failover = &sharing{registry, settings, err}
	}
}

// WithLogger logs to l. The default, also for nil, is sipgo's default logger. Records about
// a call have "call_id", those about a dialog "local_tag" and "remote_tag" as well, and
// failures "error". If the handler of l blocks, only the call that the record is about
// waits. If it panics, the record is lost. Values are cut to 128 bytes. Of each message at
// Info level or above, at most 20 records are logged per second; the next one has the number
// of dropped ones as "suppressed".
func WithLogger(l *slog.Logger) Option {
	return func(o *options) { o.logger = l }
}

// WithEventHandler calls f for every event, in the goroutine that caused it. f is called
// concurrently. It must not block, and must not call Timers.Close or the dialog that the
// event is about; a program that needs to do so passes the event to its own goroutine.
// While f blocks, only the call of the event waits. A panic of f is logged. The default
// is nil: no handler. See also Timers.Subscribe.
func WithEventHandler(f func(sessiontimer.Event)) Option {
	return func(o *options) { o.onEvent = f }
}

// WithStatsBy also counts calls by a name that f chooses, such as the trunk: see
// Stats.Named. f must always return the same name for the same call, so it must depend
// only on fields that never change. It is called concurrently, a few times for each call
// and once for each refresh. An empty name, or a panic, which is logged, leaves the call
// out of Stats.Named. Up to 31 names of up to 64 bytes are kept apart; calls with further
// names are counted as "other". The default is nil: no names.
func WithStatsBy(f func(dialogstore.Dialog) string) Option {
	return func(o *options) { o.statsBy = f }
}

// WithAnswerUpdate sets whether the timers answer an UPDATE without a body (RFC 3311
// §5.2) even if the application has a handler for UPDATE. By default they do not: the
// handler gets each UPDATE, and its 2xx carries the timer. Without a handler the option
// has no effect: the timers answer such UPDATEs anyway.
func WithAnswerUpdate(on bool) Option {
	return func(o *options) { o.answerUpdate = on }
}

// WithAnswerReInvite sets whether the timers answer a re-INVITE whose session
// description is missing or unchanged, with the description already agreed on (RFC 3264
// §8). While media is on hold, a re-INVITE without a description still goes to the
// application: it may be meant to resume the call (RFC 3261 §14.2).
//
// The default is true with sipgo, whose applications mostly expect first INVITEs only.
// It is false if the application answers re-INVITEs itself: with diago, with a handler
// for UPDATE, or if the application writes Session-Expires itself, which suggests that
// it has timer code and needs to see refreshes.
func WithAnswerReInvite(on bool) Option {
	return func(o *options) { o.answerReInvite = &on }
}

// WithOfferUpdate sets whether an UPDATE with a changed session description goes to the
// application's INVITE handler, as if it were a re-INVITE, if there is no handler for
// UPDATE. Otherwise the timers answer it with 488 (RFC 3311 §5.2). The default is true
// with diago, false with Attach.
func WithOfferUpdate(on bool) Option {
	return func(o *options) { o.offerUpdate = &on }
}
