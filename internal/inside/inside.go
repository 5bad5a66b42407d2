// Package inside opens to the programs of this module what applications must not touch.
package inside

import "github.com/sipgo-contrib/sessiontimer/dialogstore"

// StoreOf returns the store of a *middleware.Timers: what is written there begins,
// changes or ends the timers of a call. Package middleware sets it.
var StoreOf func(timers any) dialogstore.Store
