package middleware

import (
	"bytes"
	"io"
	"sync"

	"github.com/emiago/sipgo/sip"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// text is what m writes, for the price of one string.
func text(m interface{ StringWrite(io.StringWriter) }) string {
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	m.StringWrite(b)
	return b.String()
}

// valueText is h.Value().
func valueText(h sip.Header) string { return text(h)[len(h.Name())+len(": "):] }
