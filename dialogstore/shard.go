package dialogstore

import "sync"

// shard holds a part of the dialogs, each under the hash of its ID: a map with IDs as
// keys would be three times as large. Its methods lock; none calls out.
type shard struct {
	mu      sync.Mutex
	records map[uint64]*record
	others  map[ID]*record // those whose hash another dialog had taken; almost always empty
	_       [40]byte       // pads to a cache line
}

func (s *shard) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records) + len(s.others)
}

func (s *shard) get(hash uint64, id ID) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(hash, id)
}

// add reports whether r was added: false if the dialog exists.
func (s *shard) add(hash uint64, r *record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(hash, r.id) != nil {
		return false
	}
	s.put(hash, r)
	return true
}

// swap reports whether next has replaced old: false if old is no longer stored, because
// another goroutine changed or deleted the dialog, even if it was created again since.
func (s *shard) swap(hash uint64, old, next *record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(hash, old.id) != old {
		return false
	}
	s.put(hash, next)
	return true
}

func (s *shard) remove(hash uint64, id ID) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.find(hash, id)
	if r == s.records[hash] {
		delete(s.records, hash)
	} else {
		delete(s.others, id)
	}
	return r
}

func (s *shard) appendTo(page []*record) []*record {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.records {
		page = append(page, r)
	}
	for _, r := range s.others {
		page = append(page, r)
	}
	return page
}

// find requires the lock.
func (s *shard) find(hash uint64, id ID) *record {
	if r := s.records[hash]; r != nil && r.id == id {
		return r
	}
	return s.others[id]
}

// put requires the lock. A record in others is replaced there, even if its hash is free
// by now.
func (s *shard) put(hash uint64, r *record) {
	if s.records == nil {
		s.records, s.others = make(map[uint64]*record), make(map[ID]*record)
	}
	first := s.records[hash]
	if s.others[r.id] != nil || first != nil && first.id != r.id {
		s.others[r.id] = r
		return
	}
	s.records[hash] = r
}
