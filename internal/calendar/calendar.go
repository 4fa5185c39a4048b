package calendar

// Calendar is a compiled Spec; it never changes and may be used by any number of goroutines.
type Calendar struct{}
