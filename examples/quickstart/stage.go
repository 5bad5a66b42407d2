package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// stage draws what its sockets send as a ladder, and can silence them.
type stage struct {
	w      io.Writer
	ladder *sipnet.Ladder

	mu        sync.Mutex
	actors    map[string]*actor // by name and by address
	start     time.Time         // of the first message
	silenced  time.Time
	refreshes int
	ended     chan struct{} // closed by the BYE
	hangUp    sync.Once
}

// actor is a column of the ladder.
type actor struct {
	name   string
	tap    *sipnet.Tap
	silent bool
}

func newStage(w io.Writer, names ...string) (*stage, error) {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) // the ladder shows everything
	s := &stage{w: w, actors: make(map[string]*actor), ended: make(chan struct{})}
	fmt.Fprint(w, "\n  RFC 4028 session timers between two sipgo user agents: 4 s here, 30 min in real life.\n\n")
	s.ladder = sipnet.NewLadder(w, names...)
	for _, name := range names {
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			s.close()
			return nil, err
		}
		a := &actor{name: name, tap: sipnet.TapPacketConn(conn, s.seen)}
		s.actors[name], s.actors[conn.LocalAddr().String()] = a, a
	}
	return s, nil
}

// socket is the packet connection of an actor.
func (s *stage) socket(name string) net.PacketConn { return s.actors[name].tap }

// silence cuts off an actor, like a power failure.
func (s *stage) silence(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silenced = time.Now()
	s.actors[name].silent = true
	s.actors[name].tap.Silence()
}

// say prints a line between the rows.
func (s *stage) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.w, "\n  %s\n\n", text)
}

// seen draws a message on its way. What a silent actor sends is not drawn, and what is
// sent to it does not arrive.
func (s *stage) seen(from, to string, data []byte, dropped bool) {
	msg, err := sip.ParseMessage(data)
	if err != nil || dropped {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.start.IsZero() {
		s.start = time.Now()
	}
	a, b := s.actors[from], s.actors[to]
	draw := s.ladder.Add
	if b.silent {
		draw = s.ladder.Lost
	}
	label, _, _ := strings.Cut(sipnet.Label(msg), " (") // 200 OK, without the method
	draw(time.Since(s.start), a.name, b.name, label, notes(msg)...)
	switch label {
	case "UPDATE":
		s.refreshes++
	case "BYE":
		s.hangUp.Do(func() { close(s.ended) })
	}
}

// notes are the session-timer headers of a message.
func notes(msg sip.Message) []string {
	var out []string
	if timers := sipnet.Timers(msg); timers != "" {
		out = append(out, timers)
	}
	if cseq := msg.CSeq(); cseq != nil && cseq.MethodName == sip.BYE {
		return out // Supported: timer says nothing new here
	}
	for _, name := range []string{"Require", "Supported"} {
		for _, h := range msg.GetHeaders(name) {
			if sessiontimer.HasToken(h.Value(), sessiontimer.OptionTag) {
				return append(out, name+": timer")
			}
		}
	}
	return out
}

// finish prints what was shown.
func (s *stage) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.w, "\n  Shown: %d refreshes kept the call alive, and %.1f s after alice vanished bob ended it by himself.\n\n",
		s.refreshes, time.Since(s.silenced).Seconds())
}

func (s *stage) close() {
	for _, a := range s.actors {
		_ = a.tap.Close()
	}
}

// awaitServing waits until sipgo reads from the socket: before that, a request would open
// another one.
func awaitServing(ua *sipgo.UserAgent, addr string) error {
	for range 100 {
		if conn, err := ua.TransportLayer().GetConnection("udp", addr); err == nil {
			_, err = conn.TryClose()
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("the socket is not served")
}

// sdp returns a minimal session description.
func sdp() []byte {
	return []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=inactive\r\n")
}
