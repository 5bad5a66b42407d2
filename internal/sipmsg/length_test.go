package sipmsg

import (
	"testing"

	"github.com/emiago/sipgo/sip"
	"pgregory.net/rapid"
)

// Longest must never be below what is printed: a message taken for one that fits
// would not be sent.
func TestLongestIsNeverTooShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		text := m.String()
		if bound := Longest(m); bound < len(text) {
			t.Errorf("%d bytes may take at most %d:\n%s", len(text), bound, text)
		}
		var n lengthWriter
		if m.StringWrite(&n); int(n) != len(text) {
			t.Errorf("%d bytes are counted as %d:\n%s", len(text), n, text)
		}
	})
}

// drawMessage draws a message with many header fields of one kind: what is missing in the
// bound for one of them adds up, and nothing else makes up for it.
func drawMessage(t *rapid.T) Message {
	var m Message
	if rapid.Bool().Draw(t, "request") {
		m = sip.NewRequest(sip.RequestMethod(drawText(t, "method")), drawURI(t))
	} else {
		m = sip.NewResponse(rapid.IntRange(100, 699).Draw(t, "status"), drawText(t, "reason"))
	}
	kind := rapid.IntRange(0, 11).Draw(t, "kind")
	for range rapid.IntRange(0, 12).Draw(t, "headers") {
		m.AppendHeader(drawHeader(t, kind))
	}
	m.SetBody([]byte(drawText(t, "body")))
	return m
}

func drawHeader(t *rapid.T, kind int) sip.Header {
	switch kind {
	case 0:
		return &sip.ViaHeader{ProtocolName: drawText(t, "protocol"), ProtocolVersion: drawText(t, "version"), Transport: drawText(t, "transport"),
			Host: drawText(t, "host"), Port: drawPort(t), Params: drawParams(t)}
	case 1:
		return &sip.FromHeader{DisplayName: drawText(t, "name"), Address: drawURI(t), Params: drawParams(t)}
	case 2:
		return &sip.ToHeader{DisplayName: drawText(t, "name"), Address: drawURI(t), Params: drawParams(t)}
	case 3:
		return &sip.ContactHeader{DisplayName: drawText(t, "name"), Address: drawURI(t), Params: drawParams(t)}
	case 4:
		return &sip.RouteHeader{Address: drawURI(t)}
	case 5:
		return &sip.RecordRouteHeader{Address: drawURI(t)}
	case 6:
		return &sip.CSeqHeader{SeqNo: rapid.Uint32().Draw(t, "cseq"), MethodName: sip.RequestMethod(drawText(t, "method"))}
	case 7:
		h := sip.CallIDHeader(drawText(t, "id"))
		return &h
	case 8:
		h := sip.MaxForwardsHeader(rapid.Uint32().Draw(t, "hops"))
		return &h
	case 9:
		h := sip.ContentTypeHeader(drawText(t, "type"))
		return &h
	case 10:
		h := sip.ContentLengthHeader(rapid.Uint32().Draw(t, "length"))
		return &h
	}
	return sip.NewHeader(drawText(t, "header"), drawText(t, "value"))
}

func drawURI(t *rapid.T) sip.Uri {
	if rapid.Bool().Draw(t, "parsed") {
		var u sip.Uri
		for _, text := range []string{"sip:a@[2001:db8::1]:5060;lr;x=\"1,2\"?h=v&w", "sips:b@h", "tel:+1-555;phone-context=x", "*"} {
			if rapid.Bool().Draw(t, "this") && sip.ParseUri(text, &u) == nil {
				return u
			}
		}
	}
	return sip.Uri{Scheme: rapid.SampledFrom([]string{"", "sip", "sips", "tel"}).Draw(t, "scheme"), User: drawText(t, "user"),
		Password: drawText(t, "password"), Host: rapid.SampledFrom([]string{"h", "", "2001:db8::1", "[2001:db8::1]"}).Draw(t, "host"), Port: drawPort(t),
		Wildcard: rapid.Bool().Draw(t, "wildcard"), HierarhicalSlashes: rapid.Bool().Draw(t, "slashes"),
		UriParams: drawParams(t), Headers: drawParams(t)}
}

func drawParams(t *rapid.T) sip.HeaderParams {
	p := sip.NewParams()
	for range rapid.IntRange(0, 9).Draw(t, "params") {
		p.Add(drawText(t, "key"), drawText(t, "value"))
	}
	return p
}

func drawPort(t *rapid.T) int { return rapid.SampledFrom([]int{0, 5060, 65535}).Draw(t, "port") }

func drawText(t *rapid.T, label string) string {
	runes := rapid.RuneFrom([]rune(`aZ0 ,;="<>@:\é`))
	return rapid.OneOf(rapid.StringOfN(runes, 0, 2, -1), rapid.StringOfN(runes, 60, 80, -1)).Draw(t, label)
}
