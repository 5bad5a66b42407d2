// Package apps holds no code. Its tests build applications as a user would, each a
// module of its own outside this workspace, and call them from hand-written peers
// on loopback. What passes on the wire is the judge.
package apps
