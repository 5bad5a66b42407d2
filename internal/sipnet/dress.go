package sipnet

import (
	"regexp"
	"strings"
)

// Rule rewrites the header lines of a message: matches of Pattern become To, as in
// regexp.Regexp.ReplaceAllString, or upper case.
type Rule struct {
	Pattern  string
	To       string
	Upper    bool // instead of To
	Requests bool // leave responses alone
}

// Dress returns a Peer's Dress that applies the rules in order; nil without rules.
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
