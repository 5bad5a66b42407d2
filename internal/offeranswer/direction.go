package offeranswer

// direction is which way media flows, from the sender's point of view (RFC 3264 §5.1).
type direction uint8

const (
	inactive direction = 0
	sends    direction = 1
	receives direction = 2
	both               = sends | receives
)

var directionNames = [...]string{"inactive", "sendonly", "recvonly", "sendrecv"}

// mirrored returns the most that the other end may do (RFC 3264 §6.1).
func (d direction) mirrored() direction { return d>>1 | d<<1&receives }

// directionOf returns the direction of the i-th stream: its own, else the session's,
// else both.
func (s session) directionOf(i int) direction {
	for _, lines := range [][]string{s.media[i], s.lines} {
		for _, l := range lines {
			if d, ok := directionIn(l); ok {
				return d
			}
		}
	}
	return both
}

func directionIn(line string) (direction, bool) {
	for d, name := range directionNames {
		if line == "a="+name {
			return direction(d), true
		}
	}
	return 0, false
}

// directed returns the stream with another direction in the same place.
func (m media) directed(d direction) media {
	out, done := make(media, 0, len(m)+1), false
	for _, l := range m {
		if _, is := directionIn(l); !is {
			out = append(out, l)
		} else if !done {
			out, done = append(out, "a="+directionNames[d]), true
		}
	}
	if !done {
		out = append(out, "a="+directionNames[d])
	}
	return out
}
