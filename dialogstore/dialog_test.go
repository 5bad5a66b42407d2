package dialogstore_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// The part of an event that describes a dialog.
func TestCallOfDialog(t *testing.T) {
	now := time.Now()
	d := dialogstore.Dialog{
		Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "c", LocalTag: "l", RemoteTag: "r"}},
		State:  dialogstore.State{Session: sessiontimer.Session{Interval: time.Hour, Refresher: sessiontimer.Peer}},
	}
	want := sessiontimer.Call{Time: now, CallID: "c", LocalTag: "l", RemoteTag: "r", Interval: time.Hour, Refresher: sessiontimer.Peer}
	if got := d.Call(now); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// In JSON a dialog is flat: whoever reads it need not know what may change of it.
func TestDialogIsFlat(t *testing.T) {
	text, err := json.Marshal(dialogstore.Dialog{Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "c"}}, State: dialogstore.State{LocalCSeq: 7}})
	var flat map[string]any
	if err == nil {
		err = json.Unmarshal(text, &flat)
	}
	if err != nil || flat["CallID"] != "c" || flat["LocalCSeq"] != 7.0 || flat["Origin"] != nil || flat["State"] != nil || flat["ID"] != nil {
		t.Errorf("%s, %v", text, err)
	}
}
