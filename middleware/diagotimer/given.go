package diagotimer

import (
	"sync"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
)

type requestMiddleware = func(next sipgo.RequestHandler) sipgo.RequestHandler

// given holds the arguments of the options below.
type given struct {
	server     *sipgo.Server
	middleware requestMiddleware
}

// givenTo has the *given of each *diago.Diago that is being made: there is no other way
// for one option to pass something to another. Entries that neither New nor Option takes
// remain.
var givenTo sync.Map

func note(dg *diago.Diago) *given {
	g, _ := givenTo.LoadOrStore(dg, new(given))
	return g.(*given)
}

// taken returns and removes what was given.
func taken(dg *diago.Diago) given {
	g, ok := givenTo.LoadAndDelete(dg)
	if !ok {
		return given{}
	}
	return *g.(*given)
}

// WithServer is diago.WithServer for New and Option. The server keeps its handlers and
// gets those of diago and of the timers. The last one counts; nil means none.
func WithServer(server *sipgo.Server) diago.DiagoOption {
	return func(dg *diago.Diago) {
		diago.WithServer(server)(dg)
		note(dg).server = server
	}
}

// WithServerRequestMiddleware is diago.WithServerRequestMiddleware for New and Option. The
// middleware gets the requests that diago gets. As in diago, f is called for each request,
// and the last one counts; nil means none.
func WithServerRequestMiddleware(f func(next sipgo.RequestHandler) sipgo.RequestHandler) diago.DiagoOption {
	return func(dg *diago.Diago) {
		diago.WithServerRequestMiddleware(f)(dg)
		note(dg).middleware = f
	}
}
