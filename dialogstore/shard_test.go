package dialogstore

import (
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// A shard is a map by ID whatever the hashes are, even if dialogs with the same hash come and
// go.
func TestShardIsMapByID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s shard
		model := make(map[ID]*record)
		pick := func(t *rapid.T) (uint64, *record) {
			n := rapid.IntRange(0, 5).Draw(t, "dialog")
			return uint64(n % 2), &record{id: ID{CallID: strconv.Itoa(n)}}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				hash, r := pick(t)
				was := model[r.id]
				if added := s.add(hash, r); added != (was == nil) {
					t.Fatalf("add = %v with %p there", added, was)
				} else if added {
					model[r.id] = r
				}
			},
			"swap": func(t *rapid.T) {
				hash, next := pick(t)
				old := model[next.id]
				if s.swap(hash, &record{id: next.id}, next) {
					t.Fatal("swap took a record for another one")
				}
				if old == nil {
					return
				}
				if !s.swap(hash, old, next) {
					t.Fatal("swap did not find the record")
				}
				model[next.id] = next
			},
			"remove": func(t *rapid.T) {
				hash, r := pick(t)
				if got, want := s.remove(hash, r.id), model[r.id]; got != want {
					t.Fatalf("remove = %p, want %p", got, want)
				}
				delete(model, r.id)
			},
			"": func(t *rapid.T) {
				all := make(map[ID]*record)
				for _, r := range s.appendTo(nil) {
					all[r.id] = r
				}
				if s.len() != len(model) || !maps.Equal(all, model) {
					t.Fatalf("the shard has %d records, %v, want %v", s.len(), all, model)
				}
				for n := range 6 {
					id := ID{CallID: strconv.Itoa(n)}
					if got := s.get(uint64(n%2), id); got != model[id] {
						t.Fatalf("get = %p, want %p", got, model[id])
					}
				}
			},
		})
	})
}
