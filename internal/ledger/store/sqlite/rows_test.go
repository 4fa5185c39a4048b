package sqlite

import (
	"strings"
	"testing"
)

// TestRowsAreTakenOnceEach gives every number of rows to statements, which take each of them once and in order.
func TestRowsAreTakenOnceEach(t *testing.T) {
	r := newRows("VALUES ", 3, " END")
	for n := range 200 {
		next := 0
		err := r.each(n, func(sql string, from, to int) error {
			if from != next || strings.Count(sql, "?") != 3*(to-from) || strings.Count(sql, "(?, ?, ?)") != to-from {
				t.Errorf("Of %d rows %q takes those from %d to %d; want it to begin with %d", n, sql, from, to, next)
			}
			if !strings.HasPrefix(sql, "VALUES (") || !strings.HasSuffix(sql, ") END") {
				t.Errorf("The statement is %q", sql)
			}
			next = to
			return nil
		})
		if err != nil || next != n {
			t.Errorf("Of %d rows %d were taken, error %v", n, next, err)
		}
	}
}
