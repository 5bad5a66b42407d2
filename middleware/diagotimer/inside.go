package diagotimer

import (
	"fmt"
	"reflect"
)

// HookError says why timers cannot be put into a Diago.
type HookError struct{ Reason string }

// Error names the reason.
func (e *HookError) Error() string { return "diagotimer: " + e.Reason }

// inside is the way to a field that has no accessor: diago has none for what its
// options set. A version that keeps it otherwise is a *HookError, and what is read
// here is read first when timers are put in place.
func inside[T any](owner any, name string) (*T, error) {
	field := reflect.ValueOf(owner).Elem().FieldByName(name)
	if !field.IsValid() || field.Type() != reflect.TypeFor[T]() {
		return nil, &HookError{fmt.Sprintf("%T has no field %s of type %s: this version of it is not supported",
			owner, name, reflect.TypeFor[T]())}
	}
	return (*T)(field.Addr().UnsafePointer()), nil
}
