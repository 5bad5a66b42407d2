//go:build interop

package interop

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
)

var linphone = &peerKind{
	name:     "linphone",
	interval: 8,
	slots:    make(chan struct{}, 14),
	start:    startLinphone,
}

func TestLinphone(t *testing.T) {
	t.Parallel()
	need(t, "linphone-daemon")
	matrix(t, linphone, "UPDATE", "INVITE")
}

// linphoneConfig keeps linphone on loopback, without sound devices.
const linphoneConfig = `[sip]
sip_port=PORT
sip_tcp_port=-1
sip_tls_port=-1
bind_address=127.0.0.1
default_proxy=-1
contact="linphone" <sip:linphone@127.0.0.1>
guess_hostname=0
register_only_when_network_is_up=0
use_ipv6=0
ipv6_migration_done=1
session_expires_enabled=1
session_expires_value=INTERVAL
session_expires_min_value=0
session_expires_refresher_value=REFRESHER
sip_update=UPDATE
keepalive_period=100000
verify_server_certs=0
verify_server_cn=0
inc_timeout=60
[net]
firewall_policy=0
mtu=0
[rtp]
bind_address=127.0.0.1
audio_rtp_port=RTP
[sound]
playback_dev_id=
capture_dev_id=
echocancellation=0
[misc]
file_transfer_server_url=
version_check_url_root=
config-uri=
[lime]
enabled=0
`

// linphonePhone is linphone-daemon, which takes commands on a socket.
type linphonePhone struct {
	*program.Program
	pipe, home string
}

func (p *linphonePhone) log() string {
	text, _ := os.ReadFile(filepath.Join(p.home, "log"))
	return string(text)
}

func startLinphone(t *testing.T, s scene, port int) phone {
	home, err := os.MkdirTemp("/tmp", "linphone") // it makes its socket below /tmp, wherever TMPDIR is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	for _, dir := range []string{".local/share/linphone", ".config/linphone", "linphone"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	refresher, method := "1", "1" // uas
	if (s.caller == thePeer) == (s.refresher == thePeer) {
		refresher = "2" // uac
	}
	if s.method == "INVITE" {
		method = "0"
	}
	config := strings.NewReplacer("PORT", itoa(port), "INTERVAL", itoa(s.interval), "REFRESHER", refresher,
		"UPDATE", method, "RTP", itoa(port+2)).Replace(linphoneConfig)
	file := filepath.Join(home, "linphonerc")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"--pipe", filepath.Join(filepath.Base(home), "pipe"), "--config", file, "--log", filepath.Join(home, "log"), "--disable-stats-events"}
	if s.caller == theSubject {
		args = append(args, "--auto-answer")
	}
	cmd := exec.Command("linphone-daemon", args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
	cmd.Dir = home
	p := &linphonePhone{Program: spawn(t, cmd), pipe: filepath.Join(home, "pipe"), home: home}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("linphone's log:\n%s", program.Tail(p.log(), 6000))
		}
	})
	p.tell("status")
	awaitListener(t, "udp", port)
	time.Sleep(2 * time.Second) // it drops calls while it still starts
	return p
}

// tell sends a command as soon as the socket is there.
func (p *linphonePhone) tell(command string) {
	p.Helper()
	for range 150 {
		conn, err := net.Dial("unix", p.pipe)
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = conn.Write([]byte(command + "\n"))
		_, _ = conn.Read(make([]byte, 4096))
		_ = conn.Close()
		return
	}
	p.Fatal("linphone-daemon opened no socket")
}

func (p *linphonePhone) call(uri string) { p.tell("call " + uri) }
func (p *linphonePhone) hangUp()         { p.tell("terminate") }
