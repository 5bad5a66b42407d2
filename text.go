package sessiontimer

import "fmt"

// Modes, refreshers and methods are their names in text: in JSON, in logs and as flags.

// MarshalText returns String, or an error for a value that is none of the modes.
func (m Mode) MarshalText() ([]byte, error) { return marshalName("mode", modeNames[:], int(m)) }

// UnmarshalText reads the name of a mode, such as offer.
func (m *Mode) UnmarshalText(name []byte) error { return unmarshalName(m, "mode", modeNames[:], name) }

// MarshalText returns String, or an error for a value that is none of the refreshers.
func (r Refresher) MarshalText() ([]byte, error) {
	return marshalName("refresher", refresherNames[:], int(r))
}

// UnmarshalText reads the name of a refresher: none, local or peer.
func (r *Refresher) UnmarshalText(name []byte) error {
	return unmarshalName(r, "refresher", refresherNames[:], name)
}

// MarshalText returns String, or an error for a value that is none of the methods.
func (m Method) MarshalText() ([]byte, error) { return marshalName("method", methodNames[:], int(m)) }

// UnmarshalText reads the name of a method: auto, update or invite.
func (m *Method) UnmarshalText(name []byte) error {
	return unmarshalName(m, "method", methodNames[:], name)
}

func marshalName(kind string, names []string, i int) ([]byte, error) {
	if i >= len(names) {
		return nil, fmt.Errorf("sessiontimer: no %s has number %d", kind, i)
	}
	return []byte(names[i]), nil
}

func unmarshalName[T ~uint8](v *T, kind string, names []string, name []byte) error {
	for i := range names {
		if names[i] == string(name) {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("sessiontimer: no %s is called %.40q", kind, name)
}
