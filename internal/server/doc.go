// Package server is the side of the timers that answers: what the peer sends goes
// through it to the application's handlers, and what these answer goes through it back.
// A first INVITE and the later requests are types of their own. What needs no
// application is answered here.
package server
