package sessiontimer_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// inviteFields are the header fields of a typical INVITE that a stack hands over:
// those that say something about timers, and some that do not.
var inviteFields = [][2]string{
	{"User-Agent", "phone/1.0"},
	{"Session-Expires", "1800;refresher=uac"},
	{"Min-SE", "90"},
	{"Supported", "100rel, replaces, timer"},
	{"Require", "timer"},
	{"Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO"},
	{"Content-Type", "application/sdp"},
}

// byHand is what most applications read of it, the way that most write it.
type byHand struct {
	interval                              time.Duration
	refresher                             string
	minSE                                 time.Duration
	supported, required, hasAllow, update bool
}

func (f *byHand) add(name, value string) {
	switch strings.ToLower(name) {
	case "session-expires", "x":
		parts := strings.Split(value, ";")
		if n, err := strconv.Atoi(strings.TrimSpace(parts[0])); err == nil {
			f.interval = time.Duration(n) * time.Second
		}
		for _, p := range parts[1:] {
			if kv := strings.SplitN(p, "=", 2); len(kv) == 2 && strings.TrimSpace(kv[0]) == "refresher" {
				f.refresher = strings.TrimSpace(kv[1])
			}
		}
	case "min-se":
		if n, err := strconv.Atoi(strings.TrimSpace(strings.Split(value, ";")[0])); err == nil {
			f.minSE = time.Duration(n) * time.Second
		}
	case "supported", "k":
		f.supported = f.supported || lists(value, "timer")
	case "require":
		f.required = f.required || lists(value, "timer")
	case "allow":
		f.hasAllow, f.update = true, f.update || lists(value, "UPDATE")
	}
}

func lists(list, token string) bool {
	for _, item := range strings.Split(list, ",") {
		if strings.TrimSpace(item) == token {
			return true
		}
	}
	return false
}

func (f *byHand) String() string {
	return fmt.Sprintf("%d;refresher=%s", int(f.interval.Seconds()), f.refresher)
}

var (
	parsed       sessiontimer.Fields
	parsedByHand byHand
	value        sessiontimer.SessionExpires
	printed      string
)

func parseFields() {
	parsed = sessiontimer.Fields{}
	for _, h := range inviteFields {
		parsed.Add(h[0], h[1])
	}
}

func parseFieldsByHand() {
	parsedByHand = byHand{}
	for _, h := range inviteFields {
		parsedByHand.add(h[0], h[1])
	}
}

func parseValue()       { value, _ = sessiontimer.ParseSessionExpires("1800;refresher=uac") }
func parseValueByHand() { parsedByHand.add("Session-Expires", "1800;refresher=uac") }
func printValue()       { printed = value.String() }
func printValueByHand() { printed = parsedByHand.String() }

// BenchmarkFields is reading the header fields of an INVITE, reading one
// Session-Expires, and printing it; beside the same by hand, without the cases
// that few think of.
func BenchmarkFields(b *testing.B) {
	parseValue()
	parseValueByHand()
	for _, c := range []struct {
		op, by string
		run    func()
	}{
		{"parse", "hand", parseFieldsByHand}, {"parse", "library", parseFields},
		{"parse-value", "hand", parseValueByHand}, {"parse-value", "library", parseValue},
		{"print", "hand", printValueByHand}, {"print", "library", printValue},
	} {
		b.Run("op="+c.op+"/by="+c.by, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.run()
			}
		})
	}
}

func TestFieldsAllocations(t *testing.T) {
	parseValue()
	for _, c := range []struct {
		name string
		run  func()
		most float64
	}{
		{"the header fields of an INVITE", parseFields, 0},
		{"ParseSessionExpires", parseValue, 0},
		{"SessionExpires.String", printValue, 2},
	} {
		if n := testing.AllocsPerRun(100, c.run); n > c.most {
			t.Errorf("%s: %v allocations, want %v at most", c.name, n, c.most)
		}
	}
	if !parsed.HasSessionExpires || parsed.MinSE != 90*time.Second || !parsed.Required || !parsed.AllowUpdate || parsed.Malformed != nil ||
		printed != "1800;refresher=uac" {
		t.Errorf("read %+v, printed %s", parsed, printed)
	}
}
