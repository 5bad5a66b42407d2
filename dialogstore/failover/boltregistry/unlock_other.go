//go:build windows || plan9 || solaris || aix || android

package boltregistry

import "os"

// unlock does nothing: closing the file releases bbolt's lock.
func unlock(*os.File) {}
