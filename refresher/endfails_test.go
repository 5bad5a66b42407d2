package refresher_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// failing is a lab in which some ends fail first.
type failing struct {
	*lab
	errs []error
}

// End implements refresher.Pipeline.
func (f *failing) End(ctx context.Context, id dialogstore.ID, s sessiontimer.Session, reason sessiontimer.Reason) (func(context.Context), error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	return f.lab.End(ctx, id, s, reason)
}

// An end that fails is tried again each second. That is logged, unless the dialog was only
// busy.
func TestEndFails(t *testing.T) {
	inLab(t, func(l *lab) {
		var log bytes.Buffer
		f := &failing{l, []error{refresher.ErrBusy, errors.New("disk full")}}
		l.r.Configure(refresher.Config{Store: l.store, Pipeline: f, Event: l.event, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		d := call("end", 90*time.Second)
		d.Session.Refresher = sessiontimer.Peer
		l.create(d)
		if _, hangups := l.run(2 * time.Minute); !slices.Equal(hangups, []time.Duration{62 * time.Second}) {
			t.Errorf("hung up at %v, want two seconds late", hangups)
		}
		want := `level=WARN msg="cannot end the session, will try again" call_id=end local_tag=l remote_tag=r error="disk full"` + "\n"
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, want) {
			t.Errorf("logged %s; want %s alone", got, want)
		}
	})
}
