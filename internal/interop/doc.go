// Package interop holds the tests against other people's user agents, over real
// sockets on loopback: SIPp, linphone, sofia-sip, baresip, Kamailio and JsSIP.
//
// They need those programs and Linux, so they have a build tag of their own:
//
//	.ci/interop
//
// installs what is missing and runs go test -tags interop ./internal/interop/...
// With -update the run writes docs/interop.md.
//
// What is judged is the wire: a relay between the two parties, which records
// what passes. The programs under test are the examples, built once and started
// as processes; their events are read as JSON.
package interop
