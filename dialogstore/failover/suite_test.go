package failover_test

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
)

func TestMemory(t *testing.T) {
	failovertest.Run(t, func(*testing.T) failover.Registry { return failover.NewMemory() })
}
