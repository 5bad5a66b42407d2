package recorder

import "errors"

// Scribe records the requests of a check, and changes one part of one answer.
type Scribe struct {
	asked      []request
	turn, part int // the answer and the part that are changed
}

type request struct {
	text  string
	parts []string
}

// Part is a part of an answer.
type Part struct {
	name   string
	change func()
}

// PartOf returns a part of an answer by name; change changes it.
func PartOf(name string, change func()) Part { return Part{name, change} }

// Answered records a request with its answer, and changes the answer if it is its turn. The
// error is the last part.
func (s *Scribe) Answered(text string, err *error, parts ...Part) {
	parts = append(parts, Part{"error", func() { *err = Turned(*err) }})
	r := request{text: text}
	for _, p := range parts {
		r.parts = append(r.parts, p.name)
	}
	if len(s.asked) == s.turn {
		parts[s.part].change()
	}
	s.asked = append(s.asked, r)
}

// Noted records a request that has no answer.
func (s *Scribe) Noted(text string) { s.asked = append(s.asked, request{text: text}) }

// ErrSpoiled is the error of an answer that should have none.
var ErrSpoiled = errors.New("spoiled")

// Turned returns ErrSpoiled in place of no error, and nil in place of one.
func Turned(err error) error {
	if err != nil {
		return nil
	}
	return ErrSpoiled
}
