package main

import (
	"os"
	"runtime/debug"
)

// How much garbage there may be in percent of what is in use, before it is collected. A worker has little
// in use, so that Go's default of 100 would have it collect dozens of times a second under load; a
// ledger has its figures in use, and its ballast. GOMEMLIMIT, which the operator sets to the Pod's limit, bounds both.
const (
	workerGarbage = 400
	ledgerGarbage = 200
	// ledgerBallast counts as in use and takes no memory, as nobody ever touches it: a small ledger collects as
	// rarely as one with a country's figures.
	ledgerBallast = 8 << 20
)

// collectLess sets the percentage, unless the environment does.
func collectLess(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
