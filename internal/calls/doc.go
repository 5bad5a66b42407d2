// Package calls is what this process knows of its calls: what is stored of their
// dialogs, what is in flight in them, and what the application that has them can do.
// Both sides work on it, the one that sends and the one that answers. What a message
// changes of a dialog is decided here by pure functions: [Opening] and [Change].
package calls
