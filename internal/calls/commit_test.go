package calls

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// ofPeer is a dialog that holds together.
func ofPeer() (d dialogstore.Dialog) {
	d.CallID, d.LocalTag, d.RemoteTag = "call", "ours", "theirs"
	d.LocalURI, d.RemoteURI = "<sip:us@example.com>;tag=ours", "<sip:peer@example.com>;tag=theirs"
	d.Contact, d.RemoteTarget, d.Transport = "<sip:us@10.0.0.2:5070>", "sip:peer@10.0.0.9:5080", "UDP"
	return d
}

// broken is a store that fails.
type broken struct {
	dialogstore.Store
	err error
}

func (b broken) Update(context.Context, dialogstore.ID, func(dialogstore.Dialog) (dialogstore.State, error)) (before, after dialogstore.Dialog, err error) {
	return before, after, b.err
}

func (b broken) Delete(context.Context, dialogstore.ID) (d dialogstore.Dialog, err error) {
	return d, b.err
}

// A store that fails is logged; that a dialog has ended before is no failure.
func TestStoreFails(t *testing.T) {
	for _, c := range []struct {
		err    error
		logged bool
	}{{errors.New("of the test"), true}, {dialogstore.ErrNotFound, false}} {
		var out bytes.Buffer
		calls := New(context.Background(), Config{Log: slog.New(slog.NewTextHandler(&out, nil))})
		calls.Store = dialogstore.Observe(broken{err: c.err})
		same := func(d dialogstore.Dialog) dialogstore.State { return d.State }
		if _, ok := calls.Renew(context.Background(), ofPeer().ID, same); ok || strings.Contains(out.String(), "cannot update the dialog") != c.logged {
			t.Errorf("%v: updated %t, logged %q", c.err, ok, out.String())
		}
		out.Reset()
		calls.remove(context.Background(), ofPeer().ID, sessiontimer.Reason{})
		if strings.Contains(out.String(), "cannot delete the dialog") != c.logged {
			t.Errorf("%v: logged %q", c.err, out.String())
		}
	}
}

// A dialog that could not be stored is logged; one that ended while it was stored is deleted.
func TestStored(t *testing.T) {
	for _, c := range []struct {
		name  string
		ended bool
		err   error
		kept  bool
	}{
		{"alive", false, nil, true},
		{"ended meanwhile", true, nil, false},
		{"not stored", true, errors.New("of the test"), true}, // nothing to delete
	} {
		var out bytes.Buffer
		calls := New(context.Background(), Config{Log: slog.New(slog.NewTextHandler(&out, nil))})
		calls.Store = dialogstore.Observe(dialogstore.NewMemory())
		d := ofPeer()
		set, _ := calls.Sets.Resume(&d)
		if err := calls.Store.Create(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		if c.ended {
			set.End(d.RemoteTag, false, sessiontimer.Reason{})
		}
		calls.Stored(context.Background(), set, &d, c.err)
		if _, err := calls.Store.Load(context.Background(), d.ID); (err == nil) != c.kept {
			t.Errorf("%s: in the store: %t, want %t", c.name, err == nil, c.kept)
		}
		if logged := strings.Contains(out.String(), "cannot store the dialog"); logged != (c.err != nil) {
			t.Errorf("%s: logged %q", c.name, out.String())
		}
	}
}

// A dialog ends once: whoever comes second ends nothing.
func TestEndTwice(t *testing.T) {
	calls := New(context.Background(), Config{Log: slog.New(slog.DiscardHandler)})
	calls.Store = dialogstore.Observe(dialogstore.NewMemory())
	d := ofPeer()
	set, _ := calls.Sets.Resume(&d)
	sent := make(chan struct{})
	close(sent)
	if _, ok := calls.End(context.Background(), set, d.RemoteTag, sessiontimer.Reason{}, sent); ok {
		t.Error("a dialog that is not stored ends")
	}
	if err := calls.Store.Create(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	set.End(d.RemoteTag, false, sessiontimer.Reason{})
	if _, ok := calls.End(context.Background(), set, d.RemoteTag, sessiontimer.Reason{}, sent); ok {
		t.Error("a dialog that has ended ends again")
	}
}

// An application without a handler for BYE is not told of the end; that is logged.
func TestNoByeHandler(t *testing.T) {
	var out bytes.Buffer
	calls := New(context.Background(), Config{Log: slog.New(slog.NewTextHandler(&out, nil))})
	calls.byeApplication(ofPeer(), sessiontimer.Reason{})
	if !strings.Contains(out.String(), "no BYE handler") {
		t.Errorf("logged %q", out.String())
	}
	out.Reset()
	told := 0
	calls.SetApplication(Application{Bye: func(*sip.Request, sip.ServerTransaction) { told++ }, Media: func(*sip.Request, sip.ServerTransaction) { told++ }})
	bad := ofPeer()
	bad.RemoteTarget = ""
	calls.byeApplication(bad, sessiontimer.Reason{})
	calls.reInviteApplication(bad)
	if log := out.String(); told != 0 || !strings.Contains(log, "cannot tell the application") || !strings.Contains(log, "cannot pass the peer's session description") {
		t.Errorf("told %d times of a dialog without a target; logged %q", told, out.String())
	}
	calls.byeApplication(ofPeer(), sessiontimer.Reason{})
	if told != 1 {
		t.Errorf("the BYE handler was called %d times", told)
	}
}
