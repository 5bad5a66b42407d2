// Package boltregistry is a failover.Registry in a file, for one process that restarts:
// the next process continues the calls of the one that crashed. There is no server to
// run. For several nodes see redisregistry.
//
// The file is a bbolt database, which only one process can have open. When a method
// returns, its changes survive a crash of the process, and of the machine if the disk keeps
// what fsync has written. Concurrent writes are committed together. While the disk is slow
// or full, calls go on and are refreshed, and methods return when their context ends, or
// after 5 s.
//
// A call takes four to eight kilobytes of the file, which does not shrink: the space of ended
// calls is used again. Whoever can write to the file can make the process send SIP
// messages, so only its owner may read and write it. SIP credentials are not stored.
//
// Give the process a name with failover.WithName: the next process with the same name takes
// the calls back at once:
//
//	registry, err := boltregistry.Open("/var/lib/pbx/calls.db")
//	timers, err := middleware.New(ua, middleware.WithFailover(registry, failover.WithName("pbx")))
package boltregistry
