package middleware

import (
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/inside"
)

func init() {
	inside.StoreOf = func(timers any) dialogstore.Store { return timers.(*Timers).calls.Store }
}
