package dialogstore

// The methods of shard are the only places that lock. None calls out.

func (s *shard) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.dialogs)
}

func (s *shard) get(id ID) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dialogs[id]
}

// add reports false if the dialog is there.
func (s *shard) add(d *Dialog) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.dialogs[d.ID]; ok {
		return false
	}
	if s.dialogs == nil {
		s.dialogs = make(map[ID]*Dialog)
	}
	s.dialogs[d.ID] = d
	return true
}

// swap reports false if old is not the dialog any more: changed by another
// goroutine, or deleted, even if it has been created again since.
func (s *shard) swap(old, next *Dialog) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dialogs[old.ID] != old {
		return false
	}
	s.dialogs[old.ID] = next
	return true
}

func (s *shard) remove(id ID) *Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.dialogs[id]
	delete(s.dialogs, id)
	return d
}

func (s *shard) appendTo(page []*Dialog) []*Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dialogs {
		page = append(page, d)
	}
	return page
}
