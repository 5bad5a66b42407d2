package middleware_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// streamLimit is roughly the largest message that sipgo accepts over TCP.
const streamLimit = 64_000

// padding are the fillings of a large message that cost its reader most.
var padding = []struct {
	name string
	line string // as often as it fits; %d is a number
}{
	{"routes", "Record-Route: <sip:10.0.0.9;lr>\r\n"},
	{"unreadable fields", "x:a\r\n"},
	{"unreadable fields of two kinds", "Session-Expires:90 90\r\nMin-SE:1,2\r\n"},
	{"option tags by line", "k:a\r\n"},
	{"methods by line", "Allow:A\r\n"},
	{"other fields", "y:a\r\n"},
	{"Via", "Via:SIP/2.0/TCP 10.0.0.9;branch=z9hG4bK%d\r\n"},
	{"challenges", "WWW-Authenticate:Digest realm=\"%d\", nonce=\"n\"\r\n"},
	{"one field of option tags", "a,"},
	{"one Call-ID", "c"},
	{"one display name", "n"},
	{"parameters of Contact", ";p%d"},
	{"the body", "a=b\r\n"},
}

var (
	displayNames = regexp.MustCompile(`From: .*?<`)
	toTags       = regexp.MustCompile(`(?m)^To: .*;tag=([^;\r]+)`)
)

// slow is a padding that takes sipgo most of a second, because its time is quadratic.
const slow = "parameters of Contact"

// pad makes a message large.
func (s *stranger) pad(msg, name string) string {
	for _, p := range padding {
		if p.name != name {
			continue
		}
		var b strings.Builder
		for i := 0; b.Len() < s.limit-len(msg); i++ {
			b.WriteString(strings.ReplaceAll(p.line, "%d", strconv.Itoa(i)))
		}
		head, body, _ := strings.Cut(msg, "\r\n\r\n")
		fill := b.String()
		switch name {
		case "one field of option tags":
			head += "\r\nk: " + fill
		case "one Call-ID": // of all messages of the call
		case "one display name":
			head = displayNames.ReplaceAllString(head, `From: "`+fill+`" <`)
		case slow:
			head = strings.Replace(head, ":5060;transport=tcp>", ":5060;transport=tcp>"+fill, 1)
		case "the body":
			body += fill
		default:
			head += "\r\n" + strings.TrimSuffix(fill, "\r\n")
		}
		head = strings.Replace(head, "Content-Length: 0", fmt.Sprint("Content-Length: ", len(body)), 1)
		return head + "\r\n\r\n" + body
	}
	return msg
}

// stranger is the other end of a stream, without a stack.
type stranger struct {
	net.Conn
	in     *bufio.Reader
	serial int
	callID string
	limit  int // bytes of a large message
}

// strangerTo connects one to a user agent at bobAddr, with timers or without.
func strangerTo(b testing.TB, e end) (*benchUA, *stranger) {
	b.Helper()
	n := sipnet.New()
	n.StopRecording()
	b.Cleanup(n.Close)
	bob := newBenchUA(b, n, "bob", bobAddr, "tcp", e)
	l := n.Listener(peerAddr)
	n.ConnectTCP(peerAddr, bobAddr)
	conn, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	bob.awaitServing("tcp", peerAddr)
	return bob, &stranger{Conn: conn, in: bufio.NewReaderSize(conn, 2*streamLimit), limit: streamLimit}
}

// read returns the head of the next message but 100 Trying.
func (s *stranger) read(b testing.TB) string {
	_ = s.SetReadDeadline(time.Now().Add(time.Minute))
	var head strings.Builder
	length := 0
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if value, ok := strings.CutPrefix(line, "Content-Length:"); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
		if head.WriteString(line); line == "\r\n" {
			break
		}
	}
	if _, err := io.CopyN(io.Discard, s.in, int64(length)); err != nil {
		b.Fatal(err)
	}
	if strings.HasPrefix(head.String(), "SIP/2.0 100") {
		return s.read(b)
	}
	return head.String()
}

func (s *stranger) write(b testing.TB, msg string) {
	if _, err := io.WriteString(s, msg); err != nil {
		b.Fatal(err)
	}
}

// message is a request of a call that the stranger makes.
func (s *stranger) message(method, tag string, cseq int) string {
	to := "<sip:bob@10.0.0.2>"
	if tag != "" {
		to += ";tag=" + tag
	}
	return fmt.Sprintf("%s sip:bob@%s;transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK.%d.%d.%s\r\nMax-Forwards: 70\r\n"+
		"From: <sip:p@10.0.0.9>;tag=p\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:p@%s;transport=tcp>\r\n"+
		"Supported: timer\r\nSession-Expires: 1800\r\nContent-Length: 0\r\n\r\n",
		method, bobAddr, peerAddr, s.serial, cseq, method, to, s.callID, cseq, method, peerAddr)
}

// calls makes a call to bob, of which the named request is large, and hangs up.
func (s *stranger) calls(b testing.TB, large, how string) {
	s.serial++
	s.callID = strconv.Itoa(s.serial)
	if how == "one Call-ID" {
		s.callID += strings.Repeat("c", streamLimit-1000)
	}
	send := func(name, tag string, cseq int) {
		msg := s.message(strings.TrimPrefix(name, "re-"), tag, cseq)
		if name == large {
			msg = s.pad(msg, how)
		}
		s.write(b, msg)
	}
	send("INVITE", "", 1)
	tag := toTags.FindStringSubmatch(s.read(b))[1]
	send("ACK", tag, 1)
	if large == "UPDATE" || large == "re-INVITE" {
		send(large, tag, 2)
		s.read(b)
	}
	send("BYE", tag, 3)
	s.read(b)
}

// isCalled answers a call of bob, by a response that is large, until bob hangs up.
func (s *stranger) isCalled(b testing.TB, bob *benchUA, large, how string) {
	done := make(chan error, 1)
	go func() {
		ctx := context.Background()
		uri := sip.Uri{Scheme: "sip", User: "p", Host: "10.0.0.9", Port: 5060, UriParams: sip.HeaderParams{{K: "transport", V: "tcp"}}}
		d, err := bob.calls.Invite(ctx, uri, []byte(sipnet.SDP), sip.NewHeader("Content-Type", "application/sdp"))
		if err == nil {
			err = d.WaitAnswer(ctx, sipgo.AnswerOptions{})
		}
		if err == nil {
			err = d.Ack(ctx)
		}
		if err == nil {
			err = d.Bye(ctx)
		}
		done <- err
	}()
	answer := func(req, status string) {
		var res strings.Builder
		res.WriteString("SIP/2.0 " + status + "\r\n")
		for line := range strings.Lines(req) {
			name, _, _ := strings.Cut(line, ":")
			switch name {
			case "Via", "From", "Call-ID", "CSeq":
				res.WriteString(line)
			case "To":
				line = strings.TrimSuffix(line, "\r\n")
				if !strings.Contains(line, ";tag=") {
					line += ";tag=p"
				}
				res.WriteString(line + "\r\n")
			}
		}
		res.WriteString("Contact: <sip:p@" + peerAddr + ";transport=tcp>\r\nSession-Expires: 1800;refresher=uac\r\nSupported: timer\r\nContent-Length: 0\r\n\r\n")
		if status[:3] == large {
			s.write(b, s.pad(res.String(), how))
			return
		}
		s.write(b, res.String())
	}
	invite := s.read(b)
	if large == "180" {
		answer(invite, "180 Ringing")
	}
	answer(invite, "200 OK")
	s.read(b) // ACK
	answer(s.read(b), "200 OK")
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// larges are the messages that a stranger can make large, in calls both ways.
var larges = []struct {
	name string
	play func(*stranger, testing.TB, *benchUA, string)
}{
	{"INVITE", func(s *stranger, b testing.TB, _ *benchUA, how string) { s.calls(b, "INVITE", how) }},
	{"ACK", func(s *stranger, b testing.TB, _ *benchUA, how string) { s.calls(b, "ACK", how) }},
	{"UPDATE", func(s *stranger, b testing.TB, _ *benchUA, how string) { s.calls(b, "UPDATE", how) }},
	{"re-INVITE", func(s *stranger, b testing.TB, _ *benchUA, how string) { s.calls(b, "re-INVITE", how) }},
	{"BYE", func(s *stranger, b testing.TB, _ *benchUA, how string) { s.calls(b, "BYE", how) }},
	{"180", func(s *stranger, b testing.TB, bob *benchUA, how string) { s.isCalled(b, bob, "180", how) }},
	{"200", func(s *stranger, b testing.TB, bob *benchUA, how string) { s.isCalled(b, bob, "200", how) }},
}

// A call with the largest message that a peer can send allocates at most three times as much
// as without timers.
func TestLargestMessages(t *testing.T) {
	withoutRace(t)
	table := "| message | most costly filling | times as many at most |\n|---|---|---|\n"
	all := true // were measured
	for _, m := range larges {
		worst, of := 0.0, ""
		for _, p := range padding {
			ran := false
			t.Run(m.name+"/"+p.name, func(t *testing.T) {
				ran = true
				cost := func(e end) float64 {
					bob, s := strangerTo(t, e)
					if p.name == slow {
						s.limit /= 8
					}
					least := testing.AllocsPerRun(1, func() { m.play(s, t, bob, p.name) })
					for range 2 { // what else goes on allocates too
						least = min(least, testing.AllocsPerRun(1, func() { m.play(s, t, bob, p.name) }))
					}
					return least
				}
				without, with := cost(stock), cost(hooked)
				t.Logf("%.0f allocations with timers, %.0f without: %.2f", with, without, with/without)
				if with > 3*without {
					t.Errorf("%.0f allocations with timers, %.0f without, want three times that at most", with, without)
				}
				if with/without > worst {
					worst, of = with/without, p.name
				}
			})
			all = all && ran
		}
		bound := atMost(worst)
		if bound == "1.1" {
			of = "anything" // about the same
		}
		table += fmt.Sprintf("| %s | %s | %s |\n", m.name, of, bound)
	}
	if all && *update { // the figures differ a little from run to run
		checkSection(t, "largest messages", table)
	}
}

// atMost rounds x up to a bound that does not change with other allocations meanwhile.
func atMost(x float64) string {
	for _, bound := range []string{"1.1", "1.6", "2.4", "3"} {
		if limit, _ := strconv.ParseFloat(bound, 64); x <= limit {
			return bound
		}
	}
	return "more"
}

// BenchmarkLargestMessages measures such a call with and without timers in turns, and their
// ratio. It uses the least times, because other load on the machine only adds to them.
func BenchmarkLargestMessages(b *testing.B) {
	for _, m := range larges {
		for _, p := range padding {
			b.Run("message="+m.name+"/of="+strings.ReplaceAll(p.name, " ", "-"), func(b *testing.B) {
				without, s1 := strangerTo(b, stock)
				with, s2 := strangerTo(b, hooked)
				least := [2]time.Duration{time.Hour, time.Hour}
				for b.Loop() {
					start := time.Now()
					m.play(s1, b, without, p.name)
					between := time.Now()
					m.play(s2, b, with, p.name)
					least = [2]time.Duration{min(least[0], between.Sub(start)), min(least[1], time.Since(between))}
				}
				b.ReportMetric(float64(least[0]), "ns-without")
				b.ReportMetric(float64(least[1])/float64(least[0]), "x")
			})
		}
	}
}
