package sipnet

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/emiago/sipgo/sip"
)

// Dimensions of the ladder, in characters.
const (
	ladderMargin = 13 // from the left edge to the first lifeline
	ladderGap    = 30 // between two lifelines
	ladderLead   = 4  // of an arrow before its label
)

// Ladder prints messages as arrows between lifelines, each row as it happens:
//
//	        alice                          bob
//	0.000s    |---- INVITE ----------------->|   Session-Expires: 4
//	0.003s    |<--- 200 OK ------------------|   Session-Expires: 4;refresher=uac
//
// Its methods may be called concurrently.
type Ladder struct {
	mu      sync.Mutex
	w       io.Writer
	columns map[string]int // by name and by alias
	count   int
}

// NewLadder prints the heading with one column per name to w.
func NewLadder(w io.Writer, names ...string) *Ladder {
	l := &Ladder{w: w, columns: make(map[string]int), count: len(names)}
	var head string
	for i, name := range names {
		l.columns[name] = i
		at := max(lifeline(i)-utf8.RuneCountInString(name)/2, 0)
		head = pad(head, at) + name
	}
	l.print(head)
	return l
}

// Alias makes an address, such as "10.0.0.1:5060", another name for a column.
func (l *Ladder) Alias(addr, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, ok := l.columns[name]; ok {
		l.columns[addr] = i
	}
}

// Add draws an arrow with the label on it and the notes at the right.
func (l *Ladder) Add(at time.Duration, from, to, label string, notes ...string) {
	l.row(at, from, to, label, false, notes)
}

// Lost draws the arrow of a message that does not arrive: "----x".
func (l *Ladder) Lost(at time.Duration, from, to, label string, notes ...string) {
	l.row(at, from, to, label, true, notes)
}

// Message draws a recorded message with its session-timer headers at the right,
// between the columns whose names or aliases its addresses are.
func (l *Ladder) Message(m Message) {
	label := Label(m.SIP)
	if res, ok := m.SIP.(*sip.Response); ok {
		label = strings.TrimSpace(fmt.Sprintf("%d %s", res.StatusCode, res.Reason))
	}
	var right []string
	if n := notes(m.SIP); n != "" {
		right = append(right, n)
	}
	l.row(m.At, m.From, m.To, label, m.Dropped, right)
}

// Note prints an event that is no message, at the right of the bare lifelines.
func (l *Ladder) Note(at time.Duration, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.print(l.blank(at) + "   " + text)
}

func (l *Ladder) row(at time.Duration, from, to, label string, lost bool, notes []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, okA := l.columns[from]
	b, okB := l.columns[to]
	line := []rune(l.blank(at))
	if okA && okB && a != b {
		left, right := lifeline(min(a, b))+1, lifeline(max(a, b))
		copy(line[left:right], arrow(right-left, label, a < b, lost))
	} else {
		notes = append([]string{from + " -> " + to + ": " + label}, notes...)
	}
	out := string(line)
	if len(notes) > 0 {
		out += "   " + strings.Join(notes, ", ")
	}
	l.print(out)
}

// arrow draws a label on an arrow of the given width. A lost one ends in an x after three
// quarters of the way.
func arrow(width int, label string, rightward, lost bool) []rune {
	text := []rune(label)
	if room := width - ladderLead - 4; len(text) > room {
		text = append(text[:room-3:room-3], []rune("...")...)
	}
	line := []rune(strings.Repeat("-", width))
	line[ladderLead] = ' '
	copy(line[ladderLead+1:], text)
	end := ladderLead + 1 + len(text)
	line[end] = ' '
	switch {
	case lost && rightward:
		stop := max(width*3/4, end+1)
		line[stop] = 'x'
		copy(line[stop+1:], []rune(strings.Repeat(" ", width)))
	case lost:
		copy(line, []rune("  x-"))
	case rightward:
		line[width-1] = '>'
	default:
		line[0] = '<'
	}
	return line
}

// blank is a row with the time and the lifelines only.
func (l *Ladder) blank(at time.Duration) string {
	line := fmt.Sprintf("%8.3fs", at.Seconds())
	for i := range l.count {
		line = pad(line, lifeline(i)) + "|"
	}
	return line
}

func (l *Ladder) print(line string) {
	_, _ = fmt.Fprintln(l.w, strings.TrimRight(line, " "))
}

func lifeline(i int) int { return ladderMargin + i*(ladderGap+1) }

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 0))
}
