package boltregistry_test

import (
	"os"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/boltregistry"
)

// Each operation is a batch of 500 calls, as a node makes them at most.
func BenchmarkPut(b *testing.B) {
	path := newFile(b)
	r := open(b, path)
	version := uint64(0)
	for b.Loop() {
		version++
		mustPut(b, r, alice, calls("call-", 500, version)...)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/500, "B/call")
}

func BenchmarkBeat(b *testing.B) {
	r := open(b, newFile(b))
	for b.Loop() {
		mustBeat(b, r, alice)
	}
}

// BenchmarkOpen opens a file with 10 thousand calls.
func BenchmarkOpen(b *testing.B) {
	path := newFile(b)
	r := open(b, path)
	all := calls("call-", 10_000, 1)
	for at := 0; at < len(all); at += 500 {
		mustPut(b, r, alice, all[at:at+500]...)
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := boltregistry.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(info.Size())/float64(len(all)), "B/call")
}
