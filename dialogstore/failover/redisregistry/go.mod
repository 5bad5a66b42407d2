module github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry

go 1.25

require (
	github.com/alicebob/miniredis/v2 v2.40.0
	github.com/emiago/sipgo v1.7.3
	github.com/google/go-cmp v0.7.0
	github.com/redis/go-redis/v9 v9.22.0
	github.com/sipgo-contrib/sessiontimer v0.1.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/pool v0.2.1 // indirect
	github.com/gobwas/ws v1.3.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/icholy/digest v1.2.0 // indirect
	github.com/yuin/gopher-lua v1.1.1 // indirect
	go.uber.org/atomic v1.11.0 // indirect
	golang.org/x/sync v0.16.0 // indirect
	golang.org/x/sys v0.30.0 // indirect
)

// All modules of the repository are released together; see CONTRIBUTING.md.
replace github.com/sipgo-contrib/sessiontimer => ../../..
