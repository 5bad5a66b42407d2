package failovertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// attempt puts a call with a timeout of a second, and returns how long that took.
func attempt(t *testing.T, way failover.Registry) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	_, err := way.Put(ctx, alice, []failover.Entry{entry("call", 1, 1)})
	return time.Since(start), err
}

func TestFaulty(t *testing.T) {
	own := errors.New("READONLY")
	for _, c := range []struct {
		name  string
		fault Fault
		want  error
		took  time.Duration
		done  time.Duration // when the registry carries it out; -1 for never
	}{
		{"none", Fault{}, nil, 0, 0},
		{"down", Fault{Down: true}, ErrFault, 0, -1},
		{"down with an error", Fault{Down: true, Err: own}, own, 0, -1},
		{"reply lost", Fault{Lost: true}, ErrFault, 0, 0},
		{"slow", Fault{Delay: time.Second / 2}, nil, time.Second / 2, time.Second / 2},
		{"slow and lost", Fault{Delay: time.Second / 2, Lost: true, Err: own}, own, time.Second / 2, time.Second / 2},
		{"too slow", Fault{Delay: 3 * time.Second}, context.DeadlineExceeded, time.Second, 3 * time.Second},
		{"reply slow", Fault{Reply: time.Second / 2}, nil, time.Second / 2, 0},
		{"reply too slow", Fault{Reply: 3 * time.Second}, context.DeadlineExceeded, time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				start, reached := time.Now(), time.Duration(-1)
				m := failover.NewMemory()
				way := NewFaulty(broken{memory: m, put: func(_ ctx, me node, e state) error {
					reached = time.Since(start)
					return put2(m, me, e)
				}})
				way.Set(Always(c.fault))
				took, err := attempt(t, way)
				if !errors.Is(err, c.want) || took != c.took {
					t.Errorf("Put = %v after %v, want %v after %v", err, took, c.want, c.took)
				}
				way.Wait()
				if reached != c.done {
					t.Errorf("the registry carries the request out after %v, want %v", reached, c.done)
				}
				way.Set(nil)
				mustPut(t, way, alice, entry("call", 1, 2))
			})
		})
	}
}

// A node that is cut off fails with all methods, and others are not affected.
func TestFaultyCutsOneNodeOff(t *testing.T) {
	m := failover.NewMemory()
	mine, others := NewFaulty(m), NewFaulty(m)
	asked := make(map[string]int)
	mine.Set(func(method string) Fault { asked[method]++; return Fault{Down: true} })
	_, beatErr := mine.Beat(t.Context(), alice)
	_, buryErr := mine.Bury(t.Context(), alice, 1)
	_, putErr := mine.Put(t.Context(), alice, nil)
	_, dropErr := mine.Drop(t.Context(), alice, nil)
	_, claimErr := mine.Claim(t.Context(), alice, bob, nil)
	_, ownedErr := mine.Owned(t.Context(), alice, 1)
	_, ownerErr := mine.Owner(t.Context(), nil)
	_, readErr := mine.Read(t.Context(), nil)
	for method, err := range map[string]error{
		"Beat": beatErr, "Leave": mine.Leave(t.Context(), alice), "Bury": buryErr, "Put": putErr,
		"Drop": dropErr, "Claim": claimErr, "Owned": ownedErr, "Owner": ownerErr, "Read": readErr,
	} {
		if err != ErrFault || asked[method] != 1 {
			t.Errorf("%s of a node that is cut off = %v, with %d calls of fault, want %v and one", method, err, asked[method], ErrFault)
		}
	}
	wantNodes(t, beat(t, others, bob), bob)
}

func TestFaultyReadsWhatCanBeRead(t *testing.T) {
	contract := struct{ failover.Registry }{failover.NewMemory()}
	if _, err := NewFaulty(contract).Read(t.Context(), nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Read of a registry that is no Reader = %v, want %v", err, errors.ErrUnsupported)
	}
	if _, err := NewFaulty(failover.NewMemory()).Read(t.Context(), nil); err != nil {
		t.Errorf("Read of Memory = %v, want no error", err)
	}
}
