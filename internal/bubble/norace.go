//go:build !race

package bubble

// UnderRace is true if the race detector is on.
const UnderRace = false
