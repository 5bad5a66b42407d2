package calls

import (
	"slices"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// E-41, RFC 3261 §8.2.2.3: what is required and not known, each once.
func TestUnknown(t *testing.T) {
	for _, c := range []struct {
		require string
		known   []string
		want    []string
	}{
		{"", []string{"x-a"}, nil},
		{"timer", nil, nil},
		{"x-a", []string{"x-a"}, nil},
		{"x-a", []string{"", "x-b, X-A"}, nil},
		{"x-a", []string{"x-ab", "ax-a"}, []string{"x-a"}},
		{"x-a, x-b, x-a, X-B", []string{"x-c"}, []string{"x-a", "x-b"}},
	} {
		req := sip.NewRequest(sip.UPDATE, sip.Uri{})
		if c.require != "" {
			req.AppendHeader(sip.NewHeader("Require", c.require))
		}
		if got := Unknown(req, c.known...); !slices.Equal(got, c.want) {
			t.Errorf("Require: %s, %q are known: %q is not, want %q", c.require, c.known, got, c.want)
		}
	}
}

// RFC 3261 §25.1.
func TestIsToken(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "a": true, "z": true, "A": true, "Z": true, "0": true, "9": true, "-.!%*_+`'~": true, "x-custom": true,
		"a b": false, "a,b": false, "a;b": false, "a:b": false, "a/b": false, "a@b": false, "[": false, "{": false, "a\r": false, "é": false,
	} {
		if got := IsToken(s); got != want {
			t.Errorf("%q is a token: %t, want %t", s, got, want)
		}
	}
}
