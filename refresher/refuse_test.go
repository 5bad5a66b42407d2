package refresher

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// fullStore cannot store anything.
type fullStore struct {
	*dialogstore.Memory
	err error
}

// Update implements dialogstore.Store.
func (s fullStore) Update(context.Context, dialogstore.ID, func(dialogstore.Dialog) (dialogstore.State, error)) (before, after dialogstore.Dialog, err error) {
	return before, after, s.err
}

// That a refused UPDATE cannot be stored is logged, unless the call has ended.
func TestRefuseUpdateFails(t *testing.T) {
	for err, want := range map[error]bool{nil: false, dialogstore.ErrNotFound: false, errors.New("disk full"): true} {
		var log bytes.Buffer
		s := New()
		s.Configure(Config{Store: fullStore{dialogstore.NewMemory(), err}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		s.refuseUpdate(t.Context(), dialogstore.ID{CallID: "full", LocalTag: "l", RemoteTag: "r"})
		if got := strings.Contains(log.String(), "call_id=full local_tag=l remote_tag=r error=\"disk full\""); got != want {
			t.Errorf("%v: logged %q", err, log.String())
		}
		s.Close()
	}
}
