package ledgerapi

import "math"

// NativeSchema is the resolution of the native buckets as Prometheus counts it: each is 2^(1/2^schema),
// which is a fifth, wider than the one below.
const NativeSchema = 2

// NativeZeroThreshold is the width in seconds of the bucket of index 0, which holds what took no time.
const NativeZeroThreshold = 1

// NativeBucket counts, not cumulatively, the times within one bucket of a native histogram.
type NativeBucket struct {
	// Index i stands for the times of more than 2^((i-1)/4) and at most 2^(i/4) seconds; 0 for those of
	// at most NativeZeroThreshold.
	Index int32 `json:"index"`
	Count int64 `json:"count"`
}

// NativeIndex is the index of the native bucket of a time in seconds.
func NativeIndex(seconds float64) int32 {
	if seconds <= NativeZeroThreshold {
		return 0
	}
	return int32(math.Ceil(math.Log2(seconds) * (1 << NativeSchema)))
}
