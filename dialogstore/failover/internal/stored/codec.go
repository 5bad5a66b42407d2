package stored

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// unknown has the members that a later version wrote, as text to insert into an object.
type unknown struct{ hot, cold string }

// Codec encodes the dialogs of a node, and decodes those that it claims. While nodes of
// several versions run, it keeps the members that it does not know. Any number of
// goroutines may use it. The zero Codec is ready for use.
type Codec struct {
	mu   sync.Mutex
	more map[dialogstore.ID]unknown // only of dialogs that have any
}

// Encode returns d in two objects, with the members that were unknown when it was claimed.
// It is an error if an enumeration of d has no name. Equal dialogs have equal objects.
func (c *Codec) Encode(d *dialogstore.Dialog) (hotJSON, coldJSON []byte, err error) {
	hotJSON, coldJSON, err = encode(d)
	c.mu.Lock()
	more, ok := c.more[d.ID]
	c.mu.Unlock()
	if ok && err == nil {
		hotJSON, coldJSON = with(hotJSON, more.hot), with(coldJSON, more.cold)
	}
	return hotJSON, coldJSON, err
}

// Claimed is Decode for a dialog that Encode will be asked for.
func (c *Codec) Claimed(id dialogstore.ID, hotJSON, coldJSON []byte) (dialogstore.Dialog, error) {
	d, more, err := decode(id, hotJSON, coldJSON)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || more == (unknown{}) {
		delete(c.more, id) // those of an earlier claim are gone
		return d, err
	}
	if c.more == nil {
		c.more = make(map[dialogstore.ID]unknown)
	}
	c.more[id] = more
	return d, nil
}

// Forget forgets the unknown members of a dialog that this node no longer owns.
func (c *Codec) Forget(id dialogstore.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.more, id)
}

// with returns an object with further members.
func with(object []byte, members string) []byte {
	if members == "" {
		return object
	}
	comma := ","
	if len(object) == len("{}") {
		comma = ""
	}
	return append(object[:len(object)-1], comma+members+"}"...)
}

// unmarshal reads an object into v, which points to a struct, and returns the members
// that v has no field for. Later versions add members to the object itself, not to those
// within it.
func unmarshal(object []byte, v any) (more string, err error) {
	if len(object) == 0 || object[0] != '{' {
		return "", errors.New("not a JSON object")
	}
	strict := json.NewDecoder(bytes.NewReader(object))
	strict.DisallowUnknownFields()
	if err := strict.Decode(v); err == nil {
		if _, err := strict.Token(); err != io.EOF {
			return "", errors.New("data after the JSON object")
		}
		return "", nil
	}
	reflect.ValueOf(v).Elem().SetZero()
	if err := json.Unmarshal(object, v); err != nil {
		return "", err
	}
	var all map[string]json.RawMessage
	_ = json.Unmarshal(object, &all) // an object: see above
	for _, name := range names(v) {
		delete(all, name)
	}
	var members []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		quoted, _ := Marshal(name) // a string
		members = append(members, string(quoted)+":"+string(all[name]))
	}
	return strings.Join(members, ","), nil
}

// names returns the members that v, which points to a struct, has fields for.
func names(v any) (all []string) {
	t := reflect.TypeOf(v).Elem()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		all = append(all, name)
	}
	return all
}
