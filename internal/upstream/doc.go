// Package upstream shows the faults of sipgo that this module works around, one
// test each; docs/upstream.md lists them. A test passes as long as its fault is
// there, and fails in the first version without it: then the workaround can go.
package upstream
