package stored

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

// duration is written as Go writes it: 30m0s.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(b []byte) error {
	parsed, err := time.ParseDuration(string(b))
	*d = duration(parsed)
	return err
}

// text is bytes that usually are text, and written as such. Other bytes are an object
// with the member base64.
type text []byte

type binary struct {
	Base64 []byte `json:"base64"`
}

func (t text) MarshalJSON() ([]byte, error) {
	if utf8.Valid(t) {
		return Marshal(string(t))
	}
	return Marshal(binary{t})
}

func (t *text) UnmarshalJSON(b []byte) error {
	if b[0] == '{' {
		var other binary
		err := json.Unmarshal(b, &other)
		*t = other.Base64
		return err
	}
	var s string
	err := json.Unmarshal(b, &s)
	*t = text(s)
	return err
}
