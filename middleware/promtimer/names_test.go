package promtimer_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"
)

// series are the lines of the golden scrape without their values, histograms included.
func series(t testing.TB) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line[:strings.LastIndexByte(line, ' ')])
		}
	}
	return lines
}

// families are the names of the metrics, and types what each is.
func families(t testing.TB) (types map[string]string) {
	t.Helper()
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	types = make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, "# TYPE "); is {
			name, kind, _ := strings.Cut(strings.TrimSpace(rest), " ")
			types[name] = kind
		}
	}
	return types
}

func labelsOf(t testing.TB) (labels []string) {
	t.Helper()
	for _, s := range series(t) {
		for _, m := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(s, -1) {
			if m[1] != "trunk" && !slices.Contains(labels, m[1]) {
				labels = append(labels, m[1])
			}
		}
	}
	return labels
}

var (
	selector = regexp.MustCompile(`(sessiontimer_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)(=~|=)"([^"]*)"`)
)

// wantSeries checks that each selector of an expression selects something of what a scrape
// says, with each of its alternatives.
func wantSeries(t *testing.T, where, expr string, all []string) {
	t.Helper()
	found := selector.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s: %s has no metric of the timers", where, expr)
	}
	for _, s := range found {
		of := slices.DeleteFunc(slices.Clone(all), func(line string) bool { name, _, _ := strings.Cut(line, "{"); return name != s[1] })
		if len(of) == 0 {
			t.Errorf("%s: there is no metric %s", where, s[1])
		}
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			if m[1] == "instance" {
				continue // Prometheus adds it
			}
			for _, value := range strings.Split(m[3], "|") {
				if !slices.ContainsFunc(of, func(line string) bool { return strings.Contains(line, m[1]+`="`+value+`"`) }) {
					t.Errorf("%s: no series of %s has %s=%q", where, s[1], m[1], value)
				}
			}
		}
		for _, m := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(expr, -1) {
			for label := range strings.SplitSeq(m[1], ", ") {
				if label != "instance" && !slices.ContainsFunc(all, func(line string) bool { return strings.Contains(line, label+`="`) }) {
					t.Errorf("%s: no series has a label %s", where, label)
				}
			}
		}
	}
}

type alert struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.UnmarshalStrict(text, &file); err != nil && !strings.Contains(err.Error(), "not found in type") {
		t.Fatal(err)
	}
	return file.Groups[0].Rules
}

// Each alert selects what there is, says what to do, and has a test that sees it fire.
func TestAlerts(t *testing.T) {
	tests, err := os.ReadFile("alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	doc := document(t)
	all := series(t)
	for _, a := range alerts(t) {
		wantSeries(t, a.Alert, a.Expr, all)
		if a.Annotations["action"] == "" || a.Annotations["summary"] == "" || a.Labels["severity"] == "" {
			t.Errorf("%s lacks a summary, an action or a severity", a.Alert)
		}
		if !strings.Contains(string(tests), `alertname="`+a.Alert+`"`) {
			t.Errorf("%s has no test in which it fires", a.Alert)
		}
		if !strings.Contains(doc, "`"+a.Alert+"`") {
			t.Errorf("docs/metrics.md does not name %s", a.Alert)
		}
		for _, m := range selector.FindAllStringSubmatch(a.Annotations["action"], -1) {
			if families(t)[m[1]] == "" {
				t.Errorf("%s says to look at %s, which there is not", a.Alert, m[1])
			}
		}
	}
}

// Each panel of the dashboard selects what there is, and each metric has a panel.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	all, ids := series(t), make(map[int]bool)
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if len(p.Targets) == 0 && p.Type != "row" {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			wantSeries(t, p.Title, target.Expr, all)
		}
	}
	for name := range families(t) {
		if !strings.Contains(string(text), name) {
			t.Errorf("no panel shows %s", name)
		}
	}
}

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// docs/metrics.md has a row for each metric, with its type and labels, and no other.
func TestDocument(t *testing.T) {
	var rows, want []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(sessiontimer_[a-z0-9_]+)`((?: `[a-z]+`)*) \\| ([a-z]+) \\|").FindAllStringSubmatch(document(t), -1) {
		rows = append(rows, m[1]+" "+m[3]+strings.ReplaceAll(m[2], "`", ""))
	}
	for name, kind := range families(t) {
		row := name + " " + kind
		for _, s := range series(t) {
			if base, labels, _ := strings.Cut(s, "{"); base == name && labels != "" {
				for _, m := range regexp.MustCompile(`([a-z]+)="`).FindAllStringSubmatch(labels, -1) {
					if !strings.Contains(row+" ", " "+m[1]+" ") && m[1] != "trunk" {
						row += " " + m[1]
					}
				}
			}
		}
		want = append(want, row)
	}
	slices.Sort(rows)
	slices.Sort(want)
	if !slices.Equal(rows, want) {
		t.Errorf("docs/metrics.md has the rows\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}
