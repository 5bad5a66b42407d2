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
library does with it. The tests of ` + "`internal/providers`" + ` write this page with ` + "`-update`" + `.
Each profile is a scripted peer in virtual time. It sends the recorded header fields
letter for letter as far as they are known, and plays the provider's refreshes, refusals,
limits and ends. The library was **tested against these recordings**, not with the
providers. Where an interval or a role is not known, the profile uses 1800 s and the usual
header fields.

The mark after a fact names its source: **[t]** a trace, **[d]** the vendor's
documentation, **[c]** the peer's own code, **[s]** somebody's statement. Facts that no run
plays are marked "not played".

A profile answers 481 to a request that does not follow the route set of the first message to
its Contact, and 408 to a repeated CSeq. It hangs up when we do not refresh in time a session
that is ours to refresh. Each of these fails the test. The runs:

- three intervals, then either side hangs up;
- the peer sends a re-INVITE or UPDATE of its own after a quarter of the interval, and goes on;
- we refresh, with ` + "`WithRefresher(sessiontimer.Local)`" + `;
- the peer falls silent one second before one and a half intervals have passed;
- with ` + "`Always`" + `, if the others led to no timer and a re-INVITE does no harm.

Each has the options under **Set** and **Played with**, and no jitter; by default a refresh comes
up to a tenth earlier. Times are seconds after the call was established. A request that is
listed twice at one time was challenged and sent again.

## A dead call ends only where there is a timer

The default, ` + "`WithMode(sessiontimer.Offer)`" + `, asks for a timer, accepts the peer's answer, and
adds a timer if the peer lists ` + "`timer`" + ` but did not ask. With a provider that has no timers,
there is none: live calls are left alone, and dead ones stay up. ` + "`WithMode(sessiontimer.Always)`" + `
ends those: we refresh alone, by re-INVITE if UPDATE is not allowed, and a call that does not
answer is over. Choose it for each call with ` + "`WithPolicyFunc`" + `, and not for peers that a
re-INVITE harms. ` + "`Accept`" + ` asks for no timer and obeys those who ask. ` + "`Require`" + ` answers 421 to an
INVITE that does not list ` + "`timer`" + `, here those of {refused}.
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
