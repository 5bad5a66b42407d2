package sipnet

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// Each row runs one OPTIONS over each transport through a network with one fault.
func TestSipgoPair(t *testing.T) {
	first := func(v Verdict) func(Packet) Verdict {
		done := false
		return func(Packet) Verdict {
			if done {
				return Verdict{}
			}
			done = true
			return v
		}
	}
	tests := []struct {
		name      string
		transport string
		setup     func(n *Network)
		want      string
		rows      []string
	}{
		{"udp, nothing wrong", "udp", func(*Network) {}, "200", []string{
			"0.000s alice->bob OPTIONS", "0.000s bob->alice 200 OK (OPTIONS)"}},
		{"tcp, nothing wrong", "tcp", func(*Network) {}, "200", []string{
			"0.000s alice->bob OPTIONS", "0.000s bob->alice 200 OK (OPTIONS)"}},
		{"udp, delayed less than T1", "udp", func(n *Network) {
			n.SetFilter(func(Packet) Verdict { return Verdict{Delay: 100 * time.Millisecond} })
		}, "200", []string{
			"0.000s alice->bob OPTIONS", "0.100s bob->alice 200 OK (OPTIONS)"}},
		{"tcp, delayed", "tcp", func(n *Network) {
			n.SetFilter(func(Packet) Verdict { return Verdict{Delay: time.Second} })
		}, "200", []string{
			"0.000s alice->bob OPTIONS", "1.000s bob->alice 200 OK (OPTIONS)"}},
		{"udp, the first packet lost: retransmitted after T1", "udp", func(n *Network) {
			n.SetFilter(first(Verdict{Drop: true}))
		}, "200", []string{
			"0.000s alice->bob OPTIONS (lost)",
			"0.500s alice->bob OPTIONS", "0.500s bob->alice 200 OK (OPTIONS)"}},
		{"udp, the response duplicated: the copy is absorbed, and not recorded", "udp", func(n *Network) {
			n.SetFilter(func(p Packet) Verdict { return Verdict{Duplicate: p.From == bob} })
		}, "200", []string{
			"0.000s alice->bob OPTIONS", "0.000s bob->alice 200 OK (OPTIONS)"}},
		{"udp, bob silent: Timer F", "udp", func(n *Network) { n.Silence(bob) }, "timeout", []string{
			"0.000s alice->bob OPTIONS (lost)", "0.500s alice->bob OPTIONS (lost)",
			"1.500s alice->bob OPTIONS (lost)", "3.500s alice->bob OPTIONS (lost)",
			"7.500s alice->bob OPTIONS (lost)", "11.500s alice->bob OPTIONS (lost)",
			"15.500s alice->bob OPTIONS (lost)", "19.500s alice->bob OPTIONS (lost)",
			"23.500s alice->bob OPTIONS (lost)", "27.500s alice->bob OPTIONS (lost)",
			"31.500s alice->bob OPTIONS (lost)"}},
		{"tcp, alice silent: nothing gets out", "tcp", func(n *Network) { n.Silence(alice) }, "timeout", []string{
			"0.000s alice->bob OPTIONS (lost)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := newPair(t, tt.transport)
				defer p.close()
				tt.setup(p.net)
				if got := p.options(); !strings.Contains(got, tt.want) {
					t.Errorf("OPTIONS ended with %q, want %q in it", got, tt.want)
				}
				synctest.Wait()
				if diff := cmp.Diff(tt.rows, Rows(names, p.net.Messages())); diff != "" {
					t.Errorf("ladder (-want +got):\n%s", diff)
				}
				CheckCSeq(t, p.net.Messages())
			})
		})
	}
}

func TestRestore(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		a, b := n.PacketConn(alice), n.PacketConn(bob)
		n.SetFilter(func(Packet) Verdict { return Verdict{Delay: time.Second} })

		write(t, a, bob, "on its way when bob fell silent")
		write(t, b, alice, "sent before bob fell silent")
		n.Silence(bob)
		write(t, b, alice, "sent while bob was silent")
		time.Sleep(2 * time.Second)
		n.Restore(bob)
		write(t, a, bob, "sent after")

		if got, want := read(b), alice+" sent after"; got != want {
			t.Errorf("bob read %q, want %q", got, want)
		}
		if got, want := read(a), bob+" sent before bob fell silent"; got != want {
			t.Errorf("alice read %q, want %q", got, want)
		}
		_ = a.SetReadDeadline(time.Now().Add(time.Hour))
		if got := read(a); !strings.Contains(got, "timeout") {
			t.Errorf("alice read %q, want nothing more", got)
		}
	})
}

func TestObserve(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		peer := n.Peer(alice)
		n.PacketConn(bob)
		peer.Send(bob, optionsRaw(1))

		var seen []Message
		n.Observe(func(m Message) {
			seen = append(seen, m)
			if len(seen) == 1 {
				peer.Send(bob, optionsRaw(3)) // an observer may write
			}
		})
		peer.Send(bob, optionsRaw(2))
		want := []string{"0.000s alice->bob OPTIONS", "0.000s alice->bob OPTIONS"}
		if diff := cmp.Diff(want, Rows(names, seen)); diff != "" {
			t.Errorf("seen (-want +got):\n%s", diff)
		}
		if got := len(n.Messages()); got != 3 {
			t.Errorf("%d messages recorded, want 3", got)
		}
	})
}

// Only SIP is recorded, and what looks like SIP but is not stands there unparsed.
func TestRecordsSIPOnly(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := New()
		defer n.Close()
		a := n.PacketConn(alice)
		n.PacketConn(bob)
		write(t, a, bob, "\x80\x00\x00\x01rtp")
		write(t, a, bob, "\r\n\r\n")
		write(t, a, bob, "OPTIONS sip:bob SIP/2.0\r\nno header")
		write(t, a, "10.0.0.3:5060", normalise(optionsRaw(1)))
		want := []string{"0.000s alice->bob unreadable", "0.000s alice->10.0.0.3:5060 OPTIONS (lost)"}
		if diff := cmp.Diff(want, Rows(names, n.Messages())); diff != "" {
			t.Errorf("recorded (-want +got):\n%s", diff)
		}
	})
}

func TestStopRecording(t *testing.T) {
	n := New()
	defer n.Close()
	a, b := n.PacketConn("10.0.0.1:5060"), n.PacketConn("10.0.0.2:5060")
	send := func() {
		if _, err := a.WriteTo([]byte("OPTIONS sip:b SIP/2.0\r\n\r\n"), b.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.ReadFrom(make([]byte, 64)); err != nil {
			t.Fatal(err)
		}
	}
	send()
	n.StopRecording()
	send()
	if got := len(n.Messages()); got != 1 {
		t.Errorf("%d messages recorded, want the one before StopRecording", got)
	}
}
