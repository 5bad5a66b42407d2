package calls

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// RFC 3264 §8: the peer's media has changed if its description has, apart from the version.
// The event says where media goes from now on.
func TestMediaChanged(t *testing.T) {
	const here, there = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n", "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\nm=audio 4002 RTP/AVP 0\r\n"
	for _, c := range []struct {
		name, now string
		changed   bool
	}{
		{"the same", here, false},
		{"another version", "v=0\r\no=- 1 9 IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n", false},
		{"another port", there, true},
	} {
		var events []sessiontimer.Event
		calls, _ := observed(context.Background(), Config{OnEvent: func(e sessiontimer.Event) { events = append(events, e) }})
		before := ofPeer()
		before.Session.Interval = time.Minute
		AgreeOn(&before.State, agreed("ours", here))
		changed := calls.MediaChanged(&before, agreed("ours, of which nothing follows", c.now))
		if changed != c.changed || (len(events) == 1) != c.changed || len(events) > 1 {
			t.Errorf("%s: changed is %t with %d events, want %t", c.name, changed, len(events), c.changed)
			continue
		}
		if !changed {
			continue
		}
		e, ok := events[0].(sessiontimer.MediaChanged)
		if !ok || e.Description != there || e.Type != "application/sdp;q=1" || e.CallID != "call" || e.RemoteTag != "theirs" || e.Interval != time.Minute || e.Time.IsZero() {
			t.Errorf("%s: the event is %+v", c.name, events[0])
		}
	}
}

// An application gets the media that the peer answered a refresh of ours with as a re-INVITE
// of the peer, as it is stored: once, and only if it has the dialog and a handler for it.
func TestFollowMedia(t *testing.T) {
	for _, c := range []struct {
		name                            string
		same, unhandled, orphan, unkept bool
		told                            bool
	}{
		{name: "the media changed", told: true},
		{name: "it did not", same: true},
		{name: "no handler", unhandled: true},
		{name: "the application has no dialog", orphan: true},
		{name: "the call has ended meanwhile", unkept: true},
	} {
		bubble.Test(t, func(t *testing.T) {
			var told []*sip.Request
			events := 0
			calls, logs := observed(context.Background(), Config{OnEvent: func(sessiontimer.Event) { events++ }})
			if !c.unhandled {
				calls.SetApplication(Application{Media: func(req *sip.Request, _ sip.ServerTransaction) { told = append(told, req) }})
			}
			if c.orphan {
				calls.Expect(ofPeer().ID, "a", false)
			}
			before, now := ofPeer(), agreed("ours", "v=0 now")
			AgreeOn(&before.State, agreed("ours", "v=0 before"))
			if c.same {
				now = AgreedOf(&before.State)
			}
			if !c.unkept {
				d := before
				AgreeOn(&d.State, offeranswer.Agreed{Peers: offeranswer.Description{Body: []byte("v=0 stored"), Type: "application/sdp"}})
				keep(t, calls, d)
			}
			calls.FollowMedia(context.Background(), &before, now)
			synctest.Wait()
			calls.Workers.Stop()
			calls.Workers.Wait()
			if (len(told) == 1) != c.told || len(told) > 1 || (events == 1) == c.same || logs.String() != "" {
				t.Fatalf("%s: told %v, %d events, logged %q", c.name, told, events, logs)
			}
			if c.told && (!told[0].IsInvite() || string(told[0].Body()) != "v=0 stored" || told[0].From().Params.GetOr("tag", "") != "theirs") {
				t.Errorf("%s: told\n%s", c.name, told[0])
			}
		})
	}
}
