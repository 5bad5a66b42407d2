package providers

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewriteDoc = flag.Bool("update", false, "write docs/providers.md")

var doc = filepath.Join("..", "..", "docs", "providers.md")

var groups = []struct {
	title    string
	profiles []*profile
}{
	{"Asked for most", named},
	{"Other carriers", carriers},
	{"Systems", systems},
}

const docHead = `# Providers

What was recorded of telephone providers and of the systems behind them, and what this
library does with it. Written by the test of ` + "`internal/providers`" + `, with ` + "`-update`" + `: each
profile is a scripted peer in virtual time, with header fields letter for letter as far
as they are known, and its refreshes, refusals, limits and ends. It was **tested against
what was recorded of it**, not with the provider. Where an interval or a role is not
known, the profile has 1800 s and the usual header fields.

Where a fact comes from: **[t]** a trace, **[d]** the vendor's documentation, **[c]**
the peer's own code, **[s]** somebody's statement. What no run plays is marked as not played.

A profile answers 481 to what does not come by the route set of the first message to the
Contact in it, 408 to a CSeq that was used before, and hangs up when a session that we
are to refresh is not refreshed in time; each of these fails the test. Runs: three
intervals and either side hangs up; a re-INVITE or UPDATE of its own at a quarter of the
interval, and on; with ` + "`WithRefresher(sessiontimer.Local)`" + `; and it falls silent one
second before one and a half intervals; and, where no timer came of that and a re-INVITE does
no harm, with ` + "`Always`" + `. Each has the options under **Set** and **Played with**. Times are seconds
after the call was up; a request that is named twice at one time was challenged and sent
again. Without jitter: by default a refresh comes up to a tenth earlier.

## A dead call ends only where there is a timer

The default, ` + "`WithMode(sessiontimer.Offer)`" + `, asks for a timer, takes whatever the peer says, and
adds one where the peer lists ` + "`timer`" + ` and forgot to ask. A provider without timers gets
none: its live calls are left in peace, and its dead ones stay up. ` + "`WithMode(sessiontimer.Always)`" + `
ends those: we refresh alone, by re-INVITE where UPDATE is not allowed, and what does not
answer is over. Set it call by call with ` + "`WithPolicyFunc`" + `, not for peers that a re-INVITE
harms. ` + "`Accept`" + ` asks nobody and obeys those who ask. ` + "`Require`" + ` answers 421 to an INVITE that does not
list ` + "`timer`" + `, here those of {refused}.
`

// checkDoc compares the report with the file, or writes it.
func checkDoc(t *testing.T, seen map[string]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(strings.Replace(docHead, "{refused}", strings.Join(refusedByRequire(), "; "), 1))
	b.WriteString("\n| provider | what ends a dead call |\n|---|---|\n")
	for _, g := range groups {
		for _, p := range g.profiles {
			fmt.Fprintf(&b, "| %s | %s |\n", p.name, p.dead)
		}
	}
	for _, g := range groups {
		fmt.Fprintf(&b, "\n## %s\n", g.title)
		for _, p := range g.profiles {
			section(&b, p, seen)
		}
	}
	if *rewriteDoc {
		if err := os.WriteFile(doc, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Errorf("docs/providers.md is stale; write it with: go test ./internal/providers -update\n%s", firstDifference(string(have), b.String()))
	}
}

func section(b *strings.Builder, p *profile, seen map[string]string) {
	fmt.Fprintf(b, "\n### %s\n\n", p.name)
	for _, f := range p.facts {
		fmt.Fprintf(b, "- %s [%s]\n", f.text, f.mark)
	}
	fmt.Fprintf(b, "\nSet: %s.\n", p.options)
	if p.with != "" {
		fmt.Fprintf(b, "Played with: %s.\n", p.with)
	}
	if p.notes != "" {
		fmt.Fprintf(b, "Note: %s.\n", p.notes)
	}
	b.WriteString("\n| who calls | run | what passed |\n|---|---|---|\n")
	for _, weCall := range []bool{false, true} {
		for _, r := range runs {
			if text, ok := seen[runName(p, weCall, r)]; ok {
				fmt.Fprintf(b, "| %s | %s | %s |\n", whoCalls(weCall), r.name, text)
			}
		}
	}
}

func firstDifference(have, want string) string {
	a, b := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d is\n%s\nshould be\n%s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("it has %d lines, should have %d", len(a), len(b))
}
