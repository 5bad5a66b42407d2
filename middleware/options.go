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
// received. It gets the policy made of the options and returns it, changed or
// not; Mode Off leaves the call alone for good, whatever the peer asks later. An
// invalid policy is logged and base used instead. It is called by many
// goroutines at once and must not keep or change invite.
//
// invite.Source() tells the trunk that an incoming call is from, as host:port. When
// the application challenges an incoming call it is asked again, with the INVITE
// that comes back. An outgoing INVITE that is sent again, after a challenge, keeps the policy
// that was chosen first, unless that was Off.
type PolicyFunc func(invite *sip.Request, outgoing bool, base sessiontimer.Policy) sessiontimer.Policy

// CredentialsFunc gives the username and the password of one call for a realm, or
// false if it has none for them; d says who the parties are and where requests go. It
// is called by many goroutines at once, each time that a refresh or a BYE of ours is
// challenged, which waits for it. It must not change what d points to. A panic is
// logged and counts as none.
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

// validate checks what is not part of a policy.
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

// WithSessionExpires sets the interval that is asked for (RFC 4028 §4). Default
// 1800 s, as recommended; whole seconds, not below WithMinSE.
func WithSessionExpires(d time.Duration) Option {
	return func(o *options) { o.policy.SessionExpires = d }
}

// WithMinSE sets the smallest interval that is accepted (RFC 4028 §5): a peer
// that supports timers and asks for less gets a 422. Default and least 90 s.
func WithMinSE(d time.Duration) Option {
	return func(o *options) { o.minSE = &d }
}

// WithRefresher says who should refresh (RFC 4028 §7.1, §9): sessiontimer.Local,
// sessiontimer.Peer, or Auto, the default, by which the caller does if it
// supports timers. It is a wish; the peer may decide otherwise.
func WithRefresher(r sessiontimer.Refresher) Option {
	return func(o *options) { o.policy.Refresher = r }
}

// WithMode says how much timers are wanted: sessiontimer.Off, Accept, Offer
// (default), Require (RFC 4028 §7.1: Require: timer) or Always (§7.2: a timer run
// by us alone, where the peer has none).
func WithMode(m sessiontimer.Mode) Option {
	return func(o *options) { o.policy.Mode = m }
}

// WithMethod says how we refresh (RFC 4028 §7.4): MethodAuto, the default, sends
// UPDATE if the peer allows it, else re-INVITE.
func WithMethod(m sessiontimer.Method) Option {
	return func(o *options) { o.policy.Method = m }
}

// WithMaxInterval bounds how long a peer can make our refreshes wait (RFC 4028
// §11.1): with a longer interval we refresh at half of this. Default 24 h, not
// below WithSessionExpires.
func WithMaxInterval(d time.Duration) Option {
	return func(o *options) { o.policy.MaxInterval = d }
}

// WithMaxMinSE bounds the Min-SE of a 422 that is followed (RFC 4028 §7.3, §11.1);
// beyond it the 422 is the final answer. Default 24 h, not below WithMinSE.
func WithMaxMinSE(d time.Duration) Option {
	return func(o *options) { o.policy.MaxMinSE = d }
}

// WithJitter spreads refreshes, so that calls which began together are not
// refreshed together: each comes earlier than at half the interval (RFC 4028
// §7.2, §10), by up to this share of the time until then, and never later. Each
// call keeps its place. Default 0.1, up to 90 s of 900 s; 0 to 0.5, 0 for the
// exact half.
func WithJitter(share float64) Option {
	return func(o *options) { o.jitter = share }
}

// WithRefreshLimits bounds the refreshes and BYEs that start in a second, how many
// refreshes are not answered yet, and how many BYEs are on their way out, so that
// many calls which are due together, or a dead network that comes back, make no
// storm. The rest waits: refreshes by their deadlines, then BYEs. A session that has
// expired ends for the application at once, whenever its BYE leaves. At its last chance to reach the peer (RFC 4028
// §10) a refresh goes out though all places are taken, as long as any are answered,
// and at up to four times the rate. Default 5000 and 5000; at least 10 and 1.
func WithRefreshLimits(perSecond, unanswered int) Option {
	return func(o *options) { o.limits = refresher.Limits{PerSecond: perSecond, Unanswered: unanswered} }
}

// WithUnsafeIntervals accepts and offers intervals from one second on instead of
// 90 s, and makes one second the default of WithMinSE. RFC 4028 §4 forbids that:
// only for labs and tests.
func WithUnsafeIntervals() Option {
	return func(o *options) { o.policy.Unsafe = true }
}

// WithStrict reads peers by the letter: an interval above what was asked counts as
// what was asked; one below the floor, a 2xx without refresher, or one that requires
// timer without Session-Expires, as none; one that is malformed as absent; and a
// refresh without Session-Expires ends the timer (RFC 4028 §4, §7.2, §9). By default
// such faults are read in the way that keeps the call refreshed.
func WithStrict() Option {
	return func(o *options) { o.policy.Strict = true }
}

// WithCredentials answers digest challenges of the realm to our refreshes and to the
// BYE of an expired session (RFC 3261 §22), in calls that this user agent began; see
// WithCredentialsForIncoming for the others. It may be given once for each realm, of
// the proxies on the way and of the peer. The realm is compared letter by letter.
// None of the three may be empty. Default: none; a refresh that is challenged then
// fails. What an application gave to sipgo for its INVITE cannot be read, and an
// answer to an old challenge serves no other request.
func WithCredentials(realm, username, password string) Option {
	return func(o *options) {
		o.credentials.Realms = append(o.credentials.Realms, client.RealmCredentials{Realm: realm, Username: username, Password: password})
	}
}

// WithCredentialsFunc asks f first for the credentials of a call and a realm, in calls
// that this user agent began. Where it has none, those of WithCredentials are used.
// Default, also for nil: none.
func WithCredentialsFunc(f CredentialsFunc) Option {
	return func(o *options) { o.credentials.Ask = f }
}

// WithCredentialsForIncoming lets the credentials answer challenges in calls, too,
// that the peer began. Default: they do not. Who challenges chooses the realm and the
// nonce, and with its Contact the URI, that an answer is computed for; whoever may
// call could have such answers made and use them elsewhere. A trunk that challenges
// within the calls that it sends needs this.
func WithCredentialsForIncoming() Option {
	return func(o *options) { o.credentials.Incoming = true }
}

// WithPolicyFunc chooses a policy call by call, for instance by trunk.
func WithPolicyFunc(f PolicyFunc) Option {
	return func(o *options) { o.policyFunc = f }
}

// WithFailover shares the calls with the other nodes of a cluster, or with the process
// that comes after this one, through a registry: when this node dies another one
// refreshes its calls or ends them before their peers give up. Options of package
// failover name the node, and say how long it may be silent and what a takeover means.
// Default: the calls end with the process. The registry must not be nil.
//
// No message ever waits for the registry, and trouble with it ends no call. A call that
// came in is shared when its peer has proved to be there, mostly by the ACK. The peer's
// requests in a call that was taken over are answered here, since the application has
// no dialog of it: BYE, UPDATE and a re-INVITE that changes nothing with 200, a
// re-INVITE that changes something with 488, others with 405.
func WithFailover(registry failover.Registry, opts ...failover.Option) Option {
	return func(o *options) {
		settings, err := failover.Configure(opts...)
		o.failover = &sharing{registry, settings, err}
	}
}

// WithLogger logs to l. Default, also for nil: sipgo's default logger. A handler of l
// that blocks stops the call that the line is about, and no other; what it panics with
// is dropped. Of what peers wrote up to 128 bytes are logged; of records of one kind,
// but for debugging, up to 20 a second, of which the next one says how many were
// "suppressed".
func WithLogger(l *slog.Logger) Option {
	return func(o *options) { o.logger = l }
}

// WithEventHandler calls f for every event, from the goroutine that caused it:
// f must not block, must expect to be called by several at once, and must call
// neither Timers.Close nor the dialog that the event is about. A program that
// wants that hands the event to a goroutine of its own. While f blocks, its call
// stands still, and no other; a panic of f is logged.
func WithEventHandler(f func(sessiontimer.Event)) Option {
	return func(o *options) { o.onEvent = f }
}

// WithStatsBy counts calls by a name of the application's choice too, such as the trunk:
// see Stats.Named. f must return the same name for a call at all times, by what never
// changes of it, and is called by many goroutines at once, a few times for each call and
// once for each refresh. The empty name is none. There are up to 31 names of up to 64 bytes;
// calls with further ones are counted as "other". A panic of f is logged, and the call has
// no name. Default, also for nil: no names.
func WithStatsBy(f func(dialogstore.Dialog) string) Option {
	return func(o *options) { o.statsBy = f }
}

// WithAnswerUpdate says whether an UPDATE without a body is answered here (RFC 3311
// §5.2) although the application has a handler for UPDATE. Default false: the
// handler gets each UPDATE, and its 2xx carries the timer. Without a handler this
// has no effect: what needs no application is answered here.
func WithAnswerUpdate(on bool) Option {
	return func(o *options) { o.answerUpdate = on }
}

// WithAnswerReInvite says whether a re-INVITE without or with an unchanged session
// description is answered here, as what is agreed asks for (RFC 3264 §8). One without
// goes to the application all the same while media is on hold: it may be meant to
// resume it (RFC 3261 §14.2).
// Default true with sipgo, whose applications mostly know first INVITEs only, and
// false where the application answers re-INVITEs: with diago, where there is a
// handler for UPDATE, and where the application writes Session-Expires itself, a
// sign of timer code that wants to see refreshes.
func WithAnswerReInvite(on bool) Option {
	return func(o *options) { o.answerReInvite = &on }
}

// WithOfferUpdate says whether an UPDATE with a changed session description, for
// which the application has no handler, is handed to its INVITE handler as if
// it were a re-INVITE. Otherwise it is answered 488 (RFC 3311 §5.2). Default true
// with diago, false with Attach.
func WithOfferUpdate(on bool) Option {
	return func(o *options) { o.offerUpdate = &on }
}
