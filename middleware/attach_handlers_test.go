package middleware_test

import (
	"testing"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Each On… registers the handler of its method, for requests within calls and outside.
func TestHandlersByMethod(t *testing.T) {
	for method, register := range map[sip.RequestMethod]func(*middleware.Server, sipgo.RequestHandler){
		sip.INFO:      (*middleware.Server).OnInfo,
		sip.REFER:     (*middleware.Server).OnRefer,
		sip.NOTIFY:    (*middleware.Server).OnNotify,
		sip.MESSAGE:   (*middleware.Server).OnMessage,
		sip.OPTIONS:   (*middleware.Server).OnOptions,
		sip.SUBSCRIBE: (*middleware.Server).OnSubscribe,
		sip.UPDATE:    (*middleware.Server).OnUpdate,
		sip.PRACK:     (*middleware.Server).OnPrack,
	} {
		t.Run(string(method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := peersCall(l)
				got := 0
				register(bob.Server, func(req *sip.Request, tx sip.ServerTransaction) {
					if got++; req.Method != method {
						l.Errorf("the handler of %s got %s", method, req.Method)
					}
					_ = tx.Respond(sip.NewResponseFromRequest(req, 299, "Handled", nil))
				})
				p.Request(method)
				wantStatus(l, p, string(method), 299)
				if got != 1 {
					l.Errorf("the handler was called %d times, want once", got)
				}
			})
		})
	}
}
