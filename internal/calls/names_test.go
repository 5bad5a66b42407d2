package calls

import (
	"fmt"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A name that two calls add at the same time has one set of counts; once there are too
// many, the rest share one.
func TestAddName(t *testing.T) {
	f := newFigures(func(dialogstore.Dialog) string { return "" })
	one := f.add("a")
	if f.add("a") != one || f.add("b") == one {
		t.Error("a name has other counts the second time, or those of another")
	}
	for i := range 2 * mostNames {
		f.add(fmt.Sprint(i))
	}
	if n := len(*f.named.Load()); n != mostNames {
		t.Errorf("%d names, want %d with the rest", n, mostNames)
	}
	if f.add("new") != f.add("newer") || f.add("a") != one {
		t.Error("names beyond the limit differ, or an earlier one is lost")
	}
}
