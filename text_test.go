package sessiontimer_test

import (
	"encoding"
	"encoding/json"
	"testing"

	"github.com/sipgo-contrib/sessiontimer"
)

func TestEnumerationsAreNames(t *testing.T) {
	for _, v := range []interface {
		encoding.TextMarshaler
		String() string
	}{
		sessiontimer.Off, sessiontimer.Accept, sessiontimer.Offer, sessiontimer.Require, sessiontimer.Always,
		sessiontimer.Nobody, sessiontimer.Local, sessiontimer.Peer,
		sessiontimer.MethodAuto, sessiontimer.MethodUpdate, sessiontimer.MethodReInvite,
	} {
		if got, err := v.MarshalText(); err != nil || string(got) != v.String() {
			t.Errorf("%T %v is the text %q, %v, want its name", v, v, got, err)
		}
	}
	want := sessiontimer.Policy{Mode: sessiontimer.Always, Refresher: sessiontimer.Peer, Method: sessiontimer.MethodReInvite}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got sessiontimer.Policy
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("a policy comes back as %+v, %v, want %+v\n%s", got, err, want, text)
	}
}

func TestUnknownEnumerations(t *testing.T) {
	for _, v := range []encoding.TextMarshaler{sessiontimer.Mode(5), sessiontimer.Refresher(3), sessiontimer.Method(255)} {
		if got, err := v.MarshalText(); err == nil {
			t.Errorf("%v is the text %q, want an error", v, got)
		}
	}
	mode, refresher, method := sessiontimer.Offer, sessiontimer.Local, sessiontimer.MethodUpdate
	for _, v := range []encoding.TextUnmarshaler{&mode, &refresher, &method} {
		for _, name := range []string{"", "Offer", "local ", "unknown(9)", "uac"} {
			if err := v.UnmarshalText([]byte(name)); err == nil {
				t.Errorf("%T reads %q, want an error", v, name)
			}
		}
	}
	if mode != sessiontimer.Offer || refresher != sessiontimer.Local || method != sessiontimer.MethodUpdate {
		t.Error("a name that is refused has changed the value")
	}
}
