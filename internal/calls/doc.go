// Package calls holds the state of the calls of one user agent, which packages client and
// server share: the stored dialogs, what is in flight in them, and what the application can
// do. It also decides what a message changes in a dialog, in pure functions: see [Opening]
// and [Renewal].
package calls
