package sipmsg

import (
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// RetryAfter returns the delay in the Retry-After header field, which may have a comment
// and parameters (RFC 3261 §20.33); 0 if there is none or it is unreadable.
func RetryAfter(res *sip.Response) time.Duration {
	h := res.GetHeader("Retry-After")
	if h == nil {
		return 0
	}
	digits := strings.TrimSpace(h.Value())
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = digits[:i]
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
