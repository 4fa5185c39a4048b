package channel

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Duration is a duration of a specification; fallback where it is not set.
func Duration(d *metav1.Duration, fallback time.Duration) time.Duration {
	if d == nil {
		return fallback
	}
	return d.Duration
}

// Number is a number of a specification; fallback where it is not set.
func Number(n *int32, fallback int) int {
	if n == nil {
		return fallback
	}
	return int(*n)
}
