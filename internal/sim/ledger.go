package sim

import "time"

// Call is one call as its peer sees it. It is judged at the end of the run.
type Call struct {
	peer *peer
	ID   string

	Began time.Duration // the peer has, or has sent, the 2xx
	Ended time.Duration // 0 while it lives
	Why   Why
	By    string // the node that hung up, or the address that the peer could not reach

	AppEnds time.Duration // the application of a node was told to hang up; 0 if not
	Ledger  []Entry

	localTag, remoteTag string
	remote, remoteURI   string // address and Contact of the node as announced last
	number              uint32 // our last CSeq
	heard               uint32 // highest CSeq of the other side
	session             session
	timer               *turn // what the session asks for next
	own                 *transaction
	answers             map[string]*answer
}

// Why is how a call ended for its peer.
type Why string

// The ways.
const (
	HungUp     Why = "the peer hung up"
	ByNode     Why = "a node hung up"
	Expired    Why = "the session expired"
	Unanswered Why = "the peer's refresh was not answered"
	Unknown    Why = "the peer's refresh was answered 481"
	Refused    Why = "the first INVITE failed"
	Vanished   Why = "the peer crashed"
)

// session is the result of the last 2xx.
type session struct {
	interval time.Duration // 0 for none
	ours     bool          // the peer refreshes
	since    time.Duration
}

// Entry is a request that the peer received in a call, or an accepted request of its own.
type Entry struct {
	At     time.Duration
	Own    bool   // the peer's own
	Node   string // address of the other side
	Method string
	Number uint32
	Branch string
	Status int // 0: dropped, since it came from a wrong address

	Session  session       // after a 2xx
	Before   uint32        // highest CSeq before
	Contact  string        // of the message
	Acked    time.Duration // when the ACK of a 2xx to an INVITE came
	Answered time.Duration // when the last 2xx was sent
}

// Accepted reports whether the request got a 2xx.
func (e *Entry) Accepted() bool { return e.Status/100 == 2 }

// Refresh reports whether it is an INVITE or UPDATE within the call.
func (e *Entry) Refresh() bool { return e.Method == "INVITE" || e.Method == "UPDATE" }

func (c *Call) alive() bool { return c.Began > 0 && c.Ended == 0 }

// lives reports whether the call was up for its peer at the time.
func (c *Call) livesAt(at time.Duration) bool {
	return c.Began > 0 && c.Began <= at && (c.Ended == 0 || at < c.Ended)
}

// sessionAt returns the session in force just before the time.
func (c *Call) sessionAt(at time.Duration) (s session) {
	for i := range c.Ledger {
		if e := &c.Ledger[i]; e.At < at && e.Accepted() && e.Refresh() {
			s = e.Session
		}
	}
	return s
}
