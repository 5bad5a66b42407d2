package sessiontimer_test

import (
	"fmt"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// Alice calls Bob, who does not accept less than ten minutes. Both know after
// the 2xx who refreshes and when the other has to give up.
func Example() {
	alice := sessiontimer.DefaultPolicy()
	alice.SessionExpires = 3 * time.Minute
	bob := sessiontimer.DefaultPolicy()
	bob.MinSE = 10 * time.Minute

	// What a SIP stack does with each message: the fields go over the wire.
	request := func(o sessiontimer.Proposal) (f sessiontimer.Fields) {
		f.Add("Supported", sessiontimer.OptionTag)
		f.Add(sessiontimer.HeaderSessionExpires, o.SessionExpires.String())
		if o.MinSE > 0 {
			f.Add(sessiontimer.HeaderMinSE, sessiontimer.FormatSeconds(o.MinSE))
		}
		return f
	}

	invite := alice.Propose(sessiontimer.Session{}, 0, false)
	fmt.Println("INVITE Session-Expires:", invite.SessionExpires)

	if minSE, refuse := bob.TooSmall(request(invite)); refuse {
		fmt.Println("422    Min-SE:", sessiontimer.FormatSeconds(minSE))
		var refusal sessiontimer.Fields
		refusal.Add(sessiontimer.HeaderMinSE, sessiontimer.FormatSeconds(minSE))
		invite, _ = alice.Retry(invite, refusal)
		fmt.Println("INVITE Session-Expires:", invite.SessionExpires)
	}

	now := time.Date(2005, time.April, 1, 12, 0, 0, 0, time.UTC)
	ok := bob.Respond(request(invite), sessiontimer.Session{}, now)
	fmt.Println("200    Session-Expires:", ok.SessionExpires)

	var response sessiontimer.Fields
	response.Add(sessiontimer.HeaderSessionExpires, ok.SessionExpires.String())
	session := alice.Settle(invite, response, sessiontimer.Session{}, now)

	fmt.Println("Alice: refresher", session.Refresher, "- refreshes at", session.RefreshAt().Format(time.TimeOnly))
	fmt.Println("Bob:   refresher", ok.Session.Refresher, "- hangs up at", ok.Session.HangupAt().Format(time.TimeOnly))

	// Output:
	// INVITE Session-Expires: 180
	// 422    Min-SE: 600
	// INVITE Session-Expires: 600
	// 200    Session-Expires: 600;refresher=uac
	// Alice: refresher local - refreshes at 12:05:00
	// Bob:   refresher peer - hangs up at 12:09:28
}

func ExampleParseSessionExpires() {
	se, err := sessiontimer.ParseSessionExpires("1800 ; refresher=UAC")
	fmt.Println(se.Interval, se.Refresher, err)

	_, err = sessiontimer.ParseSessionExpires("half an hour")
	fmt.Println(err)

	// Output:
	// 30m0s uac <nil>
	// sessiontimer: malformed header field: "half an hour"
}
