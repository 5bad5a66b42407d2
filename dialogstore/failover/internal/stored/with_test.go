package stored

import "testing"

// Members are added to an object, whether or not it has any.
func TestWith(t *testing.T) {
	for _, c := range []struct{ object, members, want string }{
		{`{}`, ``, `{}`},
		{`{}`, `"a":1`, `{"a":1}`},
		{`{"b":2}`, ``, `{"b":2}`},
		{`{"b":2}`, `"a":1,"c":3`, `{"b":2,"a":1,"c":3}`},
	} {
		if got := string(with([]byte(c.object), c.members)); got != c.want {
			t.Errorf("%s with %s is %s, want %s", c.object, c.members, got, c.want)
		}
	}
}
