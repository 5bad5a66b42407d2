// Package providers plays what was recorded of telephone providers and systems, in
// virtual time: a table of profiles, one engine that is each of them in turn, and a
// judge that reads the wire. docs/providers.md is written by its test, with -update.
package providers
