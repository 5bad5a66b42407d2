package diagotimer

import (
	"sync"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
)

type requestMiddleware = func(next sipgo.RequestHandler) sipgo.RequestHandler

// given is what the application gave to a Diago by the options below.
type given struct {
	server     *sipgo.Server
	middleware requestMiddleware
}

// givenTo has the *given of each *diago.Diago that is just being made: an option can
// leave word for another only so. What New or Option does not take stays.
var givenTo sync.Map

func note(dg *diago.Diago) *given {
	g, _ := givenTo.LoadOrStore(dg, new(given))
	return g.(*given)
}

// taken is what was given, which is then forgotten.
func taken(dg *diago.Diago) given {
	g, ok := givenTo.LoadAndDelete(dg)
	if !ok {
		return given{}
	}
	return *g.(*given)
}

// WithServer is diago.WithServer for New and Option: the server keeps its handlers and
// gets those of diago and of the timers. Of several the last counts; nil is none.
func WithServer(server *sipgo.Server) diago.DiagoOption {
	return func(dg *diago.Diago) {
		diago.WithServer(server)(dg)
		note(dg).server = server
	}
}

// WithServerRequestMiddleware is diago.WithServerRequestMiddleware for New and Option:
// the middleware gets the requests that diago gets. Like diago, it calls f anew for each
// request, and of several the last counts; nil is none.
func WithServerRequestMiddleware(f func(next sipgo.RequestHandler) sipgo.RequestHandler) diago.DiagoOption {
	return func(dg *diago.Diago) {
		diago.WithServerRequestMiddleware(f)(dg)
		note(dg).middleware = f
	}
}
