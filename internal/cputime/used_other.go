//go:build !unix

package cputime

import "time"

// Used returns 0: unknown.
func Used() time.Duration { return 0 }
