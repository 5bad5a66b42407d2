package sipmsg

import (
	"bytes"
	"io"
	"sync"

	"github.com/emiago/sipgo/sip"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Text returns what m writes. It reuses its buffers, so that only the text is allocated, and
// what sipgo needs.
func Text(m interface{ StringWrite(io.StringWriter) }) string {
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	m.StringWrite(b)
	return b.String()
}

// Value returns h.Value() as Text does.
func Value(h sip.Header) string { return Text(h)[len(h.Name())+len(": "):] }
