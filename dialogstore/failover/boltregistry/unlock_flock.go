//go:build !windows && !plan9 && !solaris && !aix && !android

package boltregistry

import (
	"os"
	"syscall"
)

// unlock releases bbolt's lock of a file. Its mapping of the file, which stays after a panic,
// would keep the lock until the process ends.
func unlock(file *os.File) { _ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }
