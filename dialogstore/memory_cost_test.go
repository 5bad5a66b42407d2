package dialogstore_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// The memory of an idle call, besides its ID and its session descriptions, limits the number
// of calls.
func TestMemoryBytesPerDialog(t *testing.T) {
	const n, most = 20_000, 400
	ids, m := typicalIDs(n), dialogstore.NewMemory()
	before := heap()
	for i, id := range ids {
		if err := m.Create(t.Context(), typical(id, i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := (int64(heap()) - int64(before)) / n; got > most {
		t.Errorf("a dialog takes %d bytes, want %d or less", got, most)
	}
	runtime.KeepAlive(m)
	runtime.KeepAlive(ids)
}

// Under load each message reads its dialog, so reading must not allocate. An update replaces
// one record by another, and joins the strings again only if one has changed.
func TestMemoryAllocations(t *testing.T) {
	m, d, ctx := dialogstore.NewMemory(), typical(typicalID(1), 1), t.Context()
	if err := m.Create(ctx, d); err != nil {
		t.Fatal(err)
	}
	targets := []string{"sip:user@192.0.2.8:5060", "sip:user@192.0.2.9:5060"}
	retarget := func(d dialogstore.Dialog) (dialogstore.State, error) {
		slices.Reverse(targets)
		d.RemoteTarget = targets[0]
		return d.State, nil
	}
	reprint := func(next dialogstore.Dialog) (dialogstore.State, error) {
		next.RemoteTarget, next.Contact = d.RemoteTarget, d.Contact
		return next.State, nil
	}
	for _, c := range []struct {
		name string
		want float64
		run  func()
	}{
		{"Load", 0, func() { _, _ = m.Load(ctx, d.ID) }},
		{"an Update of numbers", 1, func() { _, _, _ = m.Update(ctx, d.ID, refreshed) }},
		{"an Update to texts that are the same", 1, func() { _, _, _ = m.Update(ctx, d.ID, reprint) }},
		{"an Update of a text", 2, func() { _, _, _ = m.Update(ctx, d.ID, retarget) }},
	} {
		if got := testing.AllocsPerRun(100, c.run); got != c.want {
			t.Errorf("%s allocates %v times, want %v", c.name, got, c.want)
		}
	}
}

// An update with equal strings must keep neither both copies nor the new ones.
func TestMemoryKeepsOneOfEqualTexts(t *testing.T) {
	m, d := dialogstore.NewMemory(), typical(typicalID(1), 1)
	if err := m.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	before, after, err := m.Update(t.Context(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
		d.RemoteTarget, d.Contact = strings.Clone(d.RemoteTarget), strings.Clone(d.Contact)
		return refreshed(d)
	})
	if err != nil {
		t.Fatal(err)
	}
	id := dialogstore.ID{CallID: strings.Clone(d.CallID), LocalTag: d.LocalTag, RemoteTag: d.RemoteTag}
	again, _, err := m.Update(t.Context(), id, refreshed)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, was, is string }{
		{"LocalURI", before.LocalURI, after.LocalURI},
		{"RemoteTarget", before.RemoteTarget, after.RemoteTarget},
		{"Contact", before.Contact, after.Contact},
		{"CallID", d.CallID, again.CallID},
	} {
		if unsafe.StringData(c.was) != unsafe.StringData(c.is) {
			t.Errorf("%s is another copy after an update that left it as it was", c.name)
		}
	}
}
