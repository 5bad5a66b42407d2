// Package server handles the peer's requests: it passes them to the application's handlers,
// adds the session timer to the responses, and answers what does not need the application.
// firstInvite is an INVITE outside a dialog, laterRequest an INVITE or UPDATE within one.
package server
