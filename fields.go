package sessiontimer

import (
	"strings"
	"time"
)

// Fields is what one message says about session timers. The zero value is a message
// without any of it. Add fills it header field by header field, so it needs no SIP
// stack.
type Fields struct {
	Strict            bool // set before Add: a malformed field counts as absent, see Policy.Strict
	SessionExpires    SessionExpires
	HasSessionExpires bool          // also true for Session-Expires: 0
	MinSE             time.Duration // 0 if absent
	Supported         bool          // timer in Supported, Require or Proxy-Require
	Required          bool          // timer in Require
	Unsupported       bool          // timer in Unsupported, as in a 420
	HasAllow          bool
	AllowUpdate       bool  // UPDATE in Allow
	Malformed         error // for the first field that breaks the grammar
}

// Add reads one header field. Names are matched without regard to case, including the
// compact forms x and k (RFC 4028 §12.1). Only the first readable Session-Expires and
// Min-SE of a message count; lists may span several fields. Unless f is Strict, a
// malformed value counts if its seconds are unambiguous, as in "1800;",
// "1800,refresher=uac" and "1800.0".
func (f *Fields) Add(name, value string) {
	switch len(name) {
	case 1:
		switch name[0] {
		case 'x', 'X':
			f.addSessionExpires(value)
		case 'k', 'K':
			f.Supported = f.Supported || HasToken(value, OptionTag)
		}
	case len("Allow"):
		if strings.EqualFold(name, "Allow") {
			f.HasAllow = true
			f.AllowUpdate = f.AllowUpdate || hasMethod(value, "UPDATE")
		}
	case len(HeaderMinSE):
		if strings.EqualFold(name, HeaderMinSE) {
			f.addMinSE(value)
		}
	case len("Require"):
		if strings.EqualFold(name, "Require") && HasToken(value, OptionTag) {
			f.Required, f.Supported = true, true
		}
	case len("Supported"):
		if strings.EqualFold(name, "Supported") {
			f.Supported = f.Supported || HasToken(value, OptionTag)
		}
	case len("Unsupported"):
		if strings.EqualFold(name, "Unsupported") {
			f.Unsupported = f.Unsupported || HasToken(value, OptionTag)
		}
	case len("Proxy-Require"):
		// §7.1: a sender that requires it of proxies supports it.
		if strings.EqualFold(name, "Proxy-Require") {
			f.Supported = f.Supported || HasToken(value, OptionTag)
		}
	case len(HeaderSessionExpires):
		if strings.EqualFold(name, HeaderSessionExpires) {
			f.addSessionExpires(value)
		}
	}
}

func (f *Fields) addSessionExpires(value string) {
	if !f.HasSessionExpires {
		f.SessionExpires, f.HasSessionExpires = f.read(value)
	}
}

func (f *Fields) addMinSE(value string) {
	if f.MinSE == 0 {
		s, _ := f.read(value)
		f.MinSE = s.Interval
	}
}

// read returns the zero SessionExpires and false for a value that is not unambiguous.
func (f *Fields) read(value string) (SessionExpires, bool) {
	s, ok := readSessionExpires(value)
	if ok {
		return s, true
	}
	if f.Malformed == nil {
		f.Malformed = malformed(value)
	}
	if f.Strict {
		return s, false
	}
	return readSessionExpires(mended(value))
}

// HasToken reports whether the comma-separated list has the token, without
// regard to case and never by substring: "timer-x" is not "timer".
func HasToken(list, token string) bool {
	return find(list, token, equalFold)
}

// hasMethod is HasToken for methods, which are case-sensitive (RFC 3261 §7.1).
func hasMethod(list, method string) bool {
	return find(list, method, func(a, b string) bool { return a == b })
}

func find(list, token string, equal func(a, b string) bool) bool {
	for list != "" {
		var item string
		item, list, _ = strings.Cut(list, ",")
		if equal(trim(item), token) {
			return true
		}
	}
	return false
}
