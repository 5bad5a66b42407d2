package sipnet

import (
	"regexp"
	"strings"
)

// Rule rewrites the header lines of a message: what Pattern finds in them becomes
// To, as regexp.Regexp.ReplaceAllString has it, or is put in capitals.
type Rule struct {
	Pattern  string
	To       string
	Upper    bool // and not To
	Requests bool // responses stay as they are
}

// Dress is a Peer's Dress by rules, one after the other; nil without any.
func Dress(rules ...Rule) func(raw string) string {
	if len(rules) == 0 {
		return nil
	}
	return func(raw string) string {
		head, body, _ := strings.Cut(raw, "\r\n\r\n")
		first, lines, _ := strings.Cut(head, "\r\n")
		lines += "\r\n"
		for _, r := range rules {
			find := regexp.MustCompile(r.Pattern)
			switch {
			case r.Requests && strings.HasPrefix(first, "SIP/2.0"):
			case r.Upper:
				lines = find.ReplaceAllStringFunc(lines, strings.ToUpper)
			default:
				lines = find.ReplaceAllString(lines, r.To)
			}
		}
		return first + "\r\n" + lines + "\r\n" + body
	}
}
