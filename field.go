package sessiontimer

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Names of the header fields and of the option tag (RFC 4028 §4, §5, §12).
const (
	HeaderSessionExpires = "Session-Expires"
	HeaderMinSE          = "Min-SE"
	OptionTag            = "timer"
)

// StatusIntervalTooSmall is the response code 422 and its phrase (RFC 4028 §6).
// sipgo has no constant for it; its StatusIntervalToBrief is 423.
const (
	StatusIntervalTooSmall       = 422
	StatusIntervalTooSmallPhrase = "Session Interval Too Small"
)

// maxFieldLength bounds the header fields that are read: a hostile peer could send
// kilobytes of parameters.
const maxFieldLength = 1024

// maxDelta is the largest interval in seconds, about 136 years. Larger values are
// read as this one and never wrap.
const maxDelta = math.MaxUint32

// ErrMalformed is wrapped by every error of the parsers. A malformed field never fails
// a call: Fields takes what is unambiguous of it, or nothing.
var ErrMalformed = errors.New("sessiontimer: malformed header field")

// Role is a party of one transaction as the wire names it (RFC 4028 §4).
type Role uint8

// The zero Role is a Session-Expires without a refresher parameter.
const (
	NoRole Role = iota
	UAC
	UAS
)

// String returns the value of the refresher parameter, empty for NoRole.
func (r Role) String() string {
	switch r {
	case UAC:
		return "uac"
	case UAS:
		return "uas"
	}
	return ""
}

// SessionExpires is the value of a Session-Expires header field (RFC 4028 §4).
type SessionExpires struct {
	Interval  time.Duration // whole seconds, 0 to 2^32-1 s
	Refresher Role          // NoRole if the parameter is absent or invalid
}

// String returns the canonical form, "1800;refresher=uac", in lower case and without
// spaces. Some proxies refuse any other.
func (s SessionExpires) String() string {
	if s.Refresher == NoRole {
		return FormatSeconds(s.Interval)
	}
	return FormatSeconds(s.Interval) + ";refresher=" + s.Refresher.String()
}

// ParseSessionExpires reads the value of a Session-Expires or x header field.
// Unknown parameters are ignored, the first valid refresher counts, and an interval
// above 2^32-1 seconds is read as that. Errors wrap ErrMalformed.
func ParseSessionExpires(value string) (SessionExpires, error) {
	s, ok := readSessionExpires(value)
	if !ok {
		return SessionExpires{}, malformed(value)
	}
	return s, nil
}

// ParseMinSE reads the value of a Min-SE header field (RFC 4028 §5);
// parameters are accepted and ignored. Errors wrap ErrMalformed.
func ParseMinSE(value string) (time.Duration, error) {
	s, ok := readSessionExpires(value)
	if !ok {
		return 0, malformed(value)
	}
	return s.Interval, nil
}

// readSessionExpires returns false for a value that breaks the grammar. It makes no
// error: a message may have thousands of such values, and only one is reported.
func readSessionExpires(value string) (s SessionExpires, ok bool) {
	delta, params, ok := splitDelta(value)
	s.Interval = delta
	for ok && params != "" {
		var param string
		param, params, ok = nextParam(params)
		if s.Refresher == NoRole {
			s.Refresher = refresherParam(param)
		}
	}
	if !ok {
		return SessionExpires{}, false
	}
	return s, true
}

// FormatSeconds formats d as delta-seconds, truncating fractions.
func FormatSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(d/time.Second), 10)
}

// mended returns a malformed value without the parts that cannot change its meaning: a
// fraction of zeros, a trailing semicolon, and the parameters after a comma, which are
// not read. Two values, and a number like 1.000, which may mean a thousand, stay as
// they are.
func mended(value string) string {
	if len(value) > maxFieldLength {
		return value
	}
	number, rest := value, ""
	if i := strings.IndexAny(value, ";,"); i >= 0 {
		number, rest = value[:i], value[i:]
	}
	if whole, fraction, ok := strings.Cut(number, "."); ok && strings.Trim(trim(fraction), "0") == "" && trim(fraction) != "000" {
		number = whole
	}
	if rest == "" {
		return number
	}
	if after := trim(rest[1:]); after == "" || rest[0] == ',' && isLetter(after[0]) {
		return number
	}
	return number + rest
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// splitDelta cuts "1800 ; refresher=uac" into its seconds and ";…" parameters.
func splitDelta(value string) (delta time.Duration, params string, ok bool) {
	if len(value) > maxFieldLength {
		return 0, "", false
	}
	digits := value
	if i := strings.IndexByte(value, ';'); i >= 0 {
		digits, params = value[:i], value[i+1:]
		if trim(params) == "" {
			return 0, "", false
		}
	}
	digits = trim(digits)
	if digits == "" {
		return 0, "", false
	}
	var n uint64
	for i := 0; i < len(digits); i++ {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, "", false
		}
		n = min(n*10+uint64(c-'0'), maxDelta)
	}
	return time.Duration(n) * time.Second, params, true
}

// nextParam cuts off the first parameter. Semicolons in quotes do not end it. A comma
// outside quotes would start a second value, which the field cannot have.
func nextParam(params string) (param, rest string, ok bool) {
	quoted := false
	for i := 0; i < len(params); i++ {
		switch c := params[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return "", "", false
		case c == ';' && !quoted:
			return params[:i], params[i+1:], true
		}
	}
	return params, "", !quoted
}

// refresherParam reads one parameter; anything but refresher=uac or uas is a
// generic parameter without meaning here.
func refresherParam(param string) Role {
	name, value, _ := strings.Cut(param, "=")
	if !equalFold(trim(name), "refresher") {
		return NoRole
	}
	switch value = trim(value); {
	case equalFold(value, "uac"):
		return UAC
	case equalFold(value, "uas"):
		return UAS
	}
	return NoRole
}

// trim removes linear white space from both ends (RFC 3261 §25.1), but no other
// Unicode spaces.
func trim(s string) string { return strings.Trim(s, " \t\r\n") }

// equalFold compares ASCII without regard to case. strings.EqualFold alone would match
// a long s with an s; their lengths differ.
func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// malformed returns the error for a value and quotes its beginning.
func malformed(value string) error {
	const shown = 64
	if len(value) > shown {
		return fmt.Errorf("%w: %d bytes beginning with %q", ErrMalformed, len(value), value[:shown])
	}
	return fmt.Errorf("%w: %q", ErrMalformed, value)
}
