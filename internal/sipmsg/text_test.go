package sipmsg

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// Text and Value are String and Value of sipgo. Each result is its own: the buffer between
// them is used again.
func TestText(t *testing.T) {
	m := invite(t, "Call-ID: c1", "From: \"A\" <sip:a@h:5060;transport=tcp>;tag=f1", "Contact: <sip:a@h>")
	first := Text(m)
	if again := Text(&sip.Uri{Scheme: "sip", Host: "h"}); again != "sip:h" || first != m.String() {
		t.Errorf("%q, then %q; want %q, then sip:h", first, again, m.String())
	}
	for _, h := range m.Headers() {
		if got := Value(h); got != h.Value() {
			t.Errorf("%s: %q, want %q", h.Name(), got, h.Value())
		}
	}
}

// The buffers are reused: only the text is allocated.
func TestTextAllocatesOnce(t *testing.T) {
	if bubble.UnderRace {
		t.Skip("the race detector empties pools")
	}
	h := sip.NewHeader("Session-Expires", "1800;refresher=uac")
	if n := testing.AllocsPerRun(1000, func() { Value(h) }); n != 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}
