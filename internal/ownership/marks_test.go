package ownership

import (
	"fmt"
	"testing"
)

// What is to be written of a call, whatever comes first.
func TestMarks(t *testing.T) {
	id := call("one").ID
	for _, c := range []struct {
		name string
		do   func(m *marks)
		want mark
		none bool
	}{
		{"a change", func(m *marks) { m.put(id, false) }, mark{}, false},
		{"a new call", func(m *marks) { m.put(id, true); m.put(id, false) }, mark{isNew: true}, false},
		{"came and went", func(m *marks) { m.put(id, true); m.drop(id, 1) }, mark{}, true},
		{"ended", func(m *marks) { m.put(id, false); m.drop(id, 2) }, mark{drop: 2}, false},
		{"a change told late", func(m *marks) { m.drop(id, 2); m.put(id, false) }, mark{drop: 2}, false},
		{"failed", func(m *marks) { m.again(id, mark{isNew: true}) }, mark{}, false},
		{"a drop failed", func(m *marks) { m.again(id, mark{drop: 2}) }, mark{drop: 2}, false},
		{"failed, and ended meanwhile", func(m *marks) { m.drop(id, 2); m.again(id, mark{}) }, mark{drop: 2}, false},
		{"forgotten", func(m *marks) { m.put(id, false); m.forget(id) }, mark{}, true},
	} {
		m := newMarks()
		c.do(&m)
		if got, ok := m.all[id]; got != c.want || ok == c.none {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, ok, c.want)
		}
	}
}

// A batch is bounded, and an outage leaves no room behind.
func TestTakeMarks(t *testing.T) {
	m := newMarks()
	const many = 2*keptMarks + 10
	for i := range many {
		m.put(call(fmt.Sprint(i)).ID, false)
	}
	if m.peak != many {
		t.Errorf("%d calls are marked, %d at most", many, m.peak)
	}
	taken := 0
	for len(m.all) > 0 {
		batch := m.take(nil, 500)
		if len(batch) == 0 || len(batch) > 500 {
			t.Fatalf("%d marks taken", len(batch))
		}
		taken += len(batch)
	}
	if m.take(nil, 500); taken != many || m.peak != 0 {
		t.Errorf("%d of %d taken; room for %d is kept", taken, many, m.peak)
	}
}
