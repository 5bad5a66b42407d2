package sessiontimer

import (
	"strings"
	"testing"
)

// H-05: a message of nothing but unreadable fields costs one error, and its text is
// short however long the value is.
func TestUnreadableFieldsCostOneError(t *testing.T) {
	for _, value := range []string{"x", "90 90", strings.Repeat("9", 70) + "x", strings.Repeat(";", 60000)} {
		read := func(n int) Fields {
			var f Fields
			for range n {
				f.Add("Session-Expires", value)
				f.Add("Min-SE", value)
			}
			return f
		}
		one := testing.AllocsPerRun(100, func() { read(1) })
		many := testing.AllocsPerRun(10, func() { read(2000) })
		// What the race detector allocates comes on top of either.
		if many > one+2 {
			t.Errorf("%.20q: %v allocations for 4000 fields, %v for two, should be the same", value, many, one)
		}
		if text := read(1).Malformed.Error(); len(text) > 400 {
			t.Errorf("%.20q: an error of %d bytes, should be 400 at most", value, len(text))
		}
	}
}
