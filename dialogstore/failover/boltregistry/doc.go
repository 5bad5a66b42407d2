// Package boltregistry is a failover.Registry in a file, for one process that restarts:
// the next process goes on with the calls of the one that crashed. There is no server to
// run. For several nodes see redisregistry.
//
// The file is a bbolt database, which only one process can have open. What a method has
// stored when it returns survives a crash of the process, and one of the machine if its
// disk keeps what fsync has written. Writes that come together are committed together.
// While the disk is slow or full, calls go on and are refreshed, and methods return when
// their context ends, or after 5 s.
//
// A call takes four to eight kilobytes of the file, which does not shrink: the space of ended
// calls is used again. Whoever can write to the file can make the process send SIP
// messages; it is created for its owner only. Credentials of SIP are not stored.
//
// Give the process a name with failover.WithName, since it is the next process of that
// name that takes the calls up at once:
//
//	registry, err := boltregistry.Open("/var/lib/pbx/calls.db")
//	timers, err := middleware.New(ua, middleware.WithFailover(registry, failover.WithName("pbx")))
package boltregistry
