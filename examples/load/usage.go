package main

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// used is the CPU time that this process has used so far.
type used struct {
	at    time.Time
	cpu   time.Duration // user and system time
	gc    float64       // CPU seconds, as estimated by the runtime
	total float64       // likewise, of all that ran
}

// usage returns the CPU time until now, and that of garbage collection until the last
// collection, when the runtime updates it.
func usage() used {
	u := used{at: time.Now(), gc: read("/cpu/classes/gc/total:cpu-seconds"),
		total: read("/cpu/classes/total:cpu-seconds") - read("/cpu/classes/idle:cpu-seconds")}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err == nil {
		u.cpu = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return u
}

// spent is the CPU time used between two moments.
type spent struct {
	time, cpu time.Duration
	gcShare   float64 // -1 if nothing was collected
}

func (u used) since(before used) spent {
	s := spent{time: u.at.Sub(before.at), cpu: u.cpu - before.cpu, gcShare: -1}
	if total := u.total - before.total; total > 0 {
		s.gcShare = (u.gc - before.gc) / total
	}
	return s
}

// heapInUse returns the memory that the process needs, in bytes.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// memoryAvailable returns the available memory of the system in bytes; 0 if unknown.
func memoryAvailable() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "MemAvailable:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}
