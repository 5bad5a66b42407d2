package dialogstore_test

import (
	"context"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A line end in any string field is refused, including fields added in later versions.
func TestCheck(t *testing.T) {
	var d dialogstore.Dialog
	texts := 0
	var visit func(name string, v reflect.Value)
	visit = func(name string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				visit(v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.String:
			texts++
			for _, bad := range []string{"a\r\nBye: now", "a\n", "\x00", "\x7f"} {
				v.SetString(bad)
				if err := d.Check(); err == nil || !strings.HasPrefix(err.Error(), "dialogstore: "+name+" has a control character") {
					t.Errorf("%s is %q: %v, want an error that names it", name, bad, err)
				}
			}
			v.SetString("<sip:a@b>;\tc=\"ü\"")
			if err := d.Check(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	visit("", reflect.ValueOf(&d).Elem())
	d.RouteSet = []string{"<sip:a;lr>", "<sip:b;lr>\r\n"}
	if err := d.Check(); err == nil || texts < 15 {
		t.Errorf("a route with a line end: %v; %d texts", err, texts)
	}
}

// After the largest version comes 1: zero is not a version.
func TestVersionsGoRound(t *testing.T) {
	memory := dialogstore.NewMemory()
	id := dialogstore.ID{CallID: "old", LocalTag: "l", RemoteTag: "r"}
	if err := memory.Create(t.Context(), dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}, State: dialogstore.State{Version: math.MaxUint64}}); err != nil {
		t.Fatal(err)
	}
	var seen []dialogstore.Change
	store := dialogstore.Observe(memory, observerFunc(func(_ context.Context, c *dialogstore.Change) { seen = append(seen, *c) }))
	for range 2 {
		before, after, err := store.Update(t.Context(), id, func(d dialogstore.Dialog) (dialogstore.State, error) { return d.State, nil })
		if err != nil || !dialogstore.Newer(after.Version, before.Version) || dialogstore.Newer(before.Version, after.Version) {
			t.Errorf("%d after %d, %v; want a newer one", after.Version, before.Version, err)
		}
	}
	for _, c := range seen {
		if c.Created() || c.Deleted() {
			t.Errorf("the change from %d to %d looks like a creation or an end", c.Before.Version, c.After.Version)
		}
	}
}

type observerFunc func(context.Context, *dialogstore.Change)

func (f observerFunc) DialogChanged(ctx context.Context, c *dialogstore.Change) { f(ctx, c) }
