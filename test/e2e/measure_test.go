package e2e

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// measured is what the tests have measured, for the table at the end.
var measured measurements

type measurements struct {
	mu   sync.Mutex
	rows []string
}

// note adds a row to the table.
func (m *measurements) note(what string, value any) {
	if d, ok := value.(time.Duration); ok {
		value = d.Round(10 * time.Millisecond)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = append(m.rows, fmt.Sprintf("%s\t%v", what, value))
}

// print prints the table.
func (m *measurements) print(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEASURED\t")
	slices.SortStableFunc(m.rows, strings.Compare)
	for _, row := range m.rows {
		fmt.Fprintln(table, row)
	}
	_ = table.Flush() // it is only shown
}
