//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// entry is a call for docs/interop.md.
type entry struct {
	scene
	seen   string
	ladder string
}

// proof is a fault of a peer, with what shows it.
type proof struct{ peer, text, message string }

var report struct {
	sync.Mutex
	entries []entry
	faults  []proof
}

// record notes a call that passed.
func record(t *testing.T, s scene, seen string, w *wire) {
	t.Helper()
	if seen == "" {
		seen = sequence(w)
	}
	if !t.Failed() {
		t.Log(seen)
		report.Lock()
		defer report.Unlock()
		report.entries = append(report.entries, entry{scene: s, seen: seen, ladder: w.ladder(s.peer.name)})
	}
}

// fault notes a failure caused by the peer.
func fault(t *testing.T, peer, text, message string) {
	t.Helper()
	t.Logf("FAULT of %s: %s\n%s", peer, text, message)
	report.Lock()
	defer report.Unlock()
	report.faults = append(report.faults, proof{peer, text, strings.TrimSpace(message)})
}

// sequence is what passed, in one line.
func sequence(w *wire) string {
	rows, _ := plainRows(w.messages())
	for i, row := range rows {
		who, rest, _ := strings.Cut(row, " ")
		what, timers, found := strings.Cut(rest, " | ")
		if found {
			what += " (" + timers + ")"
		}
		arrow := "→ "
		if who == string(thePeer) {
			arrow = "← "
		}
		rows[i] = arrow + what
	}
	return strings.ReplaceAll(strings.Join(rows, " "), "Session-Expires: ", "SE ")
}

// writeDoc writes the report of a whole run.
func writeDoc(path string) error {
	text, err := os.ReadFile(filepath.Join("testdata", "quirks.md"))
	if err != nil {
		return err
	}
	for _, kind := range kinds() {
		if len(entriesOf(kind, false))+len(entriesOf(kind, true)) == 0 {
			return fmt.Errorf("no call with %s: the report needs a whole run", kind.name)
		}
	}
	var b strings.Builder
	b.WriteString(docHead)
	writeOverview(&b)
	b.WriteString(docRules)
	b.WriteString(versions())
	for _, kind := range []*peerKind{linphone, sofia, sipp, sippTCP, jssip} {
		writeMatrix(&b, kind)
	}
	for _, kind := range []*peerKind{linphoneTLS, sippIPv6, jssipWS} {
		writeList(&b, kind, plainName)
	}
	writeList(&b, baresip, func(e entry) string {
		return fmt.Sprintf("%s, %s, %s", e.title, whoCalls(e.scene), howItEnds(e.scene))
	})
	writeList(&b, kamailio, func(e entry) string { return e.title })
	writeOdd(&b)
	writeLadders(&b)
	writeFaults(&b)
	b.Write(text)
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// kinds are the rows of the overview.
func kinds() []*peerKind {
	return []*peerKind{linphone, linphoneTLS, sofia, sipp, sippTCP, sippIPv6, jssip, jssipWS, baresip, kamailio}
}

// writeOverview writes how many calls of each kind were seen to hold.
func writeOverview(b *strings.Builder) {
	b.WriteString("| peer | calls | it calls | we call | it refreshes | we refresh | UPDATE | re-INVITE | it is killed |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, kind := range kinds() {
		fmt.Fprintf(b, "| %s |", kind.name)
		for _, column := range []func(entry) bool{
			func(entry) bool { return true },
			func(e entry) bool { return e.caller == thePeer },
			func(e entry) bool { return e.caller == theSubject },
			func(e entry) bool { return e.refresher == thePeer },
			func(e entry) bool { return e.refresher == theSubject },
			func(e entry) bool { return e.method == "UPDATE" },
			func(e entry) bool { return e.method == "INVITE" },
			func(e entry) bool { return e.end == "killed" },
		} {
			count := 0
			for _, e := range append(entriesOf(kind, false), entriesOf(kind, true)...) {
				if column(e) {
					count++
				}
			}
			if count == 0 {
				b.WriteString(" – |")
			} else {
				fmt.Fprintf(b, " %d ✓ |", count)
			}
		}
		b.WriteString("\n")
	}
}

const docHead = `# Interoperability

Calls with other people's user agents over real sockets on loopback. A number with ✓ counts
the calls of that kind that passed, judged by what went over the wire. A – was not tried,
usually because the peer cannot do it.

`

const docRules = `
This page is written by ` + "`.ci/interop -update`" + `. The programs under test, called *we* here, are
the examples ` + "`uac`" + `, ` + "`uas`" + ` and ` + "`diago`" + `; over TLS and WebSocket, the small one in
` + "`internal/interop/subject`" + `. Times are seconds after the call was established.

A call passes if

- the 2xx settles the right timer, and our events say the same;
- the right party refreshes, by the right method, at half the interval, at least twice;
- all CSeq numbers rise, and the call lives past its first expiry;
- the right party hangs up, and nothing follows the BYE;
- the program ends, or is left as it was before the call.

If the peer is killed, the call must end a third of the interval before expiry if the peer was to refresh. If we
were, it must end at expiry, or after 32 s without a response.

`

// plainName is a call of the matrix in words.
func plainName(e entry) string {
	refresher := map[party]string{theSubject: "we refresh", thePeer: "the peer refreshes"}[e.refresher]
	return fmt.Sprintf("%s (`%s`), %s by %s, %s", whoCalls(e.scene), e.subject, refresher, e.method, howItEnds(e.scene))
}

func whoCalls(s scene) string {
	return map[party]string{theSubject: "we call", thePeer: "the peer calls"}[s.caller]
}

func howItEnds(s scene) string {
	return map[string]string{"subject": "we hang up", "peer": "the peer hangs up", "killed": "the peer is killed"}[s.end]
}

// versions are those of the peers of this run.
func versions() string {
	var b strings.Builder
	b.WriteString("| peer | version | what it is |\n|---|---|---|\n")
	for _, row := range [][3]string{
		{"linphone", debian("linphone-cli"), "linphone-daemon, a softphone with timers"},
		{"sofia-sip", debian("libsofia-sip-ua-dev"), "FreeSWITCH's stack, with a C program of ours around its NUA"},
		{"SIPp", debian("sip-tester"), "scripts"},
		{"JsSIP", jssipVersion(), "browsers' stack on Node.js, over UDP and WebSocket"},
		{"baresip", debian("baresip"), "a phone without timers"},
		{"Kamailio", debian("kamailio"), "a proxy in the path, with Record-Route"},
	} {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row[0], row[1], row[2])
	}
	return b.String()
}

func debian(name string) string {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
	if err != nil {
		return "unknown"
	}
	return string(out)
}

func jssipVersion() string {
	var pkg struct{ Version string }
	text, _ := os.ReadFile(filepath.Join("jssip", "node_modules", "jssip", "package.json"))
	if json.Unmarshal(text, &pkg) != nil {
		return "unknown"
	}
	return pkg.Version
}

// entriesOf are those of a kind, in a fixed order.
func entriesOf(kind *peerKind, titled bool) []entry {
	var list []entry
	for _, e := range report.entries {
		if e.peer == kind && (e.title != "") == titled {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b entry) int { return strings.Compare(a.title+a.name(), b.title+b.name()) })
	return list
}

// writeMatrix writes a table with a line for each caller, refresher and method.
func writeMatrix(b *strings.Builder, kind *peerKind) {
	fmt.Fprintf(b, "\n## %s, %d s\n\n| who calls | who refreshes | method | we hang up | the peer hangs up | the peer is killed |\n|---|---|---|---|---|---|\n",
		kind.name, kind.interval)
	cells := make(map[string]map[string]string)
	var keys []string
	for _, e := range entriesOf(kind, false) {
		who := map[party]string{theSubject: "we", thePeer: "peer"}
		refresher := who[e.refresher]
		if e.declined {
			refresher = "we, as the peer declines"
		}
		key := fmt.Sprintf("| %s | %s | %s |", who[e.caller], refresher, e.method)
		if cells[key] == nil {
			cells[key] = make(map[string]string)
			keys = append(keys, key)
		}
		cells[key][e.end] = "`" + e.subject + "`: " + e.seen
	}
	slices.Sort(keys)
	for _, key := range keys {
		fmt.Fprintf(b, "%s %s | %s | %s |\n", key, cells[key]["subject"], cells[key]["peer"], cells[key]["killed"])
	}
}

func writeList(b *strings.Builder, kind *peerKind, name func(entry) string) {
	fmt.Fprintf(b, "\n## %s\n\n| call | seen |\n|---|---|\n", kind.name)
	for _, e := range append(entriesOf(kind, false), entriesOf(kind, true)...) {
		fmt.Fprintf(b, "| %s | %s |\n", name(e), e.seen)
	}
}

// writeOdd writes what SIPp does rarely, or wrongly.
func writeOdd(b *strings.Builder) {
	b.WriteString("\n## SIPp: rare and wrong messages\n\nEach over UDP and TCP. → is from us, ← from SIPp.\n\n| what | the program | seen |\n|---|---|---|\n")
	for _, e := range entriesOf(sipp, true) {
		if e.transport == "udp" {
			fmt.Fprintf(b, "| %s | `%s` | %s |\n", e.title, e.subject, e.seen)
		}
	}
}

// writeLadders draws a call for each peer.
func writeLadders(b *strings.Builder) {
	b.WriteString("\n## One call with each\n")
	for _, kind := range []*peerKind{linphone, sofia, sipp, jssip, jssipWS, baresip, kamailio} {
		list := append(entriesOf(kind, false), entriesOf(kind, true)...)
		longest := 0
		for i, e := range list {
			if strings.Count(e.ladder, "\n") > strings.Count(list[longest].ladder, "\n") && e.end != "killed" {
				longest = i
			}
		}
		if len(list) > 0 {
			e := list[longest]
			title := e.title
			if title == "" {
				title = plainName(e)
			}
			fmt.Fprintf(b, "\n%s: %s\n\n```\n%s```\n", kind.name, title, e.ladder)
		}
	}
}

func writeFaults(b *strings.Builder) {
	b.WriteString("\n## Faults of peers\n")
	slices.SortFunc(report.faults, func(a, b proof) int { return strings.Compare(a.peer+a.text, b.peer+b.text) })
	for _, f := range report.faults {
		fmt.Fprintf(b, "\n**%s.** %s\n\n```\n%s\n```\n", f.peer, f.text, f.message)
	}
}
