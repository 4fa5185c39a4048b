package main

import (
	"os"
	"runtime/debug"
)

// How much garbage there may be in percent of what is in use, before it is collected. A worker has little
// in use, so that Go's default of 100 would have it collect dozens of times a second under load; a
// ledger has its storage's cache in use. GOMEMLIMIT, which the operator sets to the Pod's limit, bounds both.
const (
	workerGarbage = 400
	ledgerGarbage = 200
)

// collectLess sets the percentage, unless the environment does.
func collectLess(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
