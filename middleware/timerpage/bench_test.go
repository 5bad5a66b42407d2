package timerpage_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/emiago/sipgo"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/inside"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

// BenchmarkCalls is the list of calls as JSON: a survey of all, every time.
func BenchmarkCalls(b *testing.B) {
	for _, many := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			timers := timersWith(b, many)
			b.ReportAllocs()
			for b.Loop() {
				if w := get(timerpage.New(timers), "/calls.json"); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

// BenchmarkShared is the page of one viewer after another in the same second.
func BenchmarkShared(b *testing.B) {
	page := timerpage.New(timersWith(b, 100_000))
	for b.Loop() {
		get(page, "/")
	}
}

func timersWith(b testing.TB, calls int) *middleware.Timers {
	ua, err := sipgo.NewUA()
	if err != nil {
		b.Fatal(err)
	}
	timers, err := middleware.New(ua)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = timers.Close(); _ = ua.Close() })
	store := inside.StoreOf(timers)
	for i := range calls {
		err := store.Create(context.Background(), dialogstore.Dialog{
			Origin: dialogstore.Origin{
				ID:        dialogstore.ID{CallID: fmt.Sprintf("call-%d", i), LocalTag: "local", RemoteTag: "remote"},
				LocalURI:  "<sip:a@example.org>;tag=local",
				RemoteURI: "<sip:b@example.org>;tag=remote",
				Policy:    sessiontimer.DefaultPolicy(),
			},
			State: dialogstore.State{Session: sessiontimer.Session{Interval: 24 * time.Hour, Refresher: sessiontimer.Local, Since: time.Now()}},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return timers
}
