//go:build !race

package bubble

// UnderRace says that the race detector watches this process.
const UnderRace = false
