module github.com/sipgo-contrib/sessiontimer/examples/monitor

go 1.25

require (
	github.com/emiago/sipgo v1.7.3
	github.com/prometheus/client_golang v1.23.2
	github.com/sipgo-contrib/sessiontimer v0.1.0
	github.com/sipgo-contrib/sessiontimer/middleware/promtimer v0.1.0
)

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/pool v0.2.1 // indirect
	github.com/gobwas/ws v1.3.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/icholy/digest v1.2.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_model v0.6.2 // indirect
	github.com/prometheus/common v0.66.1 // indirect
	github.com/prometheus/procfs v0.16.1 // indirect
	go.yaml.in/yaml/v2 v2.4.2 // indirect
	golang.org/x/sync v0.16.0 // indirect
	golang.org/x/sys v0.35.0 // indirect
	google.golang.org/protobuf v1.36.8 // indirect
)

replace (
	github.com/sipgo-contrib/sessiontimer => ../..
	github.com/sipgo-contrib/sessiontimer/middleware/promtimer => ../../middleware/promtimer
)
