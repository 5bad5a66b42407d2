//go:build interop

package interop

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

var baresip = &peerKind{name: "baresip", interval: 6, slots: make(chan struct{}, 20), start: startBaresip}

// plainCall is a call with a peer that has no timers.
type plainCall struct {
	caller  party
	subject string
	mode    string
	method  string // UPDATE, or empty for what the peer's Allow says
	end     string // peer, subject or killed
	want    string
	at      map[int]string
}

// plainCalls: the lines are those before the BYE. baresip's Allow has no UPDATE;
// asked all the same, it has to refuse once, and is never asked again.
var plainCalls = []plainCall{
	{caller: theSubject, subject: "uac", mode: "offer", end: "peer", want: `
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 Answering`},
	{caller: theSubject, subject: "uac", mode: "offer", end: "subject", want: `
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 Answering`},
	{caller: theSubject, subject: "uac", mode: "require", end: "peer", want: `
subject INVITE | Session-Expires: 6;refresher=uac
peer 420 Bad Extension
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 Answering
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 OK
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 OK`},
	{caller: theSubject, subject: "uac", mode: "always", end: "peer", want: `
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 Answering
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 OK
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 OK`, at: map[int]string{2: "3", 4: "6"}},
	{caller: theSubject, subject: "uac", mode: "always", method: "UPDATE", end: "peer", want: `
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 Answering
subject UPDATE | Session-Expires: 6;refresher=uac
peer 501 Not Implemented
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 OK
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 OK`, at: map[int]string{2: "3", 4: "3", 6: "6"}},
	{caller: theSubject, subject: "uac", mode: "always", end: "killed"},
	{caller: thePeer, subject: "uas", mode: "offer", end: "subject", want: `
peer INVITE
subject 200 OK`},
	{caller: thePeer, subject: "uas", mode: "always", end: "subject", want: `
peer INVITE
subject 200 OK | Session-Expires: 6;refresher=uas
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 OK
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 OK`, at: map[int]string{2: "3", 4: "6"}},
	{caller: thePeer, subject: "diago", mode: "always", end: "peer", want: `
peer INVITE
subject 200 OK | Session-Expires: 6;refresher=uas
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 OK
subject INVITE | Session-Expires: 6;refresher=uac
peer 200 OK`, at: map[int]string{2: "3", 4: "6"}},
	{caller: thePeer, subject: "diago", mode: "always", end: "killed"},
}

func TestBaresip(t *testing.T) {
	t.Parallel()
	need(t, "baresip")
	for _, c := range plainCalls {
		t.Run(fmt.Sprintf("%s calls/%s/%s%s/%s", c.caller, c.subject, c.mode, c.method, c.end), func(t *testing.T) {
			t.Parallel()
			c.play(t)
		})
	}
}

func (c plainCall) play(t *testing.T) {
	st := scene{peer: baresip, caller: c.caller, subject: c.subject, transport: "udp", interval: baresip.interval,
		end: c.end, refresher: theSubject, mode: c.mode, method: c.method, title: "mode " + c.mode}.open(t)
	st.wire.await(t, "a call that is up", 20*time.Second, func(msgs []sipnet.Message) bool { return setUp(msgs) != nil })
	st.up()
	if c.end == "killed" {
		st.dies(t, time.Duration(baresip.interval)*time.Second)
		return
	}
	st.wire.sleepUntil(setUp(st.wire.messages()).answered + 7500*time.Millisecond)
	if c.end == "peer" {
		st.phone.hangUp()
	} else {
		st.subject.term()
	}
	st.wire.await(t, "the BYE and its answer", 10*time.Second, func(msgs []sipnet.Message) bool {
		e := hangUp(msgs)
		return e != nil && e.res != nil
	})
	if c.end == "peer" && c.mode != "offer" {
		st.subject.reports("ended", 5*time.Second)
	}
	st.subject.leave()
	msgs := st.wire.messages()
	sipnet.CheckCSeq(t, msgs)
	oddity{want: strings.TrimSpace(c.want) + "\n" + c.end + " BYE", at: c.at}.compare(t, msgs)
	record(t, st.scene, "", st.wire)
}

const baresipConfig = `poll_method epoll
sip_listen 127.0.0.1:PORT
call_local_timeout 120
call_max_calls 8
audio_player aufile,DIR/out.wav
audio_source aufile,DIR/in.wav
audio_alert aufile,DIR/out.wav
audio_level no
rtp_ports RTP-RTPEND
net_interface 127.0.0.1
cons_listen 127.0.0.1:CONSOLE
module_path MODULES
module g711.so
module aufile.so
module cons.so
module_tmp account.so
module_app menu.so
`

// baresipPhone takes commands in datagrams.
type baresipPhone struct {
	*program.Program
	console string
}

func startBaresip(t *testing.T, s scene, port int) phone {
	dir := t.TempDir()
	console := freePort(t)
	media := freePort(t)
	modules, _ := filepath.Glob("/usr/lib/*/baresip/modules")
	modules = append(modules, "/usr/lib/baresip/modules")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("config", strings.NewReplacer("PORT", itoa(port), "DIR", dir, "RTPEND", itoa(media+6), "RTP", itoa(media),
		"CONSOLE", itoa(console), "MODULES", modules[0]).Replace(baresipConfig))
	write("accounts", "<sip:peer@127.0.0.1:"+itoa(port)+">;regint=0;answermode=auto;audio_codecs=PCMU/8000/1\n")
	write("contacts", "")
	write("in.wav", silence(time.Minute))
	cmd := exec.Command("baresip", "-4", "-f", dir, "-s")
	cmd.Dir = dir
	p := &baresipPhone{Program: spawn(t, cmd), console: loopback(console)}
	awaitListener(t, "udp", port)
	awaitListener(t, "udp", console)
	p.Says(p.Stdout, "is ready", 10*time.Second)
	return p
}

// silence, whose end would end the call, is a WAV file of 8000 samples of 16 bit a second.
func silence(d time.Duration) string {
	size := uint32(d.Seconds() * 16000)
	head := []byte("RIFF")
	head = binary.LittleEndian.AppendUint32(head, 36+size)
	head = append(head, "WAVEfmt "...)
	for _, n := range []uint32{16, 1 | 1<<16, 8000, 16000, 2 | 16<<16} {
		head = binary.LittleEndian.AppendUint32(head, n)
	}
	head = append(head, "data"...)
	head = binary.LittleEndian.AppendUint32(head, size)
	return string(append(head, make([]byte, size)...))
}

func (p *baresipPhone) tell(command string) {
	p.Helper()
	c, err := net.Dial("udp", p.console)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte(command + "\n")); err != nil {
		p.Fatal(err)
	}
}

func (p *baresipPhone) call(uri string) { p.tell("/dial " + uri) }
func (p *baresipPhone) hangUp()         { p.tell("/hangup") }
