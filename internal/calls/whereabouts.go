package calls

import (
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
)

// Moved makes later requests of the application go where s shows the peer to be. d is the
// dialog before s.
func Moved(m *dialogset.Dialog, d *dialogstore.Dialog, s indialog.Sighting, localAddr func() string) {
	known := dialogset.Whereabouts{Target: d.RemoteTarget, Source: d.Source, Destination: d.Destination}
	indialog.Locate(d, s)
	if s.Contact != nil {
		m.Moved(known, s.Contact, d.RemoteTarget, indialog.FactsOf(d, "").Peer().Addr, localAddr)
	}
}
