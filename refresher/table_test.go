package refresher

import (
	"hash/maphash"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Calls whose IDs have one hash are found, and removed in any order.
func TestTableWithOneHash(t *testing.T) {
	names := []string{"a", "b", "c"}
	for first := range names {
		table := newTable(maphash.MakeSeed())
		table.hash = func(dialogstore.ID) uint64 { return 1 }
		calls := make(map[string]*call)
		for _, name := range names {
			id := dialogstore.ID{CallID: name}
			calls[name] = newCall(&dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}}, table.hash(id))
			table.add(calls[name])
		}
		for i := range names {
			gone := names[(first+i)%len(names)]
			table.remove(calls[gone])
			delete(calls, gone)
			for _, name := range names {
				if got := table.find(1, dialogstore.ID{CallID: name}); got != calls[name] {
					t.Errorf("without %s, %s is %v, want %v", gone, name, got, calls[name])
				}
			}
			if table.len() != len(calls) {
				t.Errorf("%d calls, want %d", table.len(), len(calls))
			}
		}
	}
}

// A cleared table has no call left, and gives up what is under way in each.
func TestClearTable(t *testing.T) {
	table := newTable(maphash.MakeSeed())
	given := 0
	var calls []*call
	for _, hash := range []uint64{1, 1, 2} {
		c := newCall(&dialogstore.Dialog{Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: string(rune('a' + len(calls)))}}}, hash)
		c.cancel = func() { given++ }
		table.add(c)
		calls = append(calls, c)
	}
	if len(table.calls) != 2 || len(table.others) != 1 {
		t.Errorf("%d calls by their hash and %d others, want 2 and one", len(table.calls), len(table.others))
	}
	if table.clear(); table.len() != 0 || given != 3 {
		t.Errorf("%d calls are left, %d given up; want none and 3", table.len(), given)
	}
	for _, c := range calls {
		if !c.removed || table.find(c.hash, c.id) != nil {
			t.Errorf("call %s is still there", c.id.CallID)
		}
	}
}
