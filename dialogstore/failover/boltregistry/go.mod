module github.com/sipgo-contrib/sessiontimer/dialogstore/failover/boltregistry

go 1.25

require (
	github.com/sipgo-contrib/sessiontimer v0.1.0
	go.etcd.io/bbolt v1.4.3
)

require (
	github.com/google/go-cmp v0.7.0 // indirect
	golang.org/x/sys v0.29.0 // indirect
)

// All modules of the repository are released together; see CONTRIBUTING.md.
replace github.com/sipgo-contrib/sessiontimer => ../../..
